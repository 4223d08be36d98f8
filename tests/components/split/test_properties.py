"""Properties of the split for arbitrary sets."""

import hashlib
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coachworks.tables import SPLITS
from components.split.assignment_memory import Assignments
from components.split.decide import SetFacts, decide
from components.split.linked_sets import link
from components.split.stratified_sets import Unit, assign

SHARES = {"train": 0.7, "validation": 0.15, "test": 0.15}

labels = st.dictionaries(
    st.tuples(st.sampled_from(["animal", "quality"]), st.sampled_from("abc")), st.integers(1, 5), max_size=4
)
facts = st.builds(
    lambda photos, labels, demands: (photos, labels, demands),
    st.integers(1, 6),
    labels,
    st.sets(st.sampled_from(SPLITS), max_size=2) | st.just(set()),
)
worlds = st.dictionaries(st.text("abcdefgh", min_size=1, max_size=3), facts, min_size=1, max_size=30)
links = st.lists(st.tuples(st.integers(0, 29), st.integers(0, 29)), max_size=6)


def sets_of(world, *, demands=True):
    return {
        name: SetFacts([f"{name}/{i}" for i in range(photos)], dict(labels), set(splits) if demands else set())
        for name, (photos, labels, splits) in world.items()
    }


def groups_of(world, pairs):
    names = sorted(world)
    return link(names, [(names[a % len(names)], names[b % len(names)]) for a, b in pairs])


def remembered(sets, decision):
    photos = {photo: decision.splits[name] for name, facts in sets.items() for photo in facts.photos}
    return Assignments(dict(decision.splits), photos)


@given(worlds, links)
@settings(deadline=None)
def test_every_set_has_exactly_one_split_and_linked_sets_share_it(world, pairs):
    sets, groups = sets_of(world), groups_of(world, pairs)
    decision = decide(sets, groups, Assignments(), SHARES)
    assert decision.splits.keys() == sets.keys()
    assert set(decision.splits.values()) <= set(SPLITS)
    for group in groups:
        splits = {decision.splits[name] for name in group}
        demands = {demand for name in group for demand in sets[name].demands}
        # Only where a table demands train may validation be taken out of it, set by set.
        assert len(splits) == 1 or (demands == {"train"} and splits == {"train", "validation"})


@given(worlds, worlds, links)
@settings(deadline=None)
def test_new_sets_never_move_old_ones(old, new, pairs):
    first = decide(sets_of(old, demands=False), groups_of(old, pairs), Assignments(), SHARES)
    memory = remembered(sets_of(old, demands=False), first)
    both = {**new, **old}
    second = decide(sets_of(both, demands=False), groups_of(both, pairs), memory, SHARES)
    assert first.splits.items() <= second.splits.items()


@given(worlds, links, st.randoms())
@settings(deadline=None)
def test_the_order_of_sets_does_not_matter(world, pairs, random):
    names = list(world)
    random.shuffle(names)
    shuffled = {name: world[name] for name in names}
    groups = groups_of(world, pairs)
    one = decide(sets_of(world), groups, Assignments(), SHARES)
    other = decide(sets_of(shuffled), [list(group) for group in reversed(groups)], Assignments(), SHARES)
    assert one.splits == other.splits


@given(worlds, links)
@settings(deadline=None)
def test_splitting_again_with_memory_gives_the_same(world, pairs):
    sets, groups = sets_of(world), groups_of(world, pairs)
    first = decide(sets, groups, Assignments(), SHARES)
    assert decide(sets, groups, remembered(sets, first), SHARES).splits == first.splits


@given(st.integers(20, 300), st.integers(1, 4))
@settings(max_examples=30, deadline=None)
def test_shares_are_met_to_within_the_largest_set(count, largest):
    rng = np.random.default_rng(count)
    units = [Unit(str(i), int(rng.integers(1, largest + 1))) for i in range(count)]
    split = assign(units, list(SHARES.values()), {})
    total = sum(unit.photos for unit in units)
    for index, share in enumerate(SHARES.values()):
        got = sum(unit.photos for unit, its in zip(units, split, strict=True) if its == index)
        assert abs(got - share * total) <= largest + 1


@given(st.lists(st.integers(3, 12), min_size=1, max_size=8))
@settings(deadline=None)
def test_rare_labels_of_three_sets_or_more_are_in_every_split(counts):
    units = [
        Unit(f"{label}-{i}", 1, {("skill", str(label)): 1}) for label, count in enumerate(counts) for i in range(count)
    ]
    split = assign(units, list(SHARES.values()), {})
    for label in range(len(counts)):
        present = {its for unit, its in zip(units, split, strict=True) if ("skill", str(label)) in unit.labels}
        assert present == {0, 1, 2}


def test_a_rare_label_whose_old_sets_are_all_in_train_gets_its_next_ones_elsewhere():
    old = [Unit(f"old-{i}", 1, {("s", "rare"): 1}) for i in range(2)]
    new = [Unit(f"new-{i}", 1, {("s", "rare"): 1}) for i in range(2)]
    assert sorted(assign(new, list(SHARES.values()), {0: old})) == [1, 2]


def skewed_units(seed, skills, *, sets=400):
    """Draw sets of several photos with long-tailed labels, mostly one label per set and skill."""
    rng = np.random.default_rng(seed)
    units = []
    for i in range(sets):
        photos = int(rng.integers(1, 9))
        labels = Counter()
        for skill in range(skills):
            main = min(int(rng.zipf(1.6)) - 1, 7)
            for _ in range(photos):
                label = main if rng.random() < 0.8 else min(int(rng.zipf(1.6)) - 1, 7)
                labels[f"skill-{skill}", str(label)] += 1
        units.append(Unit(f"set-{i}", photos, dict(labels)))
    return units


def imbalance(units, split):
    """Return the mean absolute difference of each label's shares from the targets."""
    shares, labels = np.array(list(SHARES.values())), sorted({label for unit in units for label in unit.labels})
    counts = np.zeros((len(labels), 3))
    for unit, index in zip(units, split, strict=True):
        for label, count in unit.labels.items():
            counts[labels.index(label), index] += count
    return float(np.abs(counts / counts.sum(axis=1, keepdims=True) - shares).mean())


def hashed(units):
    """Assign by plain hashing: the part of the hash's range that contains the hash."""
    edges = np.cumsum(list(SHARES.values()))
    position = [int(hashlib.sha256(unit.name.encode()).hexdigest()[:8], 16) / 2**32 for unit in units]
    return [int(np.searchsorted(edges, value, side="right")) for value in position]


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("skills", [1, 5, 35])
def test_labels_are_spread_better_than_by_plain_hashing(seed, skills):
    units = skewed_units(seed, skills)
    ours, plain = imbalance(units, assign(units, list(SHARES.values()), {})), imbalance(units, hashed(units))
    assert ours < (0.3 if skills <= 5 else 0.6) * plain


@pytest.mark.slow  # the properties above hold for any number of sets
def test_ten_thousand_sets_of_thirty_five_skills_keep_the_shares():
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, 5, (10_000, 35))
    units = [
        Unit(f"set-{i}", 1, {(f"skill-{skill}", str(label)): 1 for skill, label in enumerate(row)})
        for i, row in enumerate(drawn)
    ]
    split = assign(units, list(SHARES.values()), {})
    assert Counter(split)[0] == pytest.approx(7000, abs=5)


def test_links_are_transitive():
    assert link("abcde", [("a", "b"), ("d", "b"), ("e", "x")]) == [["a", "b", "d"], ["c"], ["e", "x"]]
