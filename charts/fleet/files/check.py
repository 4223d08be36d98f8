"""Check that Services serve their skills: `check.py SECONDS ADDRESS=SKILL,SKILL …`."""

import json
import sys
import time
import urllib.request

ask = urllib.request.build_opener(urllib.request.ProxyHandler({})).open  # no proxy: Services are inside the cluster


def versions(address: str, until: float) -> dict[str, str]:
    """Return versions of the skills that a Service serves, by name; repeat the request until `until`."""
    while True:
        try:
            with ask(f"{address}/v1/skills", timeout=10) as answer:
                return {name: card["model_version"] for name, card in json.load(answer)["skills"].items()}
        except (OSError, ValueError, KeyError, TypeError) as err:
            if time.monotonic() > until:
                sys.stdout.write(f"{address} does not answer: {type(err).__name__}: {err}\n")
                return {}
            time.sleep(1)


def main(seconds: str, *services: str) -> bool:
    """Print the skills of every Service; return whether any lacks a skill."""
    until = time.monotonic() + float(seconds)
    missing = False
    for service in services:
        address, _, names = service.rpartition("=")
        served = versions(address, until)
        lost = sorted(set(names.split(",")) - set(served))
        missing |= bool(lost)
        listed = ", ".join(f"{name} {version}" for name, version in sorted(served.items()))
        sys.stdout.write(f"{address} serves {listed or 'nothing'}{', not ' + ', '.join(lost) if lost else ''}\n")
        sys.stdout.flush()
    return missing


sys.exit(main(*sys.argv[1:]))
