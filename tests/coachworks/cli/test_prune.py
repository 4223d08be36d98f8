"""`coachworks prune`: what it says, what it removes, and what it refuses."""

import json
import os
import re
import time
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from registered import Registry
from small_fleets import fleet_text

from coachworks.cli.main import cli, main
from coachworks.errors import CoachworksError
from coachworks.fleet.reader import read_fleet
from coachworks.leases import HeldError, acquire, run_lease
from coachworks.run_exclusion import begin_alone
from coachworks.runs import Run, new_run, record_remote
from coachworks.store import FolderStore
from kubernetes_server import kubernetes_server, write_kubeconfig

SKILLS = {"view": {"labels": ["front", "rear"]}}
USED, UNUSED, BACKBONE = "1" * 64, "2" * 64, "b" * 64


@pytest.fixture
def store(tmp_path, empty_database, monkeypatch):
    """The store of ./fleet.yaml: the champion's head, an older version's, and a backbone, all 30 days old."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("HELM_KUBECONTEXT", raising=False)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "no kubeconfig"))
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "photos").mkdir()
    (tmp_path / "fleet.yaml").write_text(fleet_text(SKILLS))
    store = FolderStore(tmp_path / "store")
    registry = Registry.embedded(read_fleet(tmp_path / "fleet.yaml"), empty_database)
    registry.add("view", UNUSED)
    registry.add("view", USED, "champion")
    for digest in (USED, UNUSED):
        description = {"skill": "view", "backbone_digest": BACKBONE, "provenance": {"fleet": "showroom"}}
        store.write(f"heads/{digest}.json", json.dumps(description).encode())
        store.write(f"heads/{digest}.safetensors", bytes(2000 - len(store.read(f"heads/{digest}.json"))))
    store.write(f"backbones/{BACKBONE}.json", json.dumps({"name": "efficientnet-lite0"}).encode())
    store.write(f"backbones/{BACKBONE}.onnx", bytes(1_700_000))
    before = time.time() - 30 * 86400
    for key in files(store):
        os.utime(store.root / key, (before, before))
    return store


def files(store):
    return [key for folder in ("backbones", "heads") for key in store.list(folder)]


def prune(*arguments):
    done = CliRunner().invoke(cli, ["prune", *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done


def refused(*arguments):
    """Error message of a command that removes no model."""
    with pytest.raises(CoachworksError) as caught:
        CliRunner().invoke(cli, ["prune", *arguments], catch_exceptions=False)
    return str(caught.value)


def test_a_dry_run_says_what_would_go_and_removes_nothing(store):
    before = files(store)
    done = prune("--dry-run", "--no-cluster")
    assert files(store) == before
    assert "Would remove 1 of 3 models, 2.0 kB of 1.7 MB; --dry-run removes nothing." in done.stderr
    assert re.search(rf"head +view v1 +{UNUSED[:12]} +2\.0 kB +30 d ago +unused: nothing refers to it", done.stdout)
    assert re.search(rf"head +view v2 +{USED[:12]} +2\.0 kB +30 d ago +kept: champion of view", done.stdout)
    assert re.search(r"backbone +efficientnet-lite0 +b{12} +1\.7 MB +30 d ago +kept: 1 head", done.stdout)


def test_what_is_unused_is_removed_and_nothing_else(store):
    before = files(store)
    assert "Removed 1 of 3 models, 2.0 kB of 1.7 MB." in prune("--no-cluster").stderr
    assert set(before) - set(files(store)) == {f"heads/{UNUSED}.json", f"heads/{UNUSED}.safetensors"}
    assert "Removed 0 of 2 models, 0 B of 1.7 MB." in prune("--no-cluster").stderr


def test_how_old_a_model_must_be_is_for_people_to_say(store):
    before = files(store)
    assert "kept: it is young" in prune("--no-cluster", "--older-than", "31d").stdout
    assert files(store) == before
    prune("--no-cluster", "--older-than", "4w")
    assert files(store) != before


def test_an_age_without_a_unit_is_refused(store):
    done = CliRunner().invoke(cli, ["prune", "--no-cluster", "--older-than", "30"])
    assert done.exit_code == 2
    assert "must be a number with a unit, as 7d, 12h, 30m or 2w; got '30'" in done.stderr


@pytest.mark.parametrize("flags", [["--dry-run"], []])
def test_scripts_get_one_document(store, flags):
    models = json.loads(prune("--no-cluster", "--json", *flags).stdout)["models"]
    documents = {model.pop("digest"): model for model in models}
    assert documents[UNUSED].pop("written_at")[:4].isdigit()
    assert documents[UNUSED] == {
        "kind": "head",
        "of": "view v1",
        "versions": ["view v1"],
        "bytes": 2000,
        "kept_because": None,
        "removed": not flags,
    }
    assert (documents[USED]["kept_because"], documents[USED]["removed"]) == ("champion of view", False)
    assert (documents[BACKBONE]["kind"], documents[BACKBONE]["of"]) == ("backbone", "efficientnet-lite0")
    assert store.exists(f"heads/{UNUSED}.json") == bool(flags)


def test_a_store_without_models_has_no_table(store):
    for key in files(store):
        store.remove(key)
    done = prune("--no-cluster")
    assert done.stdout == ""
    assert "Removed 0 of 0 models, 0 B of 0 B." in done.stderr


@pytest.mark.parametrize("flags", [["--dry-run"], []])
def test_where_no_cluster_is_named_nothing_goes_and_the_way_out_is_said(store, flags):
    before = files(store)
    message = refused(*flags)
    assert message.startswith(
        "the fleet's releases cannot be read from the cluster, so nothing is removed: no Kubernetes cluster is "
        "configured."
    )
    assert message.endswith("Where the fleet is on no cluster, say so with `--no-cluster`.")
    assert files(store) == before


def test_a_cluster_that_does_not_answer_keeps_all(store, tmp_path, monkeypatch):
    before = files(store)
    write_kubeconfig(tmp_path / "kubeconfig", "http://127.0.0.1:9")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    assert re.match(r"the fleet's releases cannot be read .*does not answer .*`--no-cluster`\.$", refused())
    assert files(store) == before


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """A cluster whose releases are `namespace/name` -> the values of the revisions that are kept."""
    releases = {}

    def release_of(namespace, name):
        kept = releases.setdefault(f"{namespace}/{name}", [])
        return SimpleNamespace(
            history=lambda: [SimpleNamespace(number=number) for number in range(len(kept))],
            values=lambda revision: kept[revision],
        )

    monkeypatch.setattr("components.deploy.helm.client.Helm", release_of)
    with kubernetes_server() as objects:
        objects["/version"] = {"gitVersion": "v1.34.4"}
        write_kubeconfig(tmp_path / "kubeconfig", objects.address, namespace="of-context")
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
        yield releases


def test_the_fleet_s_release_is_asked_and_how_many_revisions_it_has_is_said(store, cluster):
    cluster["of-context/showroom"] = [{"skills": {"view": {"model": {"head_sha256": UNUSED}}}}, {}]
    before = files(store)
    done = prune()
    assert files(store) == before
    assert (
        "Release of-context/showroom has 2 revisions; Helm keeps up to 40 (spec.deploy.keepRevisions).\n" in done.stderr
    )
    assert "kept: release of-context/showroom, revision 0" in done.stdout
    assert json.loads(prune("--json").stdout)["revisions"] == {"of-context/showroom": 2}


def test_further_namespaces_are_asked_too(store, cluster):
    cluster["staging/showroom"] = [{"head_sha256": UNUSED}]
    done = prune("--namespace", "staging", "--namespace", "production", "--namespace", "of-context")
    assert list(cluster) == ["staging/showroom", "of-context/showroom", "production/showroom"]
    assert "Release staging/showroom has 1 revision; Helm" in done.stderr
    assert store.exists(f"heads/{UNUSED}.json")


def test_the_namespace_of_the_fleet_file_goes_before_that_of_the_kubeconfig(store, cluster):
    (store.root.parent / "fleet.yaml").write_text(fleet_text(SKILLS, deploy={"namespace": "models"}))
    prune()
    assert list(cluster) == ["models/showroom"]


def test_while_a_run_of_this_machine_is_under_way_nothing_is_removed(store):
    before = files(store)
    with acquire(store, run_lease("another-fleet"), "run 1").renewed():
        message = refused("--no-cluster")
        assert message.startswith("run 1, by ")
        assert f" is in progress on {store.uri}. Wait for it (`coachworks status` shows it); `kill " in message
        assert "Would remove 1 of 3 models" in prune("--no-cluster", "--dry-run").stderr
    assert files(store) == before
    prune("--no-cluster")
    assert files(store) != before


def test_no_run_starts_while_models_are_removed(store, cluster, monkeypatch):
    locked = []
    removed = FolderStore.remove

    def remove(store, key):
        if key.startswith("leases/"):
            removed(store, key)
        else:
            locked.append(not _free(store))

    monkeypatch.setattr(FolderStore, "remove", remove)
    prune()
    assert locked == [True, True]
    assert _free(store)


def _free(store):
    try:
        begin_alone(store, new_run(read_fleet(store.root.parent / "fleet.yaml").to_json(), [])).end()
    except HeldError:
        return False
    return True


@pytest.mark.parametrize("flags", [["--dry-run"], []])
def test_while_a_run_is_at_work_on_the_cluster_nothing_is_removed(store, flags):
    before = files(store)
    record_remote(store, "kfp-1", "", [])
    assert f"the run kfp-1 is in progress on {store.uri}" in refused("--no-cluster", *flags)
    assert files(store) == before
    assert _free(store)


def test_a_run_that_was_taken_for_dead_is_named(store):
    Run(id="kfp-0", fleet="", lanes=[], started_at=time.time() - 2 * 86400).save(store)
    done = prune("--no-cluster", "--json")
    assert "Run kfp-0 made no progress for a day: it is considered dead.\n" in done.stderr
    assert json.loads(done.stdout)["silent_runs"] == ["kfp-0"]


def test_a_refusal_is_one_message_and_an_exit_status(store, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["prune"])
    assert ended.value.code == 1
    assert capsys.readouterr().err.startswith("error: the fleet's releases cannot be read")
