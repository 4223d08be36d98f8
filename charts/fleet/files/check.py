"""Check that Services serve their skills: `check.py SECONDS ADDRESS=SKILL,SKILL …`.

It sends the first of the API keys in /etc/coachworks/api-keys, and verifies certificates with those in
/etc/coachworks/authority/ca.crt, where these are mounted.
"""

import json
import ssl
import sys
import time
import urllib.request
from pathlib import Path

MOUNTED = Path("/etc/coachworks")
CONTEXT = ssl.create_default_context()
if (MOUNTED / "authority/ca.crt").exists():
    CONTEXT = ssl.create_default_context(cafile=MOUNTED / "authority/ca.crt")
    CONTEXT.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # a certificate may be trusted by itself
OPENER = urllib.request.build_opener(
    urllib.request.ProxyHandler({}),  # no proxy: Services are inside the cluster
    urllib.request.HTTPSHandler(context=CONTEXT),
)
for key in sorted(MOUNTED.glob("api-keys/[!.]*"))[:1]:
    OPENER.addheaders = [("Authorization", f"Bearer {key.read_text('ascii').strip()}")]


def versions(address: str, until: float) -> dict[str, str]:
    """Return versions of the skills that a Service serves, by name; repeat the request until `until`."""
    while True:
        try:
            with OPENER.open(f"{address}/v1/skills", timeout=10) as answer:
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
