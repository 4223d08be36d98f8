"""Unused models of a store: real stores and registries, and releases that keep the values a test sets."""

import json
import os
import sqlite3
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from registered import Registry, fleet_of

from coachworks.context import Context
from coachworks.errors import CoachworksError, NotFoundError, TransientError
from coachworks.progress import StoreProgress
from coachworks.results import produce
from coachworks.runs import Run, mark_cancelled, new_run, record_remote, start_run
from coachworks.store import FolderStore
from components.deploy.models.deployment_tags import Deployment, record_deployed
from components.deploy.models.retention import find_unused
from components.deploy.models.stored_models import stored_models
from deploy_values import fleet, manifest, values_of

BACKBONE, OTHER = "ab" * 32, "cd" * 32  # the first is that of `values_of` and `manifest`
WEEK = timedelta(days=7)
HERE = "models/showroom"


def head(number):
    """The digest that `values_of` gives a version's head."""
    return f"{number:064x}"


@dataclass
class Release:
    """A Helm release: the values of the revisions that are kept, or why they cannot be read."""

    kept: dict = field(default_factory=dict)
    meanwhile: Callable[[], object] = lambda: None

    def history(self):
        self.meanwhile()
        return [SimpleNamespace(number=number) for number in self.kept]

    def values(self, revision=None):
        if isinstance(self.kept[revision], Exception):
            raise self.kept[revision]
        return self.kept[revision]


class Shop:
    """A fleet's store and registry, and the releases of a cluster."""

    def __init__(self, folder, empty_database):
        self.fleet, self.store = fleet_of(folder), FolderStore(folder)
        self.registry = Registry.embedded(self.fleet, empty_database)
        self.releases, self.asked = {}, []

    def put(self, key, content, days):
        self.store.write(key, content)
        when = time.time() - days * 86400
        os.utime(self.store.root / key, (when, when))

    def put_head(self, digest, *, skill="view", of="showroom", backbone=BACKBONE, days=30):
        description = {"skill": skill, "backbone_digest": backbone, "provenance": {"fleet": of}}
        self.put(f"heads/{digest}.safetensors", b"weights", days)
        self.put(f"heads/{digest}.json", json.dumps(description).encode(), days)

    def put_backbone(self, digest, *, days=30):
        self.put(f"backbones/{digest}.onnx", b"network", days)
        self.put(f"backbones/{digest}.json", json.dumps({"name": "efficientnet-lite0"}).encode(), days)

    def alias(self, numbers):
        """Versions of `view` with those numbers have an alias, and no others."""
        model, client = f"{self.fleet.name}.view", self.registry.client
        for alias in client.get_registered_model(model).aliases:
            client.delete_registered_model_alias(model, alias)
        for number in numbers:
            client.set_registered_model_alias(model, f"kept-{number}", str(number))

    def package(self, **versions):
        def build(folder):
            if versions:
                (folder / "bundle").mkdir()
                (folder / "bundle" / "manifest.json").write_text(manifest(**versions).to_json())
            return {"skills": versions}

        produce("package", {"of": versions}, build, context=Context(self.store), code="")

    def deployed(self, revision, version):
        deployment = Deployment(
            namespace="far", release="cars", revision=revision, release_digest="0f" * 6, at="2026-03-01", by="Ada"
        )
        record_deployed(self.fleet, deployment, {"view": version})

    def find_unused(self, *, cluster=True, older_than=WEEK):
        def release_of(namespace, name):
            self.asked.append(f"{namespace}/{name}")
            return self.releases.get(self.asked[-1], Release())

        return find_unused(self.store, self.fleet, release_of if cluster else None, ["models"], older_than=older_than)

    def prune(self, **kwargs):
        """Remove the unused models."""
        retention = self.find_unused(**kwargs)
        for model in retention.unused:
            model.remove(self.store)
        return retention

    def files(self):
        return {key for folder in ("heads", "backbones") for key in self.store.list(folder)}

    def reasons(self, **kwargs):
        """Reasons to keep each model, by digest."""
        return {entry.model.digest: entry.kept_because for entry in self.find_unused(**kwargs).models}


def files_of(*heads, backbones=()):
    kept = {f"heads/{digest}.{suffix}" for digest in heads for suffix in ("json", "safetensors")}
    return kept | {f"backbones/{digest}.{suffix}" for digest in backbones for suffix in ("json", "onnx")}


@pytest.fixture(scope="module", autouse=True)
def no_server():
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        yield


@pytest.fixture
def shop(tmp_path, empty_database):
    """Heads 1 to 3, versions 1 to 3 of `view`, and their backbone: old, and nothing names any."""
    shop = Shop(tmp_path / "store", empty_database)
    shop.put_backbone(BACKBONE)
    for number in (1, 2, 3):
        shop.put_head(head(number))
        shop.registry.add("view", head(number), backbone_digest=BACKBONE)
    return shop


def test_what_nothing_names_goes_and_nothing_else(shop):
    shop.store.write("photos/3f/3f2a.jpg", b"photo")
    shop.put("heads/README.md", b"by hand", days=30)
    shop.put("heads/short.json", b"{}", days=30)
    retention = shop.prune()
    assert [entry.versions for entry in retention.models] == [("view v1",), ("view v2",), ("view v3",), ()]
    assert shop.files() == {"heads/README.md", "heads/short.json"}
    assert shop.store.exists("photos/3f/3f2a.jpg")
    assert shop.registry.tags("view", "1")["head_digest"] == head(1)


def test_backbones_go_after_the_heads_that_read_them_and_what_tells_of_a_model_goes_before_its_weights(shop):
    unused = shop.find_unused().unused
    assert [model.kind for model in unused] == ["head", "head", "head", "backbone"]
    assert unused[0].keys == (f"heads/{head(1)}.json", f"heads/{head(1)}.safetensors")
    assert unused[-1].keys == (f"backbones/{BACKBONE}.json", f"backbones/{BACKBONE}.onnx")


def test_what_a_kept_revision_of_a_release_names_stays(shop):
    shop.releases[HERE] = Release(
        {number: values_of(view=view).to_json() for number, view in ((4, "1"), (5, "2"), (6, "2"))}
    )
    retention = shop.prune()
    assert shop.files() == files_of(head(1), head(2), backbones=[BACKBONE])
    assert retention.revisions == {HERE: 3}
    reasons = {entry.model.digest: entry.kept_because for entry in retention.models}
    assert reasons[head(1)] == f"release {HERE}, revision 4"
    assert reasons[head(2)] == f"release {HERE}, revision 6, and 1 more"


def test_what_an_alias_names_stays_also_for_a_skill_that_the_fleet_file_no_longer_names(shop):
    shop.put_head(head(9), skill="wheel")
    shop.registry.add("wheel", head(9), "champion")
    shop.alias({1})
    reasons = {entry.model.digest: entry.kept_because for entry in shop.prune().models}
    assert shop.files() == files_of(head(1), head(9), backbones=[BACKBONE])
    assert (reasons[head(1)], reasons[head(2)], reasons[head(9)]) == ("kept-1 of view", "", "champion of wheel")


def test_the_backbone_of_a_version_with_an_alias_stays_also_where_its_head_no_longer_tells_of_it(shop):
    shop.alias({1})
    shop.store.remove(f"heads/{head(1)}.json")
    shop.prune()
    assert shop.files() == {f"heads/{head(1)}.safetensors", *files_of(backbones=[BACKBONE])}


def test_what_the_newest_package_names_stays(shop):
    shop.package(view="1")
    shop.package(view="2")
    reasons = {entry.model.digest: entry.kept_because for entry in shop.prune().models}
    assert shop.files() == files_of(head(2), backbones=[BACKBONE])
    assert reasons[head(2)] == "the latest package"


def test_the_backbone_that_the_pipeline_used_last_stays_and_the_one_before_goes(shop):
    shop.put_backbone(OTHER)
    for backbone in (BACKBONE, OTHER):
        report = {"backbone_digest": backbone}
        produce("embed", report, lambda _, report=report: report, context=Context(shop.store), code="")
    assert shop.prune().models[-1].kept_because == "the latest run's backbone"
    assert shop.files() == files_of(backbones=[OTHER])


def test_a_backbones_graphs_with_other_feature_groups_stay_and_go_with_it(shop):
    shop.put(f"backbones/{OTHER}.onnx", b"network", 30)
    shop.put(f"backbones/{OTHER}.json", json.dumps({"name": "lite0", "digest": BACKBONE, "groups": []}).encode(), 30)
    shop.alias({1})
    assert shop.reasons()[OTHER] == "kept-1 of view"
    shop.prune()
    assert shop.files() == files_of(head(1), backbones=[BACKBONE, OTHER])
    shop.alias({})
    shop.prune()
    assert shop.files() == set()


def test_the_young_stay_and_their_backbone_with_them(shop):
    shop.put_head(head(8))
    shop.put(f"heads/{head(8)}.safetensors", b"weights", days=6.9)
    shop.put_head(head(9), days=7.1)
    shop.put_backbone(OTHER, days=0)
    reasons = shop.reasons()
    assert reasons[head(8)] == reasons[OTHER] == "it is young"
    assert reasons[BACKBONE] == "1 head that is kept reads it"
    assert shop.reasons(older_than=timedelta(days=8))[BACKBONE] == "2 heads that are kept read it"
    shop.prune()
    assert shop.files() == files_of(head(8), backbones=[BACKBONE, OTHER])
    shop.prune(older_than=timedelta(0))
    assert shop.files() == set()


def test_what_another_fleet_left_in_the_store_stays(shop):
    shop.put_head(head(9), of="trucks", backbone=OTHER)
    shop.put_backbone(OTHER)
    assert shop.reasons()[head(9)] == "it belongs to the fleet trucks"
    shop.prune()
    assert shop.files() == files_of(head(9), backbones=[OTHER])


def test_what_was_half_removed_goes_and_what_does_not_say_whose_it_is_stays(shop):
    shop.store.remove(f"heads/{head(1)}.json")
    shop.put(f"heads/{head(2)}.json", b"\xff{", days=30)
    shop.put(f"heads/{head(3)}.json", b"[]", days=30)
    assert {model.name for model in stored_models(shop.store) if model.kind == "head"} == {""}
    shop.prune()
    assert shop.files() == files_of(head(2), head(3))


def test_what_is_removed_meanwhile_is_not_there(shop, monkeypatch):
    listed = list(shop.store.list("heads"))
    shop.store.remove(f"heads/{head(1)}.safetensors")
    monkeypatch.setattr(shop.store, "list", lambda prefix: iter(listed if prefix == "heads" else []))
    assert [model.digest for model in stored_models(shop.store)] == [head(2), head(3)]


def test_a_release_that_only_mlflow_tells_of_is_asked_too(shop):
    shop.deployed(1, "1")
    shop.releases["far/cars"] = Release({7: values_of(view="2").to_json()})
    retention = shop.prune()
    assert set(shop.asked) == {HERE, "far/cars"}
    assert retention.revisions == {HERE: 0, "far/cars": 1}
    assert shop.files() == files_of(head(1), head(2), backbones=[BACKBONE])


def test_a_version_that_was_replaced_goes_only_where_the_cluster_was_asked(shop):
    shop.deployed(1, "1")
    shop.deployed(2, "2")
    reasons = shop.reasons(cluster=False)
    assert reasons[head(1)] == "MLflow: view v1 is deployed as far/cars"
    assert reasons[head(2)] == "MLflow: view v2 is deployed as far/cars"
    assert reasons[head(3)] == ""
    assert shop.find_unused(cluster=False).revisions == {}
    assert shop.asked == []
    shop.prune()
    assert shop.files() == files_of(head(2), backbones=[BACKBONE])


def test_the_fleet_s_own_name_for_its_release_is_asked_for(shop):
    spec = shop.fleet.spec
    deploy = spec.deploy.model_copy(update={"release": "cars"})
    shop.fleet = shop.fleet.model_copy(update={"spec": spec.model_copy(update={"deploy": deploy})})
    shop.releases["models/cars"] = Release({1: values_of(view="3").to_json()})
    shop.prune()
    assert shop.asked == ["models/cars"]
    assert shop.files() == files_of(head(3), backbones=[BACKBONE])


def refused(shop, error, match, **kwargs):
    """Check that pruning fails and removes no model."""
    before = shop.files()
    with pytest.raises(error, match=match):
        shop.prune(**kwargs)
    assert shop.files() == before


def test_while_a_run_is_at_work_all_stays(shop):
    message = r"the run {} is in progress on .*store, .* Wait for it, or stop it; `coachworks status --run {}` shows it"
    record_remote(shop.store, "kfp-1", shop.fleet.to_json(), [])
    refused(shop, CoachworksError, message.replace("{}", "kfp-1"))
    mark_cancelled(shop.store, "kfp-1")
    shop.find_unused()
    local = start_run(shop.store, new_run(shop.fleet.to_json(), []))
    refused(shop, CoachworksError, message.replace("{}", local.id))


def test_a_run_that_began_while_releases_were_read_is_noticed(shop):
    shop.releases[HERE] = Release(meanwhile=lambda: record_remote(shop.store, "kfp-2", shop.fleet.to_json(), []))
    refused(shop, CoachworksError, "the run kfp-2 is in progress")


def test_a_run_that_has_been_silent_for_a_day_is_taken_for_dead_and_named(shop):
    for name, days in (("kfp-old", 1.1), ("kfp-long", 3)):
        Run(id=name, fleet="", lanes=[], started_at=time.time() - days * 86400).save(shop.store)
    assert set(shop.find_unused().silent_runs) == {"kfp-old", "kfp-long"}
    StoreProgress(shop.store, "runs/kfp-long/progress/train.json", step="train")
    refused(shop, CoachworksError, "the run kfp-long is in progress")


def test_a_local_run_whose_process_is_gone_holds_nothing_up(shop):
    gone = subprocess.Popen(["true"])
    gone.wait()
    Run(id="20260101-000000-abcdef", fleet="", lanes=[], started_at=time.time(), pid=gone.pid).save(shop.store)
    assert shop.find_unused().silent_runs == ()


def test_where_a_release_cannot_be_read_all_stays_and_the_way_out_is_said(shop):
    shop.releases[HERE] = Release({1: TransientError("the cluster does not answer. Try again.")})
    refused(
        shop,
        CoachworksError,
        r"the release models/showroom cannot be read, so nothing is removed: the cluster does not answer\. Try again\. "
        r"Where the fleet is on no cluster, say so with `--no-cluster`\.$",
    )


def test_where_a_revision_goes_while_it_is_read_all_stays(shop):
    shop.releases[HERE] = Release({1: NotFoundError("release: not found"), 2: values_of(view="1").to_json()})
    refused(shop, TransientError, r"the release models/showroom changed while it was read\. Run again\.")


def test_where_mlflow_does_not_answer_all_stays(shop, monkeypatch):
    monkeypatch.setenv("COACHWORKS_TRACKING_PATIENCE_S", "0")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    refused(shop, TransientError, r"http://127\.0\.0\.1:9 does not answer .*Check the address in `spec\.tracking`")


def test_a_tracking_store_that_knows_none_of_the_fleet_s_models_is_not_believed(shop, tmp_path, empty_database):
    known = (
        r"the store holds 3 heads of the fleet 'showroom', and the tracking store sqlite:.* holds none of its models"
    )
    shop.fleet = fleet_of(shop.store.root, f"sqlite:///{empty_database}")
    refused(shop, CoachworksError, rf"{known}.*nothing is removed\. Name the tracking store that the fleet records to")
    shop.fleet = fleet_of(shop.store.root, f"sqlite:///{tmp_path / 'none.db'}")
    refused(shop, CoachworksError, known, cluster=False)
    assert not (tmp_path / "none.db").exists()


def test_a_store_without_models_needs_no_tracking_store(tmp_path):
    store = FolderStore(tmp_path / "store")
    assert find_unused(store, fleet_of(store.root), None, [], older_than=WEEK).models == ()


def test_an_alias_that_moved_while_it_was_read_is_an_error(shop):
    shop.alias({1})
    with sqlite3.connect(shop.store.root / "mlflow" / "mlflow.db") as database:
        database.execute("UPDATE registered_model_aliases SET version = 9")
    refused(shop, TransientError, r"'showroom\.view' changed while it was read\. Run again\.")


NUMBERS = range(1, 6)
BACKBONES = {number: BACKBONE if number < 4 else OTHER for number in NUMBERS}
FIVE = fleet(skills={f"skill-{number}": {} for number in NUMBERS})
numbers = st.sets(st.sampled_from(NUMBERS))
versions = numbers.map(lambda some: {f"skill-{number}": str(number) for number in some})


@pytest.fixture(scope="module")
def five(tmp_path_factory, empty_database):
    """Versions 1 to 5 of `view`, whose heads the store lacks."""
    shop = Shop(tmp_path_factory.mktemp("five") / "store", empty_database)
    for number, backbone in BACKBONES.items():
        shop.registry.add("view", head(number), backbone_digest=backbone)
    return shop


@settings(deadline=None, max_examples=20)
@given(aliased=numbers, revisions=st.lists(versions.filter(bool), max_size=3), packaged=versions, young=numbers)
def test_no_model_goes_that_a_revision_an_alias_or_the_package_names_and_all_others_do(
    five, aliased, revisions, packaged, young
):
    for number, backbone in BACKBONES.items():
        five.put_head(head(number), backbone=backbone, days=0 if number in young else 30)
        five.put_backbone(backbone)
    five.alias(aliased)
    five.releases[HERE] = Release({place: values_of(FIVE, **named).to_json() for place, named in enumerate(revisions)})
    five.package(**packaged)
    five.prune()
    kept = aliased | young | {int(version) for named in (packaged, *revisions) for version in named.values()}
    backbones = {BACKBONES[number] for number in kept} | ({BACKBONE} if revisions or packaged else set())
    assert five.files() == files_of(*map(head, kept), backbones=backbones)
