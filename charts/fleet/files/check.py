"""Ask Services which skills they answer; fail where one is missing: `check.py SECONDS ADDRESS=SKILL,SKILL …`."""

import json
import sys
import time
import urllib.request

ask = urllib.request.build_opener(urllib.request.ProxyHandler({})).open  # Services are asked past any proxy


def versions(address: str, until: float) -> dict[str, str]:
    """Versions of the skills that answer at an address, by name; asked for again until then."""
    while True:
        try:
            with ask(f"{address}/v1/skills", timeout=10) as answer:
                return {name: card["model_version"] for name, card in json.load(answer)["skills"].items()}
        except (OSError, ValueError, KeyError, TypeError) as err:
            if time.monotonic() > until:
                sys.stdout.write(f"{address} does not answer: {type(err).__name__}: {err}\n")
                return {}
            time.sleep(1)


def main(patience: str, *services: str) -> bool:
    """Say what every Service answers; whether any lacks a skill."""
    until = time.monotonic() + float(patience)
    missing = False
    for service in services:
        address, _, names = service.rpartition("=")
        found = versions(address, until)
        lost = sorted(set(names.split(",")) - set(found))
        missing |= bool(lost)
        said = ", ".join(f"{name} {version}" for name, version in sorted(found.items()))
        sys.stdout.write(f"{address} answers {said or 'nothing'}{', not ' + ', '.join(lost) if lost else ''}\n")
        sys.stdout.flush()
    return missing


sys.exit(main(*sys.argv[1:]))
