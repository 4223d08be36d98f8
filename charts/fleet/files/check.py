"""Ask Services which skills they answer: `ADDRESS=SKILL,SKILL …`; fails where one is missing."""

import json
import sys
import time
import urllib.request

ask = urllib.request.build_opener(urllib.request.ProxyHandler({})).open


def versions(address, patience=12):
    """Versions of the skills that answer at an address, by name."""
    for left in range(patience - 1, -1, -1):
        try:
            with ask(f"{address}/v1/skills", timeout=10) as answer:
                return {name: card["model_version"] for name, card in json.load(answer)["skills"].items()}
        except (OSError, ValueError, KeyError, TypeError) as err:
            if not left:
                print(f"        {type(err).__name__}: {err}")
                return {}
            time.sleep(5)


missing = False
for address, _, names in (argument.rpartition("=") for argument in sys.argv[1:]):
    found = versions(address)
    lost = set(names.split(",")) - set(found)
    missing |= bool(lost)
    said = ", ".join(f"{name} {version}" for name, version in sorted(found.items())) or "no answer"
    print(f"{'not ok' if lost else 'ok':6}  {address}  {said}", flush=True)
sys.exit(missing)
