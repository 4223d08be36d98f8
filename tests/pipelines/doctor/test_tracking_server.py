"""Checks of an MLflow server's address, access and version; writing is tested on the cluster."""

import pytest

from pipelines.doctor.tracking_server import ACCESS, ADDRESS, LINKS, VERSION, check_tracking


@pytest.fixture
def check(fleet, monkeypatch):
    """Check the server at an address and return the findings by subject."""

    def at(address):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        return {finding.subject: finding for finding in check_tracking(fleet, write=False)}

    return at


def test_a_server_that_answers_is_ok(check, mlflow_like):
    from mlflow.version import VERSION as CLIENT

    findings = check(mlflow_like(CLIENT))
    assert {subject: str(finding.status) for subject, finding in findings.items()} == {
        ADDRESS: "ok",
        LINKS: "warning",
        ACCESS: "ok",
        VERSION: "ok",
    }
    assert findings[VERSION].summary == CLIENT


def test_an_address_of_this_machine_is_no_address_for_links(check, fleet, monkeypatch):
    assert "Name an address that all can open as `spec.tracking`" in check("http://127.0.0.1:9")[LINKS].way_out
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    shared = fleet.model_copy(update={"spec": fleet.spec.model_copy(update={"tracking": "https://mlflow.example"})})
    (links,) = [finding for finding in check_tracking(shared, write=False) if finding.subject == LINKS]
    assert (links.status, links.summary) == ("ok", "https://mlflow.example")


def test_another_major_version_fails_and_an_older_one_is_a_warning(check, mlflow_like):
    assert check(mlflow_like("2.9.1"))[VERSION].status == "failed"
    older = check(mlflow_like("3.0.0"))[VERSION]
    assert older.status == "warning"
    assert "upgrade it to 3." in older.way_out


def test_an_unknown_version_is_a_warning(check, mlflow_like):
    assert check(mlflow_like("<html>"))[VERSION].status == "warning"


def test_a_server_that_is_down_is_reported_without_retries(check):
    findings = check("http://127.0.0.1:9")
    assert (findings[ACCESS].status, findings[ACCESS].summary) == ("failed", "no answer")
    assert "spec.tracking" in findings[ACCESS].way_out
    assert findings[VERSION].status == "skipped"


@pytest.mark.parametrize(("status", "way_out"), [(401, "Set MLFLOW_TRACKING_USERNAME"), (403, "--allowed-hosts")])
def test_refused_credentials_are_reported_with_the_way_out(check, mlflow_like, status, way_out):
    findings = check(mlflow_like("3.17.2", status))
    assert findings[ACCESS].summary == "refused"
    assert way_out in findings[ACCESS].way_out


def test_an_address_with_a_password_is_refused_without_showing_it(check):
    findings = check("http://anna:hunter22@127.0.0.1:9")
    assert findings[ADDRESS].status == "failed"
    assert "hunter22" not in str(findings)
