"""Effects of register on the registry, read with MLflow's own client."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from coachworks.context import open_context
from coachworks.models.keys import head_key, head_manifest_key
from coachworks.tracking import tracking_of
from components.register.config import RegisterConfig
from components.register.step import register


def one(result):
    return result.report.skills["view"]


def runs_of(client, kind):
    experiment = client.get_experiment_by_name("showroom/view")
    return client.search_runs([experiment.experiment_id], f"tags.`coachworks.kind` = '{kind}'") if experiment else []


def versions_of(client):
    return client.search_model_versions("name = 'showroom.view'")


def alias(client, name):
    number = client.get_registered_model("showroom.view").aliases.get(name)
    return number and str(number)


def test_the_first_version_that_passes_its_gates_becomes_the_champion(chain, fleet, client, store):
    report = register(fleet, chain.evaluation()).report
    assert report.tracking == "embedded"
    for skill in fleet.spec.skills:
        view = report.skills[skill]
        assert (view.status, view.version, view.champion_version) == ("champion", "1", "1")
        version = client.get_model_version_by_alias(f"showroom.{skill}", "champion")
        assert version.tags["head_digest"] == view.head_digest
        manifest = json.loads(store.read(head_manifest_key(view.head_digest)))
        assert (manifest["skill"], manifest["labels"]) == (skill, ["front", "rear", "side"])
        assert store.exists(head_key(view.head_digest))


def test_the_losers_are_recorded_too_under_the_names_of_the_winner(chain, alone, client):
    register(alone, chain.evaluation(skills=["view"]))
    [run], candidates = runs_of(client, "run"), runs_of(client, "candidate")
    assert {candidate.info.run_name for candidate in candidates} == {"linear", "knn", "naive-bayes"}
    assert {candidate.data.tags["mlflow.parentRunId"] for candidate in candidates} == {run.info.run_id}
    assert len({(frozenset(c.data.metrics), frozenset(c.data.params)) for c in candidates}) == 1
    for candidate in candidates:
        assert set(candidate.data.metrics) <= set(run.data.metrics)
        assert set(candidate.data.params) <= set(run.data.params)
    noise = {name: value for name, value in run.data.metrics.items() if name.startswith("label_noise/")}
    expected = {"level": 0.07, "level_low": 0.02, "level_high": 0.12, "photos": 170, "suspicious": 9}
    assert run.data.params["noise_loss"] == "none"
    assert noise == {f"label_noise/{name}": value for name, value in expected.items()}
    assert run.data.metrics["test/balanced_accuracy_low"] < run.data.metrics["test/balanced_accuracy_high"]
    assert run.data.params["gate.minBalancedAccuracy"] == "0.5"


def test_a_run_has_the_policy_against_imbalance_and_those_that_it_beat(chain, alone, client):
    register(alone, chain.evaluation(skills=["view"]))
    [run], candidates = runs_of(client, "run"), runs_of(client, "candidate")
    for each in (run, *candidates):
        assert each.data.params["imbalance_policy"] == "logit-adjustment"
    measured = {name: value for name, value in run.data.metrics.items() if name.startswith("imbalance/")}
    assert measured == {
        "imbalance/balanced_accuracy_balanced": 0.7,
        "imbalance/standard_error_balanced": 0.03,
        "imbalance/balanced_accuracy_logit-adjustment": 0.86,
        "imbalance/standard_error_logit-adjustment": 0,
    }
    note = run.data.tags["mlflow.note.content"]
    assert "Imbalance: logit-adjustment has the best balanced accuracy in folds." in note


def test_a_run_records_its_origin(chain, alone, client):
    key = chain.evaluation(skills=["view"])
    register(alone, key, context=open_context(alone, tracking=tracking_of, run="monday"))
    [run] = runs_of(client, "run")
    tags = run.data.tags
    assert (tags["coachworks.evaluate"], tags["run"], tags["fleet"]) == (key, "monday", "showroom")
    assert tags["backbone_digest"] == "b" * 64
    assert tags["policy"] == "p" * 64
    [dataset_input] = run.inputs.dataset_inputs
    assert len(tags["data"]) == 64
    assert tags["data"].startswith(dataset_input.dataset.digest)
    assert "Which way does the car face?" in client.get_experiment(run.info.experiment_id).tags["mlflow.note.content"]


def test_an_experiment_is_one_of_model_training_and_shows_what_decides_first(chain, alone, client, tmp_path):
    # without a kind, as a person creates it
    experiment_id = client.create_experiment("showroom/view", artifact_location=tmp_path.joinpath("files").as_uri())
    register(alone, chain.evaluation(skills=["view"]))
    tags = client.get_experiment(experiment_id).tags
    assert tags["mlflow.experimentKind"] == "custom_model_development"
    view = json.loads(tags["mlflow.sharedViewState.coachworks"])
    first = ["metrics.`test/balanced_accuracy`", "params.`candidate`", "tags.`gates`", "attributes.`Models`"]
    assert view["selectedColumns"][:4] == first
    assert view["columnOrder"][:5] == ["attributes.`Run Name`", *first]
    assert set(view["columnWidths"]) <= set(view["selectedColumns"])
    page = f"#/experiments/{experiment_id}/runs?workflowType=machine_learning&viewStateShareKey=coachworks"
    note = tags["mlflow.note.content"].splitlines()[0]
    assert note == f"**Which way does the car face?** [Runs with accuracy, candidate, gate and model]({page})"


@pytest.mark.parametrize("elsewhere", [True, False])
def test_a_run_lists_its_model_so_that_mlflow_shows_the_version_beside_it_once(
    chain, alone, client, tmp_path, elsewhere
):
    if elsewhere:  # as with a server
        client.create_experiment("showroom/view", artifact_location=tmp_path.joinpath("files").as_uri())
    register(alone, chain.evaluation(skills=["view"]))
    [run], [version] = runs_of(client, "run"), versions_of(client)
    assert version.run_id == run.info.run_id
    [model] = json.loads(run.data.tags["mlflow.log-model.history"])
    listed = model.pop("artifact_path")
    assert listed == ("model" if elsewhere else "")
    assert listed in {"", version.source.split("/artifacts/")[1]}, "MLflow's UI joins the two by this path"
    folder = client.download_artifacts(run.info.run_id, "model")
    written = json.loads(Path(folder, "MLmodel").read_text())
    assert {name: written[name] for name in model} == model
    assert not any("mlflow.log-model.history" in each.data.tags for each in runs_of(client, "candidate"))


def test_pictures_and_model_are_artifacts_of_the_run(chain, alone, client):
    register(alone, chain.evaluation(skills=["view"]))
    [run] = runs_of(client, "run")
    paths = [
        entry.path
        for part in ("model", "pictures", "training")
        for entry in client.list_artifacts(run.info.run_id, part)
    ]
    assert {"model/head.safetensors", "model/manifest.json", "model/MLmodel", "pictures/confusion.png"} <= set(paths)
    assert "training/policy.json" in paths
    assert not any(path.endswith((".pkl", ".pickle")) for path in paths)


@pytest.mark.filterwarnings("ignore:.*Any type hint:UserWarning")  # MLflow about its own chat agents
def test_mlflow_loads_the_champion_and_it_answers_as_its_head_does(chain, alone, client, monkeypatch):
    import mlflow

    from coachworks.models.head import load_head

    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    view = one(register(alone, chain.evaluation(skills=["view"])))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking_of(alone).uri)
    model = mlflow.pyfunc.load_model("models:/showroom.view@champion")
    features = np.eye(3, 4, dtype=np.float32)
    table = model.predict(features)
    head = load_head(chain.store.fetch(head_key(view.head_digest)))
    assert list(table["label"]) == ["front", "rear", "side"]
    assert np.allclose(table.filter(like="probability/"), head.probabilities(features))


def test_a_better_challenger_takes_over_and_says_by_how_much(chain, alone, client):
    register(alone, chain.evaluation(noise=0.62, skills=["view"]))
    view = one(register(alone, chain.evaluation(noise=0.0, seed=1, skills=["view"])))
    assert (view.status, view.version, view.champion_version) == ("champion", "2", "2")
    assert view.champion_metric == 1.0
    assert view.challenger_metric < 0.8
    assert "Took over from version 1" in view.reason
    assert "on the same 60 test photos (30 sets)" in view.reason
    assert (alias(client, "champion"), alias(client, "challenger")) == ("2", None)


def test_a_worse_challenger_does_not_replace_the_champion(chain, alone, client):
    first = one(register(alone, chain.evaluation(skills=["view"])))
    view = one(register(alone, chain.evaluation(noise=0.62, seed=1, skills=["view"])))
    assert (view.status, view.version, view.champion_version) == ("challenger", "2", "1")
    assert view.challenger_metric < view.champion_metric == 1.0
    assert view.probability_better < 0.01
    assert "bootstrap replicates. Balanced accuracy 0." in view.reason
    assert view.head_digest == first.head_digest != view.candidate_head_digest
    assert (alias(client, "champion"), alias(client, "challenger")) == ("1", "2")


def test_a_tie_goes_to_the_champion(chain, alone, client):
    register(alone, chain.evaluation(noise=0.62, skills=["view"]))
    view = one(register(alone, chain.evaluation(noise=0.62, seed=1, skills=["view"])))
    assert view.status == "challenger"
    assert view.challenger_metric == view.champion_metric
    assert alias(client, "champion") == "1"


def test_a_narrow_lead_is_not_enough_unless_the_setting_says_so(chain, alone, client):
    register(alone, chain.evaluation(noise=0.62, skills=["view"]))
    better = chain.evaluation(noise=0.6, seed=1, skills=["view"])
    assert one(register(alone, better, config=RegisterConfig(min_probability_better=1.0))).status == "challenger"
    again = chain.evaluation(noise=0.6, seed=2, skills=["view"])
    assert one(register(alone, again, config=RegisterConfig(min_probability_better=0.5))).status == "champion"


def test_a_champion_on_another_backbone_is_judged_by_its_recorded_answers_about_common_photos(chain, alone, client):
    register(alone, chain.evaluation(noise=0.62, skills=["view"], photos=range(40)))
    view = one(register(alone, chain.evaluation(seed=1, backbone="c" * 64, skills=["view"], photos=range(10, 60))))
    assert view.status == "champion"
    assert "on the same 30 test photos" in view.reason


def test_without_common_photos_a_person_decides(chain, alone, client):
    register(alone, chain.evaluation(noise=0.62, skills=["view"], photos=range(30)))
    view = one(register(alone, chain.evaluation(seed=1, backbone="c" * 64, skills=["view"], photos=range(30, 60))))
    assert view.status == "challenger"
    assert "Move the alias `champion`" in view.reason
    assert (view.challenger_metric, view.probability_better) == (None, None), "measured on other photos"


def test_the_champion_is_evaluated_again_even_if_only_the_registry_has_its_head(chain, alone, client, store):
    first = one(register(alone, chain.evaluation(noise=0.62, skills=["view"])))
    shutil.rmtree(store.root / "heads")
    view = one(register(alone, chain.evaluation(seed=1, skills=["view"])))
    assert view.status == "champion"
    assert store.exists(head_key(first.head_digest))


def test_the_same_evaluation_is_registered_once(chain, alone, client):
    key = chain.evaluation(skills=["view"])
    first = register(alone, key)
    again = register(alone, key)
    assert again.reused
    assert again.key == first.key
    refreshed = register(
        alone, key, context=open_context(alone, tracking=tracking_of, run="monday", refresh=frozenset({"register"}))
    )
    assert one(refreshed) == one(first)
    assert (len(versions_of(client)), len(runs_of(client, "run"))) == (1, 1)


def test_a_complete_registration_is_recognised_without_importing_mlflow(chain, alone, client):
    key = chain.evaluation(skills=["view"])
    register(alone, key)
    code = (
        "import sys; from coachworks.fleet.model import Fleet; from components.register.step import register\n"
        "fleet = Fleet.from_json(sys.argv[1]); result = register(fleet, sys.argv[2])\n"
        "heavy = {'mlflow', 'pandas', 'torch', 'pyarrow', 'sklearn'} & set(sys.modules)\n"
        "print(result.reused, sorted(heavy))"
    )
    output = subprocess.run(
        [sys.executable, "-c", code, alone.to_json(), key], capture_output=True, text=True, check=True
    ).stdout
    assert output.strip() == "True []"


def test_the_same_head_from_another_evaluation_registers_nothing(chain, alone, client):
    first = one(register(alone, chain.evaluation(skills=["view"])))
    view = one(register(alone, chain.evaluation(skills=["view"], warnings=["another report, the same head"])))
    assert (view.status, view.version, view.champion_version) == ("unchanged", "1", "1")
    assert view.head_digest == first.head_digest
    assert (len(versions_of(client)), len(runs_of(client, "run"))) == (1, 1)


def test_a_skill_that_failed_its_gates_is_recorded_but_not_registered(chain, alone, client):
    key = chain.evaluation(skills=["view"], status="failed")
    view = one(register(alone, key))
    assert (view.status, view.version, view.head_digest) == ("not-registered", None, None)
    assert "minBalancedAccuracy is 1, limit 0.5" in view.reason
    assert versions_of(client) == []
    [run] = runs_of(client, "run")
    assert run.data.tags["gates"] == "failed"
    assert "mlflow.log-model.history" not in run.data.tags
    assert register(alone, key).reused


def test_a_dropped_skill_is_not_recorded_and_keeps_its_reason(chain, alone, client):
    view = one(register(alone, chain.evaluation(skills=["view"], status="dropped", reason="no test photos")))
    assert (view.status, view.reason) == ("not-registered", "no test photos")
    assert client.get_experiment_by_name("showroom/view") is None


def test_a_failed_evaluation_names_the_champion_that_is_still_there(chain, alone, client):
    first = one(register(alone, chain.evaluation(skills=["view"])))
    view = one(register(alone, chain.evaluation(seed=1, skills=["view"], status="failed")))
    assert (view.status, view.champion_version) == ("not-registered", "1")
    assert view.head_digest == first.head_digest


def test_an_alias_that_a_person_moved_stays_where_it_is(chain, alone, client):
    first = one(register(alone, chain.evaluation(noise=0.62, skills=["view"])))
    key = chain.evaluation(seed=1, skills=["view"])
    before = register(alone, key)
    client.set_registered_model_alias("showroom.view", "champion", "1")
    after = register(alone, key)
    assert after.key != before.key
    assert (one(after).status, one(after).champion_version) == ("challenger", "1")
    assert one(after).head_digest == first.head_digest
    assert "version 1 became the champion later" in one(after).reason


def test_without_a_champion_the_next_evaluation_provides_one(chain, alone, client):
    key = chain.evaluation(skills=["view"])
    register(alone, key)
    client.delete_registered_model_alias("showroom.view", "champion")
    assert one(register(alone, key)).champion_version == "1"
    assert (alias(client, "champion"), len(versions_of(client))) == ("1", 1)


def test_a_deleted_experiment_is_restored(chain, alone, client):
    register(alone, chain.evaluation(skills=["view"]))
    client.delete_experiment(client.get_experiment_by_name("showroom/view").experiment_id)
    register(alone, chain.evaluation(seed=1, noise=0.3, skills=["view"]))
    assert client.get_experiment_by_name("showroom/view").lifecycle_stage == "active"


def test_a_lane_registers_its_own_skills_only(chain, fleet, client):
    report = register(fleet, chain.evaluation(), ["light"]).report
    assert list(report.skills) == ["light"]
    assert client.get_experiment_by_name("showroom/view") is None
