"""Damage to every kind of object in a finished store: the next run comes to the same, or names it and a way out."""

import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from damage import DAMAGES, Files
from toy_fleet import prepare_toys

import components
from coachworks.cli.main import cli
from coachworks.errors import DamagedError
from coachworks.fleet.model import Fleet
from coachworks.fleet.reader import read_fleet
from coachworks.result import Result
from coachworks.results import ancestor, load
from coachworks.steps import CHAIN, Step, discover
from coachworks.store import FolderStore, Store, open_store
from coachworks.store.contents import LINK_FORM, TREE_FORM
from coachworks.tables import read_table
from coachworks.tracking import open_client, tracking_of
from coachworks.verify import KINDS, find_kind, verify
from coachworks.verify.kinds import FOREIGN
from components.package.report import PackageReport
from s3_server import S3Server
from serving.bundle import load_bundle
from serving.predictor import Predictor

pytestmark = [pytest.mark.hostile, pytest.mark.timeout(900)]

STEPS = [step for step in discover(components) if step.name != "deploy"]  # that one needs a cluster
# What must be made again before an object of a kind is read: the folders of what is made from it.
READERS = {
    "photo": ["features"],
    "index of files": [],
    "index of photos": [],
    "memory of splits": ["results/split"],
    "features": ["results/train"],
    "backbone": ["features"],
    "ONNX file": ["features"],
    "head": ["results/package", "bentos"],
    "manifest of a head": ["results/package", "bentos"],
}
# Read by commands that show or serve, and by no step of a run.
UNREAD = {"bento", "record of a run", "link", "identity of the store"}


def do(step: Step, fleet: Fleet, upstream: str | None) -> Result[Any]:
    if upstream is None:
        return step.function()(fleet)
    if step.per_lane:
        return step.function()(fleet, upstream, fleet.lanes()[0])
    return step.function()(fleet, [upstream] if step.joins_lanes else upstream)


def chain(fleet: Fleet) -> dict[str, str]:
    """Run all steps in this process; return the keys of their results."""
    keys: dict[str, str] = {}
    for step in STEPS:
        keys[step.name] = do(step, fleet, next(reversed(keys.values()), None)).key
    return keys


def outcome_of_chain(fleet: Fleet) -> dict[str, str] | DamagedError:
    """Run all steps in this process; return the keys of their results, or the damage that stopped them."""
    try:
        return chain(fleet)
    except DamagedError as err:
        return err


def registered(fleet: Fleet) -> dict[str, str]:
    """Return the digest of the head of each registered version, the champions marked."""
    client = open_client(tracking_of(fleet))
    return {
        f"{version.name} {version.version} {sorted(version.aliases)}": version.tags["head_digest"]
        for version in client.search_model_versions()
    }


@dataclass
class Finished:
    """A finished store.

    Attributes:
        fleet: The fleet.
        store: Its store.
        keys: Keys of the results.
        registered: What is registered.
        backup: Copy of all but MLflow's files.
    """

    fleet: Fleet
    store: Store
    keys: dict[str, str]
    registered: dict[str, str]
    backup: dict[str, bytes]

    def restore(self) -> None:
        """Bring the store back to what it was."""
        files = Files(self.store)
        for key in files.list():
            if key not in self.backup and not FOREIGN.fullmatch(key):
                files.put(key, None)
        present = set(files.list())
        for key, data in self.backup.items():
            if key not in present or files.read(key) != data:
                files.put(key, data)
        for step, key in self.keys.items():
            self.store.set_link(f"latest/{step}", f"results/{step}/{key}")

    def file_of(self, kind: str, step: str = "") -> str:
        """Choose a file of a kind, the same every time; of results, one of the step's."""
        folder = {"result": f"results/{step}/{self.keys.get(step)}/"}.get(kind, "")
        keys = [key for key in self.backup if key.startswith(folder) and kind_of(key) == kind and ".tree" not in key]
        return random.Random(kind + step).choice(keys)  # noqa: S311 — nothing secret

    def clear(self, folder: str) -> None:
        """Remove all that lies under a folder."""
        files = Files(self.store)
        for key in files.list():
            if key.startswith(f"{folder}/"):
                files.put(key, None)
        if isinstance(self.store, FolderStore):
            shutil.rmtree(self.store.root / folder, ignore_errors=True)


def kind_of(file: str) -> str | None:
    """Return the kind of the object or tree that a file belongs to."""
    in_tree = file.startswith(("results/", "splits/", "bentos/"))
    kind = find_kind("/".join(file.split("/")[:3]).removesuffix(".tree") if in_tree else file)
    return kind.name if kind else None


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory, converted: FolderStore, empty_database: Path) -> Fleet:
    """The small fleet, run to its end in a folder."""
    folder = prepare_toys(tmp_path_factory.mktemp("damage"), converted, empty_database, things=36)
    file = folder / "fleet.yaml"
    # Two candidates: the steps are done again for each case.
    file.write_text(file.read_text().replace("  skills:\n", "  defaults: {candidates: [linear, knn]}\n  skills:\n"))
    fleet = read_fleet(file)
    chain(fleet)
    return fleet


@pytest.fixture(scope="module")
def cases(toys: Fleet, s3_server: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Finished]]:
    """The finished store in a folder, and in a bucket."""
    with pytest.MonkeyPatch.context() as patch:
        s3_server.lead_to(patch)
        patch.setenv("COACHWORKS_CACHE", str(tmp_path_factory.mktemp("cache")))
        s3_server.make_bucket("damaged")
        bucket = open_store("s3://damaged/store")
        folder = open_store(toys.spec.store)
        assert isinstance(folder, FolderStore)
        _copy(folder, bucket)
        spec = toys.spec.model_copy(update={"store": bucket.uri, "tracking": tracking_of(toys).uri})
        fleets = {"folder": toys, "bucket": toys.model_copy(update={"spec": spec})}
        yield {name: _finished(fleet) for name, fleet in fleets.items()}


def _finished(fleet: Fleet) -> Finished:
    store = open_store(fleet.spec.store)
    keys = chain(fleet)
    files = Files(store)
    backup = {key: files.read(key) for key in files.list() if not FOREIGN.fullmatch(key) and not key.startswith("tmp")}
    return Finished(fleet, store, keys, registered(fleet), backup)


def _copy(source: FolderStore, target: Store) -> None:
    for content in source.contents().walk():
        if FOREIGN.fullmatch(content.key):
            continue
        if content.form == TREE_FORM:
            with target.scratch() as folder:
                shutil.copytree(source.root / content.key, folder, dirs_exist_ok=True)
                (folder / ".tree").unlink()
                target.publish(folder, content.key)
        elif content.form == LINK_FORM:
            target.set_link(content.key, source.resolve_link(content.key))
        else:
            target.write(content.key, source.read(content.key))


def assert_served_as_documented(case: Finished) -> None:
    """Assert that the packaged models give the answers whose accuracy is in the documents."""
    packaged = load(case.store, PackageReport, case.keys["package"])
    evaluated = ancestor(case.store, packaged, "evaluate")
    catalogue = read_table(ancestor(case.store, packaged, "ingest").path / "catalogue.parquet")
    uris = dict(zip(catalogue["photo_id"], catalogue["uri"], strict=True))
    predictor = Predictor(load_bundle(packaged.path / "bundle"))
    for skill in packaged.report.skills:
        recorded = read_table(evaluated.path / skill / "predictions.parquet")
        photos = [case.store.read(uris[photo_id]) for photo_id in recorded["photo_id"]]
        answers = [answer[skill].label for answer in predictor.answer(photos, [skill], probabilities=True)]
        assert answers == recorded["predicted"].tolist()


READ = [(kind, "") for kind in READERS] + [("result", step.name) for step in STEPS[:-1]]


def test_every_kind_of_object_is_attacked() -> None:
    assert {kind.name for kind in KINDS} == READERS.keys() | UNREAD | {"result"}


@pytest.mark.parametrize("place", ["folder", "bucket"])
@pytest.mark.parametrize(("kind", "step"), READ)
def test_a_step_that_reads_damage_names_it_and_registers_nothing_or_comes_to_the_same(
    cases: dict[str, Finished], place: str, kind: str, step: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    case = cases[place]
    monkeypatch.setenv("COACHWORKS_CACHE", str(tmp_path / "cache"))
    how = list(DAMAGES)[(READ.index((kind, step)) + (place == "bucket")) % 4]
    file = case.file_of(kind, step)
    after = list(CHAIN)[list(CHAIN).index(step) + 1] if step else ""
    try:
        for folder in READERS.get(kind, [f"results/{after}"]):
            case.clear(folder)
        Files(case.store).damage(file, how)
        outcome = outcome_of_chain(case.fleet)
        if isinstance(outcome, DamagedError):
            assert file.rpartition("/")[2] in outcome.key, (how, str(outcome))
            assert f"`coachworks store verify --repair {case.store.uri}`" in str(outcome)
        else:
            assert outcome == case.keys, (file, how)
        assert registered(case.fleet) == case.registered
    finally:
        case.restore()


# What a run puts right by itself, without a message.
HEALED = ("features", "backbone", "ONNX file", "head", "manifest of a head")


@pytest.mark.parametrize("place", ["folder", "bucket"])
def test_a_run_puts_damaged_parts_of_models_right_by_itself(
    cases: dict[str, Finished], place: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, measured: Any
) -> None:
    """Damage one file of each kind at once, and let the steps that read them do their work again."""
    case = cases[place]
    monkeypatch.setenv("COACHWORKS_CACHE", str(tmp_path / "cache"))
    try:
        for folder in ("results/train", "results/evaluate", "results/package", "bentos"):
            case.clear(folder)
        for number, kind in enumerate(HEALED):
            Files(case.store).damage(case.file_of(kind), list(DAMAGES)[number % 4])
        assert chain(case.fleet) == case.keys
        assert registered(case.fleet) == case.registered
        assert_served_as_documented(case)
        assert not verify(case.store).damaged
    finally:
        case.restore()
    measured(
        f"a shard of features, the converted backbone and a champion's head damaged in a {place}",
        "the next run makes them again: the same champions, which answer as their documents say",
        f"{len(HEALED)} of {len(HEALED)} files",
    )


@pytest.mark.parametrize("place", ["folder", "bucket"])
def test_the_way_out_leads_to_a_healthy_store_with_the_same_models(
    cases: dict[str, Finished], place: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, measured: Any
) -> None:
    """Damage an object of every kind and of every step's results at once, then do as the messages say."""
    case = cases[place]
    monkeypatch.setenv("COACHWORKS_CACHE", str(tmp_path / "cache"))
    files = Files(case.store)
    kinds = [("result", step.name) for step in STEPS] + [
        (kind.name, "")
        for kind in KINDS
        if any(kind_of(key) == kind.name for key in case.backup) and kind.name != "result"
    ]
    damaged = {case.file_of(kind, step): list(DAMAGES)[number % 4] for number, (kind, step) in enumerate(kinds)}
    try:
        for file, how in damaged.items():
            files.damage(file, how)
        outcome = verify(case.store)
        named = " ".join(key for finding in outcome.findings for key in finding.problems)
        assert [file for file in damaged if file.rpartition("/")[2].removesuffix(".link") not in named] == []
        repaired = CliRunner().invoke(cli, ["store", "verify", "--repair", case.store.uri])
        assert repaired.exit_code == 0, repaired.output
        assert chain(case.fleet) == case.keys
        assert registered(case.fleet) == case.registered
        assert_served_as_documented(case)
        again = CliRunner().invoke(cli, ["store", "verify", case.store.uri])
        assert again.exit_code == 0, again.output
    finally:
        case.restore()
    measured(
        f"{len(damaged)} files of a finished store in a {place} damaged: a bit flipped, a block zeroed, cut, emptied",
        "each is named; after `store verify --repair` and a run, the store is intact and the champions are the same",
        f"{len(damaged)} of {len(damaged)} named, {len(outcome.findings)} removed or restored",
    )
