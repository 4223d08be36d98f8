"""Groups of sets that share a photo, and so show the same thing under different ids."""

from collections.abc import Iterable, Mapping


def link(sets: Iterable[str], shared: Iterable[tuple[str, str]]) -> list[list[str]]:
    """Return the sets in groups connected by shared photos; each group sorted, the groups by their first set.

    >>> link(["a", "b", "c", "d"], [("a", "c")])
    [['a', 'c'], ['b'], ['d']]
    """
    parent: dict[str, str] = {name: name for name in sets}

    def root(name: str) -> str:
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for first, second in shared:
        a, b = sorted((root(parent.setdefault(first, first)), root(parent.setdefault(second, second))))
        parent[b] = a
    groups: dict[str, list[str]] = {}
    for name in sorted(parent):
        groups.setdefault(root(name), []).append(name)
    return list(groups.values())


def shared_photos(rejected: Iterable[Mapping[str, str]], set_of_file: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    """Yield pairs of sets that share a photo: for each duplicate that ingest rejected, its set and that of the other.

    Args:
        rejected: Entries of ingest's `rejected.json`.
        set_of_file: Set per filename of the catalogue.
    """
    for entry in rejected:
        original = entry.get("same_as")
        if original is not None and original in set_of_file and entry.get("set_id"):
            yield set_of_file[original], entry["set_id"]
