"""Responses of Kubeflow Pipelines and the errors that they become."""

import json

import pytest
from kfp_server_api import ApiException

from coachworks.errors import CoachworksError, InvalidConfigError, NotFoundError, TransientError
from pipelines.kubeflow.failures import translated

HOST = "http://localhost:8888"
# From a backend of 2.14, about a Secret's variable that kfp-kubernetes 2.17 compiled, with HTTP 500.
UNKNOWN_FIELD = 'unknown field "optional"'


def refusal(status: int, message: str = "") -> ApiException:
    err = ApiException(status=status, reason="Refused")
    err.body = json.dumps({"code": 13, "message": message}) if message else "<html>"
    return err


@pytest.mark.parametrize(
    ("err", "kind", "message"),
    [
        (
            refusal(401, "no bearer token"),
            InvalidConfigError,
            r"our credentials \(401\): no bearer token. Set KF_",
        ),
        (refusal(403), InvalidConfigError, r"refuses our credentials \(403\): Refused. Set KF_PIPELINES_SA_TOKEN_PATH"),
        (refusal(404, "run 5f0c not found"), NotFoundError, "does not have the object: run 5f0c not found"),
        (refusal(503, "no endpoints"), TransientError, r"is busy \(503\): no endpoints. Try again"),
        (
            refusal(500, UNKNOWN_FIELD),
            CoachworksError,
            r"a field .*\"optional\"\. It is older than the SDK",
        ),
        (refusal(500, "record not saved"), CoachworksError, r"refused \(500\): record not saved"),
        (ConnectionResetError(), TransientError, "does not answer. Set KF_PIPELINES_ENDPOINT"),
    ],
)
def test_a_refusal_becomes_an_error_of_its_kind(err, kind, message):
    with pytest.raises(kind, match=message) as caught, translated(HOST):
        raise err
    assert f"Kubeflow Pipelines at {HOST}" in str(caught.value)


def test_output_of_the_client_is_discarded(capsys):
    with translated(HOST):
        print("Experiment details: http://…")
    assert capsys.readouterr().out == ""
