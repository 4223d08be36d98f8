"""Whether MLflow answers, knows us and understands the client; writing is tried on the cluster."""

import pytest

from pipelines.doctor.tracking_server import ACCESS, ADDRESS, VERSION, check_tracking


@pytest.fixture
def look(fleet, monkeypatch):
    """What is found at an address."""

    def at(address):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        return {finding.what: finding for finding in check_tracking(fleet, write=False)}

    return at


def test_a_server_that_answers_is_well(look, mlflow_like):
    from mlflow.version import VERSION as CLIENT

    found = look(mlflow_like(CLIENT))
    assert {what: str(finding.verdict) for what, finding in found.items()} == {
        ADDRESS: "ok",
        ACCESS: "ok",
        VERSION: "ok",
    }
    assert found[VERSION].said == CLIENT


def test_a_server_of_another_major_version_fails_and_an_older_one_is_warned_of(look, mlflow_like):
    assert look(mlflow_like("2.9.1"))[VERSION].verdict == "failed"
    older = look(mlflow_like("3.0.0"))[VERSION]
    assert older.verdict == "warning"
    assert "upgrade it to 3." in older.way_out


def test_a_server_that_does_not_tell_its_version_is_warned_of(look, mlflow_like):
    assert look(mlflow_like("<html>"))[VERSION].verdict == "warning"


def test_a_server_that_is_not_there_is_told_at_once(look):
    found = look("http://127.0.0.1:9")
    assert (found[ACCESS].verdict, found[ACCESS].said) == ("failed", "no answer")
    assert "spec.tracking" in found[ACCESS].way_out
    assert found[VERSION].verdict == "skipped"


@pytest.mark.parametrize(("status", "way_out"), [(401, "Set MLFLOW_TRACKING_USERNAME"), (403, "--allowed-hosts")])
def test_credentials_that_are_refused_are_told_as_such(look, mlflow_like, status, way_out):
    found = look(mlflow_like("3.17.2", status))
    assert found[ACCESS].said == "refused"
    assert way_out in found[ACCESS].way_out


def test_an_address_with_a_password_is_refused_without_telling_it(look):
    found = look("http://anna:hunter22@127.0.0.1:9")
    assert found[ADDRESS].verdict == "failed"
    assert "hunter22" not in str(found)
