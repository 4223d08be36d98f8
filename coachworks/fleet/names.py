"""Names of skills and fleets: DNS labels, since Services, models and releases are called by them."""

import re

DNS_LABEL = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
# Columns that a table of photos has besides those of its skills, and pages that every fleet has.
RESERVED_SKILLS = ("box", "file", "filename", "fleet", "index", "path", "permission", "source", "split")


def slug(name: str) -> str:
    """Return `name` as a DNS label; empty where it has no letter or digit of ASCII.

    >>> slug("Body_Type (new)")
    'body-type-new'
    """
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:63].rstrip("-")
