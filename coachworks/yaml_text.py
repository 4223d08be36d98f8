"""JSON that every reader of YAML takes for the same document."""

import json
import re

# JSON may hold these as they are and YAML may not, or takes them for the end of a line.
_REFUSED = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def yaml_text(document: object) -> str:
    r"""Return a document as JSON that is YAML too.

    JSON writes a character beyond U+FFFF as two escapes, which YAML reads as two broken characters; so characters stand
    for themselves, but for those that YAML refuses.

    >>> yaml_text({"label": "🚗\u2028"})
    '{"label": "🚗\\u2028"}'
    """
    text = json.dumps(document, ensure_ascii=False)
    return _REFUSED.sub(lambda character: f"\\u{ord(character.group()):04x}", text)
