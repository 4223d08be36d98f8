"""Address of the dashboard of Kubeflow Pipelines: named, or that of the API where it serves pages."""

import pytest

from coachworks.fleet.cluster import Cluster
from pipelines.doctor.local_checks import PAGES, check_kubeflow
from pipelines.kubeflow import open_kubeflow


@pytest.fixture
def kfp(serve, monkeypatch):
    """Start an API of Kubeflow Pipelines that serves pages too, or does not; the environment leads to it."""

    def start(*, pages):
        def answer(method, path):
            if path == "/":
                return (200, "<html>") if pages else (404, "404 page not found")
            return (200, "{}")

        address = serve(answer)
        monkeypatch.setenv("KF_PIPELINES_ENDPOINT", address)
        monkeypatch.delenv("KF_PIPELINES_UI_ENDPOINT", raising=False)
        return address

    return start


def check(cluster):
    _, findings = check_kubeflow(cluster)
    return next(finding for finding in findings if finding.subject == PAGES)


def test_an_api_that_serves_no_pages_is_not_printed_as_a_link_and_the_doctor_says_how_to_open_one(kfp):
    kfp(pages=False)
    kubeflow = open_kubeflow(Cluster())
    assert kubeflow.run_page("5f0c") == ""
    assert kubeflow.dashboard_command == "kubectl -n kubeflow port-forward svc/ml-pipeline-ui 8080:80"
    finding = check(Cluster())
    assert (finding.status, finding.summary) == ("warning", "no address")
    assert "svc/ml-pipeline-ui 8080:80` makes it available" in finding.way_out


def test_an_address_that_serves_both_is_the_dashboard(kfp):
    address = kfp(pages=True)
    assert open_kubeflow(Cluster()).run_page("5f0c") == f"{address}/#/runs/details/5f0c"
    assert check(Cluster()).status == "ok"


def test_a_named_dashboard_comes_first_and_the_doctor_opens_it(kfp, serve, monkeypatch):
    kfp(pages=False)
    named = Cluster(dashboard=serve(lambda method, path: (200, "<html>")))
    assert open_kubeflow(named).run_page("5f0c").startswith(f"{named.dashboard}/#/runs")
    assert check(named).status == "ok"
    assert check(Cluster(dashboard="http://127.0.0.1:9")).summary == "does not open"
    monkeypatch.setenv("KF_PIPELINES_UI_ENDPOINT", "http://localhost:8080")
    assert open_kubeflow(named).schedule_page("1").startswith("http://localhost:8080/#/recurringrun/details/1")
