"""Three runs of the demo's fleet on a real cluster: the first, one with nothing changed, one during faults."""

import json
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow_release import RELEASE, MlflowRelease
from submitted import Done, artifacts_of, done, listed, metrics_of, metrics_shown, runs_of, versions

from cluster_fleet import SHARED_TRACKING, ClusterFleet, make_fleet
from coachworks.results import ancestor, load
from coachworks.store import FolderStore, open_store
from faults import FaultyProxy
from lab import PIPELINES, Lab, until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(2400)]
EVERY = "*/15 * * * * *"  # seconds first
AWAY_S = 60


@pytest.fixture(scope="module")
def fleet(
    lab: Lab,
    session_name: str,
    image: Callable[[str], str],
    platform: MlflowRelease,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[ClusterFleet]:
    submitted = make_fleet(
        lab,
        session_name,
        tmp_path_factory.mktemp("fleet"),
        image=image("steps"),
        tracking=platform.here,
        credentials=platform.credentials,
        secret=f"{session_name}-mlflow",
    )
    submitted.tell_pods(s3=lab.s3)
    try:
        yield submitted
    finally:
        for schedule in listed(submitted)["schedules"]:
            submitted.coachworks("cancel", schedule["id"])
        submitted.remove()


def ended(fleet: ClusterFleet, run: str) -> bool:
    """Return whether a run has ended; the backend mostly reports a cancelled one as failed."""
    return next(each["state"] for each in listed(fleet)["runs"] if each["id"] == run) in {"CANCELED", "FAILED"}


@pytest.fixture(scope="module")
def first(fleet: ClusterFleet, shell: None) -> Done:
    """The submitted fleet's first run, complete."""
    return done(fleet, fleet.coachworks("submit", "--wait", "--json"))


@pytest.fixture(scope="module")
def shell(fleet: ClusterFleet) -> Iterator[None]:
    """The environment of a person's shell, for this process."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (fleet.lab.client | fleet.environ).items():
            if name.startswith(("AWS_", "MLFLOW_", "COACHWORKS_CACHE")):
                patch.setenv(name, value)
        yield


@pytest.fixture(scope="module")
def models(fleet: ClusterFleet, shell: None) -> Any:
    """MLflow's client, as the administrator."""
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=fleet.tracking, registry_uri=fleet.tracking)


# --- the first run


@pytest.mark.core
def test_a_submitted_run_trains_and_registers_every_skill(first: Done) -> None:
    assert first.table["state"] == "succeeded", first.output
    assert {row["registration"] for row in first.table["skills"]} == {"champion"}, first.output
    assert first.table["passed"] is True


@pytest.mark.core
def test_it_was_followed_step_by_step_and_its_page_named(first: Done, fleet: ClusterFleet) -> None:
    for step in ("ingest", "split", "validate", "augment", "embed", "train", "evaluate", "register", "package"):
        assert f"✓ {step}" in first.output, first.output
    assert f"#/runs/details/{first.id}" in first.output


@pytest.mark.core
def test_lanes_run_side_by_side_in_one_pod_per_step_and_lane(first: Done, fleet: ClusterFleet) -> None:
    pods = fleet.lab.get("-n", PIPELINES, "pods", "-l", f"pipeline/runid={first.id}")["items"]
    steps = [pod for pod in pods if "-impl-" in pod["metadata"]["name"]]
    assert len(steps) == 7 + 3 * 2  # two lanes of train, evaluate, register; five skills
    labels = [pod["metadata"]["labels"] for pod in steps]
    assert sorted(each["coachworks.dev/step"] for each in labels if "coachworks.dev/lane" in each) == sorted(
        2 * ["train", "evaluate", "register"]
    )
    trained = [each for each in labels if each["coachworks.dev/step"] == "train"]
    assert {label for each in trained for label in each if label.startswith("skill.")} == {
        f"skill.coachworks.dev/{skill}" for skill in first.skills
    }


@pytest.mark.core
def test_the_dashboard_holds_what_a_person_wants_to_see(first: Done, fleet: ClusterFleet) -> None:
    for step, number in (("ingest", "photos"), ("embed", "photos"), ("evaluate", "balanced accuracy: body-type")):
        assert any(number in shown for shown in metrics_shown(first.id, step, fleet)), (step, number)
    objects = artifacts_of(first.id, fleet)
    for step, artifact, expected in (
        ("validate", "page", "<html"),
        ("augment", "page", "<html"),
        ("evaluate", "page", "image-quality"),
        ("document", "summary", "paint-colour"),
        ("register", "links", f"{SHARED_TRACKING}/#/models/"),
    ):
        texts = [text for name, text in objects.items() if f"/{step}/" in name and name.endswith(f"/{artifact}")]
        assert texts, (step, artifact, sorted(objects))
        assert expected in "\n".join(texts), (step, artifact)


@pytest.mark.core
def test_mlflow_leads_back_to_the_run_in_the_dashboard(first: Done, fleet: ClusterFleet, models: Any) -> None:
    assert versions(models, fleet) == {f"{fleet.name}.{skill}": [1] for skill in sorted(first.skills)}
    for name in versions(models, fleet):
        champion = models.get_model_version_by_alias(name, "champion")
        logged = models.get_run(champion.run_id).data
        assert first.id in json.dumps([champion.tags, champion.description, logged.tags])
        assert logged.metrics


@pytest.mark.core
def test_nothing_secret_is_in_the_compiled_pipeline_or_the_logs(first: Done, fleet: ClusterFleet) -> None:
    from lab import S3_SECRET

    workflows = fleet.lab.kubectl("-n", PIPELINES, "get", "workflows", "-l", f"pipeline/runid={first.id}", "-o", "json")
    logs = fleet.lab.kubectl(
        "-n", PIPELINES, "logs", "-l", f"pipeline/runid={first.id}", "-c", "main", "--tail=-1", "--prefix", check=False
    )
    for secret in (S3_SECRET, fleet.credentials[1]):
        assert secret not in workflows
        assert secret not in logs
        assert secret not in first.output


# --- by itself, with nothing changed


@pytest.fixture(scope="module")
def local(first: Done, fleet: ClusterFleet) -> "subprocess.Popen[str]":
    """A run of the same fleet on this machine; OpenBLAS chooses kernels and threads by the processor, as in pods."""
    environ = fleet.lab.client | fleet.environ | {"MLFLOW_TRACKING_URI": ""}
    return subprocess.Popen(
        [sys.executable, "-m", "coachworks.cli.main", "run", "--json"],
        cwd=fleet.folder,
        env={name: value for name, value in environ.items() if not name.startswith(("OPENBLAS_", "OMP_"))},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


@pytest.fixture(scope="module")
def second(first: Done, fleet: ClusterFleet, local: "subprocess.Popen[str]") -> Done:
    """A run that a schedule made, with nothing changed."""
    run = scheduled(fleet, after=first.id)
    return done(fleet, fleet.coachworks("status", "--wait", "--json", "--run", run))


def scheduled(fleet: ClusterFleet, *, after: str) -> str:
    """Schedule the fleet until a run has begun; return its id."""
    before = {run["id"] for run in listed(fleet)["runs"]}
    assert after in before
    done = fleet.coachworks("submit", "--schedule", "--cron", EVERY, "--json")
    assert done.returncode == 0, done.stderr
    schedule = json.loads(done.stdout)["schedule"]

    def begun() -> str | None:
        fresh = [run["id"] for run in listed(fleet)["runs"] if run["id"] not in before and run["schedule"] == schedule]
        return fresh[0] if fresh else None

    run = until("a run by schedule", begun, within_s=120, every_s=3)
    assert f"The schedule {schedule} was disabled" in fleet.coachworks("cancel", schedule[:8]).stdout
    until("the first step of the run", lambda: fleet_knows(fleet, run), within_s=120, every_s=3)
    return run


def fleet_knows(fleet: ClusterFleet, run: str) -> bool:
    return open_store(f"s3://{fleet.name}/store").exists(f"runs/{run}/run.json")


def test_a_run_with_nothing_changed_reuses_what_kfp_cached_and_registers_nothing(
    first: Done, second: Done, fleet: ClusterFleet, models: Any
) -> None:
    assert second.table["state"] == "succeeded", second.output
    assert second.table["unchanged"] is True
    for skill, row in second.skills.items():
        assert (row["version"], row["winner"]) == (first.skills[skill]["version"], first.skills[skill]["winner"])
        assert row["balanced_accuracy"] == first.skills[skill]["balanced_accuracy"]
    pods = fleet.lab.get("-n", PIPELINES, "pods", "-l", f"pipeline/runid={second.id}")["items"]
    worked = [pod for pod in pods if "-impl-" in pod["metadata"]["name"]]
    assert len(worked) == 1 + 2, [pod["metadata"]["name"] for pod in worked]  # ingest, and register per lane
    assert set(map(tuple, versions(models, fleet).values())) == {(1,)}


def test_the_same_fleet_on_this_machine_comes_to_the_same(
    first: Done, second: Done, fleet: ClusterFleet, local: "subprocess.Popen[str]"
) -> None:
    table = json.loads(local.communicate(timeout=600)[0])
    assert table["state"] == "succeeded", table
    here = FolderStore(fleet.folder / "store")
    record = json.loads(here.read(f"runs/{table['run']}/run.json"))
    document = load(here, "document", record["document"])
    ours, theirs = ancestor(here, document, "split").path, first.result("split").path
    pd.testing.assert_frame_equal(
        *(
            pd.read_parquet(place / "splits.parquet").sort_values("photo_id", ignore_index=True)
            for place in (ours, theirs)
        )
    )
    local_rows = {row["skill"]: row for row in table["skills"]}
    for skill, row in first.skills.items():
        assert local_rows[skill]["winner"] == row["winner"]
        for bound in ("value", "low", "high"):
            np.testing.assert_allclose(
                local_rows[skill]["balanced_accuracy"][bound], row["balanced_accuracy"][bound], atol=1e-6
            )
    for one, other in zip(metrics_of(here, document), metrics_of(first.store, first.result("document")), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


# --- by itself, after photos were added, while everything around it fails


Fire = tuple[Done, dict[str, Any]]


@pytest.fixture(scope="module")
def third(second: Done, fleet: ClusterFleet, platform: MlflowRelease, models: Any) -> Fire:
    """A run during faults: S3 answers with 20 % errors, MLflow is stopped for a minute, a training pod is deleted."""
    seen: dict[str, Any] = {"runs before": runs_of(models, fleet)}
    fleet.add_photos()
    with FaultyProxy(fleet.lab.s3, host=fleet.lab.node, error_rate=0.2) as proxy:
        fleet.tell_pods(s3=proxy.url)
        run = scheduled(fleet, after=second.id)
        fire = threading.Thread(target=set_fire, args=(fleet, platform, run, seen))
        fire.start()
        process = fleet.coachworks("status", "--wait", "--json", "--run", run, timeout=900)
        fire.join()
        seen["spoilt"] = proxy.spoilt
    fleet.tell_pods(s3=fleet.lab.s3)
    return done(fleet, process), seen


def set_fire(fleet: ClusterFleet, platform: MlflowRelease, run: str, seen: dict[str, Any]) -> None:
    store = open_store(f"s3://{fleet.name}/store")

    def at_work(step: str) -> bool:
        return any(f"/progress/{step}" in key for key in store.list(f"runs/{run}/progress"))

    def training() -> str:
        """Return a pod that runs during train: no pod of an earlier step is left then."""
        pods = fleet.lab.get("-n", PIPELINES, "pods", "-l", f"pipeline/runid={run}")["items"]
        names = [pod["metadata"]["name"] for pod in pods if pod["status"]["phase"] == "Running"]
        return next((name for name in names if "-impl-" in name), "")

    until("training", lambda: at_work("train"), within_s=400, every_s=0.3)
    seen["deleted"] = until("a pod that trains", training, within_s=20, every_s=0.3)
    fleet.lab.kubectl("-n", PIPELINES, "delete", "pod", seen["deleted"], "--wait=false")
    until("evaluation", lambda: at_work("evaluate"), within_s=400)
    deployment = f"deployment/{RELEASE}-mlflow"
    platform.lab.kubectl("-n", platform.namespace, "scale", deployment, "--replicas=0")
    since = time.monotonic()
    until("registration", lambda: at_work("register"), within_s=400)
    time.sleep(max(10.0, since + AWAY_S - time.monotonic()))
    platform.lab.kubectl("-n", platform.namespace, "scale", deployment, "--replicas=1")


def test_under_fire_the_run_is_complete_and_correct(third: Fire, first: Done) -> None:
    run, seen = third
    assert run.table["state"] == "succeeded", run.output
    assert seen["spoilt"] > 20
    assert "deleted" in seen
    assert run.result("ingest").report["photos"] > first.result("ingest").report["photos"]
    for skill, row in run.skills.items():
        assert row["photos"] > first.skills[skill]["photos"]
        assert row["status"] in {"passed", "failed"}


def test_under_fire_each_skill_gets_one_version_more_at_most_and_nothing_twice(
    third: Fire, fleet: ClusterFleet, models: Any
) -> None:
    run, seen = third
    numbers_of = versions(models, fleet)
    for skill, row in run.skills.items():
        expected = [1] if row["status"] == "failed" else [1, 2]
        assert numbers_of[f"{fleet.name}.{skill}"] == expected, (skill, row, numbers_of)
    assert any(len(numbers) == 2 for numbers in numbers_of.values())
    before, after = seen["runs before"], runs_of(models, fleet)
    for experiment, count in after.items():
        assert count == 2 * before[experiment], (experiment, before, after)  # each candidate of each evaluation, once


def test_the_deleted_pod_cost_one_retry(third: Fire, fleet: ClusterFleet) -> None:
    run, _ = third
    workflow = fleet.lab.get("-n", PIPELINES, "workflows", "-l", f"pipeline/runid={run.id}")["items"][0]
    attempts = [node for node in workflow["status"]["nodes"].values() if node["displayName"].endswith("(1)")]
    assert len(attempts) >= 1
    assert not [node for node in workflow["status"]["nodes"].values() if node["displayName"].endswith("(2)")]


# --- photos on this machine, a failing step, cancelling


def test_photos_of_this_machine_are_taken_in_first_and_ctrl_c_leaves_the_run_going(fleet: ClusterFleet) -> None:
    from ruamel.yaml import YAML

    yaml = YAML()
    local = yaml.load(fleet.file.read_text("utf-8"))
    local["spec"]["sources"] = [{"photos": "./photos", "table": "./photos.csv"}]
    file = fleet.folder / "local.yaml"
    yaml.dump(local, file)
    command = [sys.executable, "-m", "coachworks.cli.main", "submit", "--wait", "-f", str(file)]
    log = fleet.folder / "submit.log"
    with log.open("w") as errors:
        process = subprocess.Popen(
            command,
            cwd=fleet.folder,
            env=fleet.lab.client | fleet.environ,
            stderr=errors,
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # whoever runs the tests may ignore it
        )
    until("the first step", lambda: "… ingest" in log.read_text("utf-8"), within_s=120)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    text = log.read_text("utf-8")
    run = re.findall(r"run ([0-9a-f-]{36})", text)[0]
    assert f"`coachworks status --wait --run {run}` follows it again" in text
    assert "ingest" in text.partition("Fleet")[0]  # taken in here, before anything was sent
    assert next(each["state"] for each in listed(fleet)["runs"] if each["id"] == run) == "RUNNING"
    cancelled = fleet.coachworks("cancel", run)
    assert "is being cancelled" in cancelled.stdout, cancelled.stderr
    waited = fleet.coachworks("status", "--wait", "--run", run)
    assert waited.returncode == 1
    assert f"Run {run}: cancelled" in waited.stderr
    until("the end of the run", lambda: ended(fleet, run), within_s=120, every_s=3)
    refused = fleet.lab.coachworks("submit", "-f", file, "--schedule", "--cron", EVERY, cwd=fleet.folder)
    assert refused.returncode == 2
    assert "s3://bucket/prefix" in refused.stderr


def test_a_step_that_fails_ends_the_command_with_its_own_words(fleet: ClusterFleet) -> None:
    from ruamel.yaml import YAML

    yaml = YAML()
    broken = yaml.load(fleet.file.read_text("utf-8"))
    broken["spec"]["sources"] = [{"photos": f"s3://{fleet.name}/nothing-here", "skill": "image-quality"}]
    file = Path(fleet.folder / "broken.yaml")
    yaml.dump(broken, file)
    failed = fleet.lab.coachworks("submit", "--wait", "-f", file, cwd=fleet.folder, environ=fleet.environ)
    assert failed.returncode == 1
    assert "ingest failed:" in failed.stderr + failed.stdout
    assert "nothing-here" in failed.stderr + failed.stdout
