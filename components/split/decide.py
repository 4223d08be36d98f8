"""Decision on the split of each set: demands of the tables, then the memory, then stratification."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from coachworks.tables import SPLITS
from components.split.assignment_memory import Assignments
from components.split.report import Conflict
from components.split.stratified_sets import Unit, assign

# If several splits apply to one set: a photo that was ever held out must not be trained on.
_PRECEDENCE = ("test", "validation", "train")
_SHOWN = 50
_ALL = (0, 1, 2)
_TRAINABLE = (0, 1)


@dataclass
class SetFacts:
    """Facts about one set.

    Attributes:
        photos: Ids of its photos.
        labels: Photos per (skill, label).
        demands: Splits that tables demand for its photos.
    """

    photos: list[str] = field(default_factory=list)
    labels: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    demands: set[str] = field(default_factory=set)


@dataclass
class Decision:
    """The split of every set.

    Attributes:
        splits: Split per set.
        remembered: Number of sets with a split from the memory.
        demanded: Number of sets with a split from a table.
        conflicts: Contradictions between tables and memory, and how they were resolved.
    """

    splits: dict[str, str] = field(default_factory=dict)
    remembered: int = 0
    demanded: int = 0
    conflicts: list[Conflict] = field(default_factory=list)


def decide(
    sets: Mapping[str, SetFacts], groups: Sequence[Sequence[str]], memory: Assignments, shares: Mapping[str, float]
) -> Decision:
    """Decide the split of every set.

    The first of these that exists applies: the demand of a table for the set (or, if the set is new, for a set that
    shares a photo with it); the remembered split of the set; of its photos; of the sets that share a photo with it. The
    remaining sets are stratified, given the others. If several splits apply, test precedes validation and train. If
    tables demand train but never validation, validation is taken from the sets of train.

    Args:
        sets: Facts per set; groups may name further sets, which have no photos of their own.
        groups: Sets that share photos; each set is in exactly one group.
        memory: Remembered splits.
        shares: Target share per split.
    """
    decision = Decision()
    carve = not any("validation" in facts.demands for facts in sets.values())
    placed: dict[int, list[Unit]] = {index: [] for index in range(len(SPLITS))}
    free: list[tuple[list[str], Unit]] = []
    for group in groups:
        members = [name for name in group if name in sets]
        demands = {demand for name in members for demand in sets[name].demands}
        open_sets = []
        for name in members:
            split, allowed = _decided(name, sets[name], demands, memory, carve=carve, decision=decision)
            if split is None:
                open_sets.append(name)
            else:
                decision.splits[name] = split
                placed[SPLITS.index(split)].append(_unit([name], sets, allowed))
        if not open_sets:
            _check(group, members, decision)
            continue
        linked = {decision.splits[name] for name in members if name in decision.splits}
        linked |= {memory.sets[name] for name in group if name not in sets and name in memory.sets}
        allowed = _TRAINABLE if demands == {"train"} else _ALL
        unit = _unit(open_sets, sets, allowed)
        if linked:
            split = _first(linked)
            decision.splits.update(dict.fromkeys(open_sets, split))
            placed[SPLITS.index(split)].append(unit)
        else:
            free.append((open_sets, unit))
        _check(group, members, decision)
    chosen = assign([unit for _, unit in free], [shares[split] for split in SPLITS], placed)
    for (names, _), index in zip(free, chosen, strict=True):
        decision.splits.update(dict.fromkeys(names, SPLITS[index]))
    return decision


def _first(splits: Collection[str]) -> str:
    return next(split for split in _PRECEDENCE if split in splits)


def _unit(names: Sequence[str], sets: Mapping[str, SetFacts], allowed: tuple[int, ...]) -> Unit:
    labels: Counter[tuple[str, str]] = Counter()
    for name in names:
        labels.update(sets[name].labels)
    return Unit(min(names), sum(len(sets[name].photos) for name in names), labels, allowed)


def _decided(
    name: str, facts: SetFacts, demands: set[str], memory: Assignments, *, carve: bool, decision: Decision
) -> tuple[str | None, tuple[int, ...]]:
    """Return the split of one set, None if it is open, and the splits that its photos count for in the shares."""
    of_photos = {memory.photos[photo] for photo in facts.photos if photo in memory.photos}
    remembered = memory.sets.get(name) or (_first(of_photos) if of_photos else None)
    if demands and (facts.demands or remembered is None):
        return _demanded(name, demands, remembered, carve=carve, decision=decision)
    if remembered is None:
        return None, _ALL
    decision.remembered += 1
    if len(of_photos | {remembered}) > 1:
        message = (
            f"photos of the set are remembered in {', '.join(sorted(of_photos))}; the set is in {remembered}, "
            "so models trained before may have seen photos that are held out now"
        )
        decision.conflicts.append(Conflict([name], [remembered], message))
    return remembered, _ALL


def _demanded(
    name: str, demands: set[str], remembered: str | None, *, carve: bool, decision: Decision
) -> tuple[str | None, tuple[int, ...]]:
    split = _first(demands)
    decision.demanded += 1
    if len(demands) > 1:
        message = f"tables demand {' and '.join(sorted(demands))} for photos of one set; the set is in {split}"
        decision.conflicts.append(Conflict([name], [split], message))
    if split == "train" and (remembered == "validation" or (carve and remembered in {None, "train"})):
        return remembered, _TRAINABLE
    if remembered not in {None, split}:
        message = f"a table demands {split}, an earlier run had put the set into {remembered}; it is in {split} now"
        decision.conflicts.append(Conflict([name], [split], message))
    return split, (SPLITS.index(split),)


def _check(group: Sequence[str], members: Sequence[str], decision: Decision) -> None:
    """Report sets that share photos but have different splits from earlier runs."""
    splits = {decision.splits[name] for name in members if name in decision.splits}
    if len(splits) > 1:
        shown = [name for name in members if name in decision.splits][:_SHOWN]
        message = (
            f"{len(group)} sets share a photo, but are in {' and '.join(sorted(splits))} since earlier runs: "
            "a model may have been trained with photos that are held out"
        )
        decision.conflicts.append(Conflict(shown, [decision.splits[name] for name in shown], message))
