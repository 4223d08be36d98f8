"""Split of the tables of ingest."""

import threading

import pytest

from coachworks.context import open_context
from coachworks.results import NotDoneError
from components.split.assignment_memory import Assignments, Memory
from components.split.step import split


def photo(number, set_id=None, **more):
    return {"photo_id": f"{number:064x}", "set_id": set_id or f"set-{number}", **more}


def animals(count, *, start=0, per_set=1):
    return [photo(i, f"set-{i // per_set}", animal="cat" if i % 4 else "dog") for i in range(start, start + count)]


def duplicate(of, set_id, split=None):
    entry = {"file": "copy.jpg", "source": "s", "reason": "duplicate", "message": "…", "same_as": f"{of:064x}.jpg"}
    return {**entry, **({"set_id": set_id} if set_id else {}), **({"split": split} if split else {})}


def test_every_photo_has_a_split_and_the_labels_carry_it(divided):
    photos = [*animals(50), photo(900)]
    result = divided(photos)
    assert list(result.table.columns) == ["photo_id", "set_id", "split"]
    assert list(result.table.photo_id) == [p["photo_id"] for p in photos]
    assert set(result.photos.values()) == {"train", "validation", "test"}
    assert [result.photos[p] for p in result.labels.photo_id] == list(result.labels.split)


def test_shares_are_those_of_the_fleet_file(divided):
    report = divided(animals(200)).report
    assert report.photos == {"train": 120, "validation": 40, "test": 40}
    assert report.sets == report.photos
    assert report.skills["animal"] == {
        "cat": {"train": 90, "validation": 30, "test": 30},
        "dog": {"train": 30, "validation": 10, "test": 10},
    }
    assert report.skills["quality"] == {}


def test_sets_stay_together(divided):
    result = divided(animals(60, per_set=4))
    assert result.table.groupby("set_id").split.nunique().max() == 1


def test_new_photos_never_move_old_ones(divided):
    before = divided(animals(40, per_set=2))
    after = divided([*animals(40, per_set=2), *animals(60, start=40, per_set=2)])
    assert before.photos.items() <= after.photos.items()
    assert after.report.remembered == 20
    assert after.report.photos == {"train": 60, "validation": 20, "test": 20}


def test_photos_that_are_removed_and_added_again_keep_their_split(divided):
    first = divided(animals(40))
    divided(animals(10))
    divided(animals(30, start=40))
    again = divided(animals(40))
    assert again.reused
    assert again.photos == first.photos


def test_changed_labels_move_no_photo(divided):
    first = divided(animals(40))
    swapped = [{**p, "animal": "dog" if p["animal"] == "cat" else "cat"} for p in animals(40)]
    assert divided(swapped).photos == first.photos


def test_the_order_of_rows_does_not_matter(divided, fleet):
    here = divided(animals(30))
    elsewhere = fleet.model_copy(update={"metadata": fleet.metadata.model_copy(update={"name": "other"})})
    assert divided(animals(30)[::-1], by=elsewhere).photos == here.photos


def test_other_shares_do_not_move_remembered_sets(divided, fleet):
    first = divided(animals(40))
    shares = fleet.spec.split.model_copy(update={"train": 0.2, "validation": 0.4, "test": 0.4})
    other = fleet.model_copy(update={"spec": fleet.spec.model_copy(update={"split": shares})})
    assert divided(animals(40), by=other).photos == first.photos


def test_sets_that_share_a_photo_get_one_split(divided):
    photos = animals(30)
    chain = [duplicate(i, f"set-{i + 1}") for i in range(14)]
    result = divided(photos, chain)
    assert len({result.sets[f"set-{i}"] for i in range(15)}) == 1
    assert result.report.conflicts == []


def test_a_new_set_gets_the_split_of_the_old_one_with_the_same_photo(divided):
    old = divided(animals(20))
    for i in range(20):
        new = divided([*animals(20), photo(100 + i, animal="cat")], [duplicate(i, f"set-{100 + i}")])
        assert new.sets[f"set-{100 + i}"] == old.sets[f"set-{i}"]


def test_old_sets_found_to_share_a_photo_keep_their_splits_and_are_reported(divided):
    old = divided(animals(20))
    a, b = (next(i for i in range(20) if old.sets[f"set-{i}"] == name) for name in ("train", "test"))
    new = divided(animals(20), [duplicate(a, f"set-{b}")])
    assert new.photos == old.photos
    (conflict,) = new.report.conflicts
    assert set(conflict.sets) == {f"set-{a}", f"set-{b}"}
    assert "2 sets share a photo, but are in test and train since earlier runs" in conflict.message


def test_old_photos_merged_into_one_set_go_to_test_if_one_was_in_test(divided):
    old = divided(animals(20))
    joined = [{**p, "set_id": "car"} for p in animals(20)]
    new = divided(joined)
    assert set(old.photos.values()) > {"test"}
    assert set(new.photos.values()) == {"test"}
    assert "models trained before may have seen photos that are held out now" in new.report.conflicts[0].message


def test_old_photos_regrouped_without_contradiction_keep_their_split(divided):
    old = divided(animals(20))
    regrouped = [{**p, "set_id": f"all of {old.photos[p['photo_id']]}"} for p in animals(20)]
    new = divided(regrouped)
    assert new.photos == old.photos
    assert new.report.conflicts == []


def test_the_split_in_a_table_is_used(divided):
    demanded = [photo(i, animal="cat", split=("train", "validation", "test")[i % 3]) for i in range(30)]
    result = divided(demanded)
    assert result.photos == {p["photo_id"]: p["split"] for p in demanded}
    assert result.report.demanded == 30


def test_splits_in_a_table_do_not_change_the_shares_of_the_rest(divided):
    demanded = [photo(i, animal="cat", split="test") for i in range(50)]
    result = divided([*demanded, *animals(50, start=100)])
    assert result.report.photos == {"train": 30, "validation": 10, "test": 60}


def test_validation_is_taken_from_train_if_a_table_names_only_train_and_test(divided):
    demanded = [photo(i, animal="cat" if i % 4 else "dog", split="test" if i < 40 else "train") for i in range(120)]
    result = divided(demanded)
    assert all(result.photos[p["photo_id"]] == "test" for p in demanded[:40])
    assert result.report.photos == {"train": 60, "validation": 20, "test": 40}
    assert result.report.skills["animal"]["dog"] == {"train": 15, "validation": 5, "test": 10}
    more = [*demanded, *[photo(i, animal="cat", split="train") for i in range(200, 240)]]
    later = divided(more)
    assert result.photos.items() <= later.photos.items()
    assert later.report.photos == {"train": 90, "validation": 30, "test": 40}
    official = divided([*more, *[photo(i, animal="cat", split="validation") for i in range(300, 310)]])
    assert later.photos.items() <= official.photos.items()


def test_a_set_with_two_splits_in_a_table_goes_to_test_and_is_reported(divided):
    photos = [photo(1, "car", split="train"), photo(2, "car", split="test"), *animals(10, start=10)]
    result = divided(photos)
    assert result.sets["car"] == "test"
    (conflict,) = result.report.conflicts
    assert conflict.sets == ["car"]
    assert "tables demand test and train for photos of one set; the set is in test" in conflict.message


def test_a_duplicate_with_another_split_in_a_table_is_a_contradiction(divided):
    result = divided([photo(1, split="train"), *animals(10, start=10)], [duplicate(1, None, "test")])
    assert result.sets["set-1"] == "test"
    assert len(result.report.conflicts) == 1


def test_a_table_overrides_the_memory_and_that_is_reported(divided):
    old = divided(animals(20))
    moved = next(p for p in animals(20) if old.photos[p["photo_id"]] == "train")
    demanded = [{**p, "split": "test"} if p["photo_id"] == moved["photo_id"] else p for p in animals(20)]
    result = divided(demanded)
    assert result.photos == {**old.photos, moved["photo_id"]: "test"}
    assert "a table demands test, an earlier run had put the set into train" in result.report.conflicts[0].message
    assert divided(animals(20)).photos == old.photos


def test_fewer_photos_than_splits_are_split(divided):
    assert divided([photo(1, animal="cat")]).photos == {photo(1)["photo_id"]: "train"}
    assert set(divided(animals(3, start=10, per_set=1)).photos.values()) <= {"train", "validation", "test"}


def test_the_result_is_reused_and_another_fleet_has_its_own_memory(divided, fleet, store):
    first = divided(animals(20))
    assert divided(animals(20)).reused
    other = fleet.model_copy(update={"metadata": fleet.metadata.model_copy(update={"name": "other"})})
    assert divided(animals(20), by=other).photos == first.photos
    assert {key.split("/")[1] for key in store.list("splits")} == {"test", "other"}


def test_a_run_that_ends_between_memory_and_result_changes_no_split(divided, ingested, fleet, store):
    expected = divided(animals(30)).photos
    other = fleet.model_copy(update={"metadata": fleet.metadata.model_copy(update={"name": "killed"})})
    memory = Memory(store, "killed")
    memory.read()
    # What a killed run leaves: the memory is written before the result.
    memory.append(Assignments({p["set_id"]: expected[p["photo_id"]] for p in animals(30)}, expected))
    assert divided(animals(30), by=other).photos == expected
    assert memory.read().photos == expected


def test_concurrent_runs_agree(divided, ingested, fleet, store):
    keys = [ingested(animals(10, start=start)) for start in (0, 5, 10, 15)]
    threads = [threading.Thread(target=split, args=(fleet, key)) for key in keys]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seen = {}
    for start in (0, 5, 10, 15):
        for photo_id, name in divided(animals(10, start=start)).photos.items():
            assert seen.setdefault(photo_id, name) == name


def test_a_dry_run_remembers_nothing(fleet, ingested, store):
    with pytest.raises(NotDoneError, match="split"):
        split(fleet, ingested(animals(5)), context=open_context(fleet, dry=True))
    assert not store.exists("splits")


def test_conflicts_are_noted_as_they_are_found(fleet, ingested):
    notes = []

    class Heard:
        note = staticmethod(notes.append)

    key = ingested([photo(1, "car", split="train"), photo(2, "car", split="test")])
    split(fleet, key, context=open_context(fleet, progress=Heard()))
    assert notes == ["split: car: tables demand test and train for photos of one set; the set is in test"]


def test_labels_from_before_a_skill_was_renamed_go_along(divided, fleet):
    animal = fleet.spec.skills["animal"].model_copy(update={"was": "animal"})
    skills = {"creature": animal, "quality": fleet.spec.skills["quality"]}
    renamed = fleet.model_copy(update={"spec": fleet.spec.model_copy(update={"skills": skills})})
    before, after = divided(animals(40)), divided(animals(40), by=renamed)
    assert set(after.labels["skill"]) == {"creature"}
    assert after.report.skills["creature"] == before.report.skills["animal"]
    assert after.photos == before.photos
