"""Register with a tracking server that requires a password."""

import pytest
import requests

from coachworks.errors import InvalidConfigError
from coachworks.tracking import open_client, tracking_of
from components.register.step import register

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
SETTINGS = """\
[mlflow]
default_permission = READ
database_uri = sqlite:///{folder}/users.db
admin_username = admin
admin_password = keys-to-the-garage
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
auth_cache_ttl_seconds = 60
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory, start_mlflow):
    folder = tmp_path_factory.mktemp("access")
    (folder / "auth.ini").write_text(SETTINGS.format(folder=folder))
    environment = {"MLFLOW_AUTH_CONFIG_PATH": str(folder / "auth.ini"), "MLFLOW_FLASK_SERVER_SECRET_KEY": "drawn"}
    with start_mlflow(folder, "--app-name", "basic-auth", **environment) as address:
        yield address


@pytest.fixture
def signed_in(monkeypatch):
    def as_user(name, password):
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", name)
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", password)

    return as_user


@pytest.fixture
def recording(fleet, server):
    update = {"tracking": server, "skills": {"view": fleet.spec.skills["view"]}}
    return fleet.model_copy(update={"spec": fleet.spec.model_copy(update=update)})


def test_missing_credentials_and_permissions_are_named(chain, recording, server, signed_in, store):
    evaluation = chain.evaluation(skills=["view"])
    with pytest.raises(InvalidConfigError, match=r"requires valid credentials \(401\)\. Set MLFLOW_TRACKING_USERNAME"):
        register(recording, evaluation)
    signed_in("admin", "not-the-password")
    with pytest.raises(InvalidConfigError, match=r"\(401\)") as caught:
        register(recording, evaluation)
    assert "not-the-password" not in str(caught.value)
    signed_in("admin", "keys-to-the-garage")
    assert register(recording, evaluation).report.skills["view"].status == "champion"
    bob = {"username": "bob", "password": "looks-but-touches-not"}
    admin = ("admin", "keys-to-the-garage")
    requests.post(f"{server}/api/2.0/mlflow/users/create", json=bob, auth=admin, timeout=60).raise_for_status()
    signed_in("bob", "looks-but-touches-not")
    assert register(recording, evaluation).reused
    with pytest.raises(InvalidConfigError, match=r"refuses access \(403\).*permission to edit experiments"):
        register(recording, chain.evaluation(seed=1, skills=["view"]))
    written = b"".join(path.read_bytes() for path in store.root.rglob("*.json"))
    assert b"keys-to-the-garage" not in written
    assert open_client(tracking_of(recording)).get_registered_model("showroom.view").aliases["champion"] in {"1", 1}
