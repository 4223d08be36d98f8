"""Repair of a store: what is damaged and can be made again is removed, and what killed processes left behind."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from coachworks.store import Store
from coachworks.store.contents import OBJECT, TREE_FORM, Content
from coachworks.verify.kinds import find_kind
from coachworks.verify.walk import Finding, Verification

_IDENTITY = "identity"  # the next submission writes another one
Restore = Callable[[Store, str], bool]  # writes the object or tree at a key again; False where it cannot


def repair(store: Store, verification: Verification, restore: Mapping[str, Restore]) -> Verification:
    """Remove what is damaged and can be made again; what only a person can replace stays.

    Args:
        store: The store.
        verification: Its verification.
        restore: By name of a kind, the function that writes a damaged object or tree of that kind again.

    Returns:
        The verification with the states of its findings after the repair.
    """
    contents = store.contents()
    order = sorted(verification.findings, key=_is_restored, reverse=True)
    repaired = {finding.content.key: _repair(store, finding, restore) for finding in order}
    findings = [repaired[finding.content.key] for finding in verification.findings]
    if any(finding.state == "removed" for finding in findings):
        store.remove(_IDENTITY)  # salt of KFP's cache, which would return keys of results that were removed
    for leftover in verification.leftovers:
        contents.remove(leftover)
    for link in verification.links:
        if contents.compare(link, lambda count: None).problems:
            contents.remove(link)
    return replace(verification, findings=findings)


def _is_restored(finding: Finding) -> bool:
    """Return whether it is written again from results that may be damaged in part: those must not be removed before."""
    kind = find_kind(finding.content.key)
    return kind is not None and kind.remedy == "restore"


def _repair(store: Store, finding: Finding, restore: Mapping[str, Restore]) -> Finding:
    kind = find_kind(finding.content.key)
    if kind is None or kind.remedy == "keep":
        return finding
    if kind.remedy == "restore":
        restored = kind.name in restore and restore[kind.name](store, finding.content.key)
        return replace(finding, state="restored" if restored else "damaged")
    contents = store.contents()
    together = list(kind.together(store, finding.content.key))
    contents.remove(finding.content)
    for key in together:
        if key != finding.content.key:
            contents.remove(Content(key, TREE_FORM if key.count("/") == 2 else OBJECT, 0, ""))
    return replace(finding, state="removed")
