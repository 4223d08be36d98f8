"""`coachworks store verify`: a walk through a store that names what is damaged and removes what can be made again."""

import json
import shutil
from pathlib import Path
from uuid import uuid4

import pytest
from click.testing import CliRunner, Result
from damage import DAMAGES, Files
from small_fleets import fleet_text

from coachworks.cli.main import cli
from coachworks.digests import digest_bytes
from coachworks.errors import CoachworksError, NotFoundError
from coachworks.leases import acquire, run_lease
from coachworks.s3 import RetryPolicy, retry
from coachworks.store import FolderStore, S3Store, Store, this_process, write_record
from coachworks.store.contents import Comparison, Content, OnRead
from coachworks.store.folder_contents import FolderContents
from coachworks.tables import write_table
from coachworks.verify import KINDS, find_kind, repair, verify
from components.split.assignment_memory import Assignments, Memory
from components.split.restoring import restore_part
from components.split.step import SPLITS_COLUMNS
from pipelines.submit import store_identity

CONTENT = bytes(range(256)) * 40
DIGEST = digest_bytes(CONTENT)
BACKBONE = "ab" * 32
QUICK = ("a bit flipped", "removed")
RESTORE = {"memory of splits": restore_part}


@pytest.fixture(autouse=True)
def prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the waits between attempts, not their number."""
    monkeypatch.setattr(retry, "DEFAULT_POLICY", RetryPolicy(initial_wait_s=0.001, max_wait_s=0.001))


def publish(store: Store, key: str, **files: bytes) -> None:
    with store.scratch() as folder:
        for name, data in files.items():
            (folder / name.replace("__", ".")).write_bytes(data)
        store.publish(folder, key)


def fill(store: Store) -> None:
    """Write an object of every kind, as the steps do."""
    for key in (f"photos/{DIGEST[:2]}/{DIGEST}.jpg", f"features/0f/clean/{DIGEST[:32]}.safetensors"):
        store.write(key, CONTENT)
    entries = json.dumps([{"place": "photos/1.jpg"}]).encode()
    store.write(f"checkpoints/{BACKBONE}/{DIGEST}.safetensors", CONTENT)
    for folder in ("index/files/0f", "index/photos"):
        store.write(f"{folder}/{digest_bytes(entries)}.json", entries)
    spec = {"name": "tiny", "digest": BACKBONE, "input_px": 8, "mean": [0] * 3, "std": [1] * 3, "fit": "squash"}
    spec |= {"resampling": "box", "dimensions": 4, "onnx_sha256": DIGEST, "preprocessing": 1}
    store.write(f"backbones/{BACKBONE}.onnx", CONTENT)
    write_record(store, f"backbones/{BACKBONE}.json", spec)
    store.write(f"heads/{DIGEST}.safetensors", CONTENT)
    write_record(store, f"heads/{DIGEST}.json", {"skill": "colour", "labels": ["red", "blue"]})
    report = {"step": "split", "key": "3f", "inputs": {"fleet": "cars"}, "report": {}, "created_at": "2026-01-01"}
    with store.scratch() as folder:
        import pandas as pd

        rows = pd.DataFrame({"photo_id": ["p1", "p2"], "set_id": ["s1", "s2"], "split": ["train", "test"]})
        write_table(rows, folder / "splits.parquet", SPLITS_COLUMNS)
        (folder / "report.json").write_text(json.dumps(report | {"duration_s": 1.0}))
        store.publish(folder, "results/split/3f")
    Memory(store, "cars").append(Assignments({"s1": "train", "s2": "test"}, {"p1": "train", "p2": "test"}))
    bento = json.dumps({"tag": "cars:1", "path": "bentos/cars/1"}).encode()
    publish(store, "bentos/cars/1", bento__yaml=CONTENT)
    packaged = report | {"step": "package", "inputs": {}, "duration_s": 1.0}
    publish(store, "results/package/4a", report__json=json.dumps(packaged).encode(), bento__json=bento)
    store.set_link("latest/split", "results/split/3f")
    write_record(store, "choices/cars/backbone.json", {"recommended": "tiny", "why": "", "chosen_at": "2026-01-01"})
    write_record(store, "runs/1/run.json", {"id": "1", "state": "succeeded"})
    write_record(store, "runs/1/progress/split.json", {"step": "split"})
    store.create("identity", b"0f" * 16)


def call(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["store", "verify", *arguments])


def test_an_intact_store_is_clean_and_all_kinds_of_object_are_known(any_store: Store) -> None:
    fill(any_store)
    outcome = verify(any_store)
    assert outcome.findings == []
    assert outcome.unknown == outcome.leftovers == []
    assert outcome.undigested == ([] if any_store.remote else ["identity"])
    assert outcome.bytes >= 5 * len(CONTENT)
    kinds = {find_kind(content.key) for content in any_store.contents().walk()}
    assert kinds == set(KINDS)


@pytest.mark.parametrize("how", [how if how in QUICK else pytest.param(how, marks=pytest.mark.slow) for how in DAMAGES])
def test_the_damage_of_every_file_is_named_and_a_repair_removes_or_restores_it(store: FolderStore, how: str) -> None:
    fill(store)
    files = Files(store)
    intact = {key: files.read(key) for key in files.list() if key != "identity"}
    for key in intact:
        if how == "removed" and not is_part(key):
            continue  # nothing refers to it: it is made again when it is needed
        files.damage(key, how)
        outcome = verify(store)
        assert any(is_of(key, named) for finding in outcome.findings for named in finding.problems), key
        assert not repair(store, outcome, RESTORE).damaged, key
        assert verify(store).findings == [], key
        shutil.rmtree(store.root / "splits")
        for name, data in intact.items():
            files.put(name, data)
        store.set_link("latest/split", "results/split/3f")


def test_damage_in_a_bucket_is_named_and_a_repair_removes_or_restores_it(in_bucket: S3Store) -> None:
    fill(in_bucket)
    files = Files(in_bucket)
    kinds: dict[str, str] = {}
    for number, key in enumerate(key for key in files.list() if not key.startswith("latest/")):
        kind = find_kind("/".join(key.split("/")[:3]).removesuffix(".tree") if is_in_tree(key) else key)
        if kind is not None and kinds.setdefault(kind.name, key) == key:
            files.damage(key, list(DAMAGES)[number % 4])
    assert len(kinds) == len(KINDS) - 1  # all but the link
    outcome = verify(in_bucket)
    for kind, key in kinds.items():
        named = [named for finding in outcome.findings if finding.kind == kind for named in finding.problems]
        assert any(is_of(key, each) for each in named), (kind, key, outcome.findings)
    repaired = repair(in_bucket, outcome, RESTORE)
    assert {finding.kind for finding in repaired.findings if finding.state == "damaged"} == set()
    assert verify(in_bucket).findings == []
    assert not in_bucket.exists("latest/split")


def is_in_tree(key: str) -> bool:
    return key.startswith(("results/", "splits/", "bentos/"))


def is_part(key: str) -> bool:
    """Return whether another file of the store says that the one at `key` must be there."""
    return (is_in_tree(key) and not key.endswith(".tree")) or key.endswith((".onnx", f"heads/{DIGEST}.safetensors"))


def is_of(file: str, named: str) -> bool:
    """Return whether a finding names a file, whose key in a bucket has the attempt at its tree in it."""
    parts = [part for part in file.split("/") if not part.startswith("@")]
    stem = file.rpartition("/")[2].partition(".")[0]
    return "/".join(parts) == named or (file.startswith(("backbones", "heads")) and stem in named)


def test_the_command_names_the_damage_and_the_way_out_and_its_status_is_1(store: FolderStore) -> None:
    fill(store)
    clean = call(store.uri)
    assert clean.exit_code == 0, clean.output
    assert "✓ Nothing is damaged." in clean.stderr
    assert "/s" in clean.stderr
    Files(store).damage("results/split/3f/splits.parquet", "a bit flipped")
    damaged = call(store.uri)
    assert damaged.exit_code == 1
    assert "result (damaged)\n  results/split/3f/splits.parquet: its SHA-256 must begin with" in damaged.stdout
    assert "Steps that read it stop. `coachworks run` makes it again." in damaged.stdout
    assert f"1 object damaged. `coachworks store verify --repair {store.uri}` removes what can be" in damaged.stderr
    repaired = call(store.uri, "--repair")
    assert repaired.exit_code == 0
    assert "1 object removed or restored, 0 left. Now run `coachworks run`." in repaired.stderr
    assert not store.exists("results/split/3f")
    assert call(store.uri).exit_code == 0


def test_the_document_of_the_command_holds_all_of_it(store: FolderStore) -> None:
    fill(store)
    store.write("mlflow/mlflow.db", b"SQLite")
    store.write("notes.txt", b"mine")
    Files(store).damage("bentos/cars/1/bento.yaml", "emptied")
    document = json.loads(call(store.uri, "--json").stdout)
    assert document["store"] == store.uri
    assert document["unknown"] == ["notes.txt"]
    assert document["foreign"] == 1
    assert document["without_digest"] == ["identity"]
    (finding,) = document["findings"]
    assert finding["key"] == "bentos/cars/1"
    assert finding["problems"] == {"bentos/cars/1/bento.yaml": "it must have 10240 bytes, and has 0"}
    assert (finding["kind"], finding["state"]) == ("bento", "damaged")
    assert (finding["consequence"], finding["way_out"]) == (
        "It can be neither served nor deployed.",
        "`coachworks run` builds it again.",
    )


def test_with_a_damaged_bento_its_result_of_package_goes_too_so_that_it_is_built_again(store: FolderStore) -> None:
    fill(store)
    Files(store).damage("bentos/cars/1/bento.yaml", "a bit flipped")
    assert call(store.uri, "--repair").exit_code == 0
    assert not store.exists("bentos/cars/1")
    assert not store.exists("results/package/4a")


def test_after_a_repair_kubeflow_s_cache_returns_no_key_of_a_removed_result(store: FolderStore) -> None:
    fill(store)
    repair(store, verify(store), RESTORE)
    before = store_identity(store)
    store.write("results/split/3f/splits.parquet", b"")
    repair(store, verify(store), RESTORE)
    assert store_identity(store) != before


def test_the_memory_of_splits_is_restored_from_the_results_or_left_to_a_person(store: FolderStore) -> None:
    fill(store)
    files = Files(store)
    before = Memory(store, "cars").read()
    files.damage("splits/cars/00000001/assignments.json", "a block zeroed")
    assert "memory of splits (restored)" in call(store.uri, "--repair").stdout
    assert Memory(store, "cars").read() == before
    files.damage("splits/cars/00000001/assignments.json", "a block zeroed")
    shutil.rmtree(store.root / "results" / "split")
    left = call(store.uri, "--repair")
    assert left.exit_code == 1
    assert "memory of splits (damaged)" in left.stdout
    assert "restore it from a backup, or remove the folder `splits` by hand" in left.stdout


def test_trees_and_records_of_earlier_versions_count_and_are_counted(store: FolderStore) -> None:
    store.write("results/train/0a/report.json", b"{}")
    store.write("runs/1/run.json", b'{"id": "1"}')
    done = call(store.uri)
    assert done.exit_code == 0
    assert "2 objects of earlier versions without a digest, such as results/train/0a: they count" in done.stderr


def test_leftovers_of_killed_processes_are_named_and_removed_and_those_of_others_stay(store: FolderStore) -> None:
    machine = this_process().machine
    left = store.root / "tmp" / f"{machine}.4194303.1-{uuid4().hex}"  # the greatest process id there can be
    left.mkdir(parents=True)
    (left / "half").write_bytes(CONTENT)
    with store.scratch() as ours:
        done = call(store.uri)
        assert done.exit_code == 0
        assert "1 leftover of killed processes, 10.2 kB: `coachworks store verify --repair " in done.stderr
        assert "10.2 kB: removed" in call(store.uri, "--repair").stderr
        assert not left.exists()
        assert ours.exists()


def test_an_interrupted_verification_goes_on_where_it_stopped_and_reads_what_changed(
    store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store)
    journal = store.root / "tmp" / "verify.jsonl"
    total = verify(store).bytes
    assert not journal.exists()
    compare = FolderContents.compare

    def interrupted(self: FolderContents, content: Content, on_read: OnRead) -> Comparison:
        if content.key.startswith("runs/"):
            raise KeyboardInterrupt
        return compare(self, content, on_read)

    monkeypatch.setattr(FolderContents, "compare", interrupted)
    stopped = call(store.uri)
    assert stopped.exit_code == 130
    assert "Interrupted. `coachworks store verify` goes on where it stopped." in stopped.stderr
    monkeypatch.setattr(FolderContents, "compare", compare)
    kept = journal.read_bytes()
    photo = f"photos/{DIGEST[:2]}/{DIGEST}.jpg"
    assert photo in kept.decode()
    outcome = verify(store)
    assert outcome.continued > 3
    assert outcome.bytes < total
    assert outcome.findings == []
    journal.write_bytes(kept + b'["object", "pho')  # killed while it wrote
    Files(store).damage(photo, "a bit flipped")
    assert [finding.content.key for finding in verify(store).findings] == [photo]
    journal.write_bytes(kept)
    assert verify(store, fresh=True).continued == 0


def test_the_store_of_a_fleet_file_is_verified_and_a_place_that_is_none_is_refused(
    store: FolderStore, tmp_path: Path
) -> None:
    fill(store)
    (tmp_path / "fleet.yaml").write_text(fleet_text({"colour": {"labels": ["red", "blue"]}}, store=store.uri))
    assert f"of {store.uri} compared" in call(str(tmp_path / "fleet.yaml")).stderr
    refused = CliRunner().invoke(cli, ["store", "verify", str(tmp_path / "nowhere")])
    assert isinstance(refused.exception, NotFoundError)
    assert "STORE must be a folder, s3://bucket/prefix or a fleet file; there is no " in str(refused.exception)


def test_nothing_is_repaired_while_a_run_is_in_progress(store: FolderStore) -> None:
    fill(store)
    with acquire(store, run_lease("toys"), "run 1").renewed():
        refused = CliRunner().invoke(cli, ["store", "verify", "--repair", store.uri])
        assert isinstance(refused.exception, CoachworksError)
        assert "run 1, by " in str(refused.exception)
        assert call(store.uri).exit_code == 0
