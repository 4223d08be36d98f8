"""Links between the page of a pipeline run in Kubeflow Pipelines and its models in MLflow."""

import pytest
from kfp import dsl
from mlflow import MlflowClient

from coachworks.context import open_context
from coachworks.fleet.cluster import Cluster
from coachworks.task import Task
from coachworks.tracking import Tracking, tracking_of
from components.register.dashboard import show, table
from components.register.report import Registration
from components.register.step import register
from reports import report_of

RUN = "0b7c1d0e-5f6a-4b3c-8d2e-9f00aa11bb22"


@pytest.fixture
def on_a_cluster(fleet):
    """The fleet's first skill; its file has the address of the dashboard."""
    update = {
        "cluster": Cluster(dashboard="https://pipelines.example/"),
        "skills": {"view": fleet.spec.skills["view"]},
    }
    return fleet.model_copy(update={"spec": fleet.spec.model_copy(update=update)})


def skill(**changes):
    registration = {
        "status": "challenger",
        "reason": "version 1 is better | by far",
        "model": "cars.view",
        "version": "2",
        "run_id": "r2",
        "experiment_id": "7",
        "compared_run_id": "r1",
        "champion_version": "1",
    }
    return report_of(Registration, registration | changes)


def links_of(server, changes):
    return table({"view": skill(**changes)}, server)


def test_a_run_and_its_version_lead_back_to_the_pipeline_run(chain, database, on_a_cluster):
    register(
        on_a_cluster,
        chain.evaluation(skills=["view"]),
        context=open_context(on_a_cluster, tracking=tracking_of, run=RUN),
    )
    client = MlflowClient(tracking_of(on_a_cluster).uri)
    page = f"https://pipelines.example/#/runs/details/{RUN}"
    version = client.get_model_version_by_alias("showroom.view", "champion")
    run = client.get_run(version.run_id)
    for tags in (version.tags, run.data.tags):
        assert tags["coachworks.pipeline_run"] == page
    for text in (version.description, run.data.tags["mlflow.note.content"]):
        assert f"[this run of the pipeline]({page})" in text


@pytest.mark.parametrize(
    ("run", "cluster"),
    [
        ("20260102-030405-1a2b3c", {"dashboard": "https://k"}),
        (RUN, {}),
        (RUN, {"dashboard": "http://localhost:8080"}),
        (None, {}),
    ],
)
def test_without_a_page_there_is_no_link(chain, database, on_a_cluster, run, cluster):
    fleet = on_a_cluster.model_copy(
        update={"spec": on_a_cluster.spec.model_copy(update={"cluster": Cluster(**cluster)})}
    )
    register(fleet, chain.evaluation(skills=["view"]), context=open_context(fleet, tracking=tracking_of, run=run))
    version = MlflowClient(tracking_of(fleet).uri).get_model_version_by_alias("showroom.view", "champion")
    assert "coachworks.pipeline_run" not in version.tags
    assert "this run of the pipeline" not in version.description
    assert (f"the pipeline run `{RUN}`" in version.description) == (run == RUN)


def test_the_dashboard_s_table_leads_to_mlflow_as_people_reach_it():
    server = Tracking(uri="http://mlflow.platform.svc:5000", address="https://mlflow.example")
    text = links_of(server, {})
    assert "| view | challenger | 2 | 1 |" in text
    for page in ("models/cars.view?", "models/cars.view/versions/2?", "experiments/7/runs?", "experiments/7/runs/r2?"):
        assert f"(https://mlflow.example/#/{page}" in text
    assert "[compared with](https://mlflow.example/#/compare-runs?runs=%5B%22r2%22%2C%20%22r1%22%5D" in text
    assert "version 1 is better \\| by far |" in text
    assert "svc" not in text


def test_an_address_of_the_author_s_machine_is_no_link_for_others_and_the_command_is_shown():
    server = Tracking(uri="http://platform-mlflow.mlops.svc:5000", address="http://127.0.0.1:5000")
    text = links_of(server, {})
    assert "](" not in text
    assert "| view | challenger | 2 | 1 |" in text
    assert "`kubectl -n mlops port-forward service/platform-mlflow 5000:5000` opens it at http://localhost:5000" in text
    assert "no address that others can open" in links_of(Tracking(uri="http://127.0.0.1:5000"), {})


def test_a_skill_that_was_never_recorded_has_no_links():
    nothing = dict.fromkeys(("version", "run_id", "experiment_id", "compared_run_id", "champion_version"))
    text = links_of(Tracking(uri="https://mlflow.example"), {"status": "not-registered", **nothing})
    assert "| view | not-registered | – | – | – |" in text
    assert "https" not in text


def test_an_embedded_store_has_the_table_and_the_command_instead(chain, database, on_a_cluster, tmp_path):
    result = register(on_a_cluster, chain.evaluation(skills=["view"]))
    metrics, links = dsl.Metrics(), dsl.Markdown()
    links.path = str(tmp_path / "links.md")
    show(Task(on_a_cluster, open_context(on_a_cluster, tracking=tracking_of), result), metrics, links)
    text = (tmp_path / "links.md").read_text("utf-8")
    assert "| view | champion | 1 | 1 |" in text
    assert "`coachworks mlflow` shows them" in text
    assert "http" not in text
    assert metrics.metadata["skills: champion"] == 1
    assert links.metadata["display_name"] == "MLflow, register: view"
