"""The platform chart on a real cluster: installed, upgraded, backed up, destroyed, restored, uninstalled, installed."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from certificates import Authority
from mlflow_release import RELEASE, MlflowRelease
from ruamel.yaml import YAML

from lab import Lab, until

pytestmark = [pytest.mark.cluster, pytest.mark.core, pytest.mark.timeout(1200)]

RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}
PERSON = ("ada", "a long enough password")


@dataclass(frozen=True)
class Run:
    experiment: str
    id: str

    @property
    def artifact(self) -> str:
        return f"{self.experiment}/{self.id}/artifacts/picture.txt"


@pytest.fixture(scope="module")
def pipelines(lab: Lab, session_name: str) -> Iterator[str]:
    """A namespace in place of that of Kubeflow Pipelines' runs."""
    name = f"{session_name}-runs"
    lab.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": RESTRICTED}})
    yield name
    lab.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="module")
def usual(pipelines: str) -> list[str]:
    """Settings of the release."""
    return [
        f"pipelines.namespace={pipelines}",
        "rbac.create=true",
        f"rbac.servingNamespaces={{{pipelines}}}",
        "backup.keep=2",
    ]


@pytest.fixture(scope="module")
def release(lab: Lab, session_name: str, image: Callable[[str], str], usual: list[str]) -> Iterator[MlflowRelease]:
    """The release, with a run, a model, an artifact and a user in it."""
    installed = MlflowRelease(lab, f"{session_name}-mlops", image("platform"))
    installed.make_namespace()
    try:
        installed.upgrade(*usual)
        yield installed
    finally:
        installed.remove()


@pytest.fixture(scope="module")
def run(release: MlflowRelease) -> Run:
    """A run with a metric and an artifact, beside a model and a user."""
    admin = release.credentials
    _, experiment = release.ask("POST", "mlflow/experiments/create", {"name": "showroom"}, admin)
    created = start_run(release, experiment["experiment_id"])
    metric = {"run_id": created.id, "key": "accuracy", "value": 0.9, "timestamp": 1, "step": 0}
    for path, body in (
        ("mlflow/runs/log-metric", metric),
        ("mlflow/registered-models/create", {"name": "image-quality"}),
        ("mlflow/users/create", {"username": PERSON[0], "password": PERSON[1]}),
    ):
        status, answer = release.ask("POST", path, body, admin)
        assert status == 200, answer
    assert release.ask("PUT", f"mlflow-artifacts/artifacts/{created.artifact}", b"a picture", admin)[0] == 200
    return created


def start_run(release: MlflowRelease, experiment: str) -> Run:
    status, answer = release.ask("POST", "mlflow/runs/create", {"experiment_id": experiment}, release.credentials)
    assert status == 200, answer
    return Run(experiment, str(answer["run"]["info"]["run_id"]))


def everything_is_there(release: MlflowRelease, run: Run) -> None:
    """Check with a person's credentials that everything logged is there."""
    status, answer = release.ask("GET", f"mlflow/runs/get?run_id={run.id}", credentials=PERSON)
    assert status == 200, answer
    assert answer["run"]["data"]["metrics"][0]["value"] == 0.9
    assert release.ask("GET", "mlflow/registered-models/get?name=image-quality", credentials=PERSON)[0] == 200
    assert release.ask("GET", f"mlflow-artifacts/artifacts/{run.artifact}", credentials=PERSON) == (200, b"a picture")


def job(release: MlflowRelease, name: str) -> str:
    """Run the backup now; return its log."""
    release.lab.kubectl("-n", release.namespace, "create", "job", f"--from=cronjob/{RELEASE}-backup", name)
    release.lab.kubectl("-n", release.namespace, "wait", "--for=condition=complete", f"job/{name}", "--timeout=90s")
    return release.lab.kubectl("-n", release.namespace, "logs", f"job/{name}")


def test_strangers_are_refused(release: MlflowRelease) -> None:
    path = "mlflow/experiments/search?max_results=1"
    assert release.ask("GET", path)[0] == 401
    assert release.ask("GET", path, credentials=("admin", "not the password"))[0] == 401
    assert release.ask("GET", path, credentials=release.credentials)[0] == 200


def test_pipelines_have_a_user_of_their_own(release: MlflowRelease, pipelines: str) -> None:
    secret = release.secret(f"{RELEASE}-mlflow", pipelines)
    assert secret["MLFLOW_TRACKING_URI"] == release.inside
    user = (secret["MLFLOW_TRACKING_USERNAME"], secret["MLFLOW_TRACKING_PASSWORD"])
    assert release.ask("POST", "mlflow/experiments/create", {"name": "of pipelines"}, user)[0] == 200
    body = {"username": "eve", "password": "a long enough password"}
    assert release.ask("POST", "mlflow/users/create", body, user)[0] == 403


def test_what_is_logged_is_there(release: MlflowRelease, run: Run) -> None:
    everything_is_there(release, run)


def test_helm_test_passes(release: MlflowRelease) -> None:
    output = release.helm("test", RELEASE, "--logs", "--timeout=120s")
    assert "MLflow refuses requests without credentials, keeps runs and returns artifacts" in output


def test_the_commands_of_the_notes_do_what_they_say(release: MlflowRelease) -> None:
    notes = release.helm("get", "notes", RELEASE)
    commands = [line.strip() for line in notes.splitlines() if line.startswith("  kubectl")]
    (password,) = [line for line in commands if "admin-password" in line]
    assert release.lab.call("bash", "-c", password) == release.credentials[1]
    (listing,) = [line for line in commands if line.endswith("mlflow_server list")]
    assert release.lab.call("bash", "-c", listing) == "", "there are no backups yet"


def test_the_deployer_may_install_models_where_it_was_said_and_nowhere_else(
    release: MlflowRelease, pipelines: str
) -> None:
    def may(verb: str, what: str, namespace: str) -> bool:
        resource, _, part = what.partition("/")
        asked = [verb, resource, f"--subresource={part}", f"--as=system:serviceaccount:{pipelines}:coachworks-deployer"]
        return release.lab.kubectl("-n", namespace, "auth", "can-i", *asked, check=False).strip() == "yes"

    assert may("create", "deployments.apps", pipelines)
    assert may("create", "secrets", pipelines)
    assert may("create", "pods/portforward", pipelines)
    assert not may("create", "pods", pipelines)
    assert not may("create", "roles.rbac.authorization.k8s.io", pipelines)
    assert not may("get", "secrets", release.namespace)
    assert not may("list", "namespaces", pipelines)


def test_the_network_lets_pipelines_to_mlflow_and_nobody_to_the_database(
    release: MlflowRelease, pipelines: str
) -> None:
    asks = f"""
import socket
for service, port in (("mlflow", 5000), ("postgresql", 5432)):
    try:
        socket.create_connection((f"{RELEASE}-{{service}}.{release.namespace}.svc", port), 5).close()
        print(service, "answers")
    except OSError:
        print(service, "does not answer")
"""
    output = run_pod(release, pipelines, asks)
    assert output.splitlines() == ["mlflow answers", "postgresql does not answer"]


def run_pod(release: MlflowRelease, namespace: str, code: str) -> str:
    """Run Python in a pod of another namespace; return its output."""
    security = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    container = {
        "name": "ask",
        "image": f"docker.io/{release.image}",
        "command": ["python", "-c", code],
        "securityContext": security,
        "resources": {"requests": {"cpu": "50m"}},
    }
    pod = {"restartPolicy": "Never", "containers": [container]}
    release.lab.apply(
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "ask", "namespace": namespace}, "spec": pod}
    )
    release.lab.kubectl("-n", namespace, "wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/ask", "--timeout=60s")
    output = release.lab.kubectl("-n", namespace, "logs", "ask")
    release.lab.kubectl("-n", namespace, "delete", "pod", "ask", "--wait=false")
    return output


def test_a_plan_shows_no_secret_as_changed(release: MlflowRelease, usual: list[str]) -> None:
    plan = release.upgrade(*usual, flags=("--dry-run=server",))
    there = release.helm("get", "manifest", RELEASE)
    assert secrets_of(there)
    assert secrets_of(plan.partition("MANIFEST:")[2].partition("NOTES:")[0]) == secrets_of(there)


def secrets_of(text: str) -> dict[str, Any]:
    objects = YAML(typ="safe", pure=True).load_all(text)
    return {obj["metadata"]["name"]: obj["data"] for obj in objects if obj and obj["kind"] == "Secret"}


def test_an_upgrade_keeps_passwords_and_data(release: MlflowRelease, run: Run, usual: list[str]) -> None:
    names = (f"{RELEASE}-auth", f"{RELEASE}-postgresql")
    before = [release.secret(name) for name in names]
    release.upgrade(*usual, "mlflow.auth.defaultPermission=USE")
    assert [release.secret(name) for name in names] == before
    everything_is_there(release, run)


def test_a_killed_database_starts_again_by_itself(release: MlflowRelease, run: Run) -> None:
    pod = ("-n", release.namespace, "exec", f"{RELEASE}-postgresql-0", "--")
    release.lab.kubectl(*pod, "sh", "-c", 'kill -9 "$(head -1 "$PGDATA/postmaster.pid")"', check=False)

    def restarts() -> int:
        pod = release.lab.get("-n", release.namespace, "pod", f"{RELEASE}-postgresql-0")
        return int(pod["status"]["containerStatuses"][0]["restartCount"])

    until("PostgreSQL starts again", restarts, within_s=60)
    query = f"mlflow/runs/get?run_id={run.id}"
    until("runs answer again", lambda: release.ask("GET", query, credentials=PERSON)[0] == 200, within_s=60)


def test_a_lost_database_comes_back_from_its_backup_with_its_users(
    release: MlflowRelease, run: Run, usual: list[str]
) -> None:
    logs = [job(release, f"backup-{number}") for number in range(3)]
    assert f"backed up to s3://{release.namespace}/backups/{release.namespace}/{RELEASE}/" in logs[-1]
    assert "deleted" in logs[-1], "two are kept"
    later = start_run(release, run.experiment)
    destroy_database(release)

    release.upgrade(*usual, "restore.from=latest")

    everything_is_there(release, run)
    assert release.ask("GET", f"mlflow/runs/get?run_id={later.id}", credentials=release.credentials)[0] == 404
    kept = start_run(release, run.experiment)
    release.upgrade(*usual, "restore.from=latest", "mlflow.auth.cacheSeconds=30")
    assert release.ask("GET", f"mlflow/runs/get?run_id={kept.id}", credentials=PERSON)[0] == 200, "restored once only"


def destroy_database(release: MlflowRelease) -> None:
    where = ("-n", release.namespace)
    release.lab.kubectl(*where, "delete", "statefulset", f"{RELEASE}-postgresql", "--cascade=foreground")
    release.lab.kubectl(*where, "delete", "pvc", f"data-{RELEASE}-postgresql-0")


def test_a_new_installation_finds_what_the_old_one_left(release: MlflowRelease, run: Run, usual: list[str]) -> None:
    before = release.credentials
    release.helm("uninstall", RELEASE, "--wait")
    left = release.lab.kubectl("-n", release.namespace, "get", "pvc,secret", "-o", "name").split()
    assert f"persistentvolumeclaim/data-{RELEASE}-postgresql-0" in left
    assert f"secret/{RELEASE}-auth" in left
    release.upgrade(*usual)
    assert release.credentials == before
    everything_is_there(release, run)


@pytest.fixture
def brought(lab: Lab, session_name: str, image: Callable[[str], str]) -> Iterator[MlflowRelease]:
    """A namespace for a release that brings its S3 server, and that server's image."""
    program = shutil.which("versitygw", path=lab.environ["PATH"])
    if not program:
        pytest.skip("no program that could stand for the image of the S3 server")
    command = [f"{lab.scripts}/image", "versity/versitygw:test", "--file", f"/bin/versitygw={program}"]
    subprocess.run([*command, "--entrypoint", '["/bin/versitygw"]'], check=True, timeout=120)
    release = MlflowRelease(lab, f"{session_name}-s3-{uuid4().hex[:4]}", image("platform"))
    release.make_namespace()
    try:
        yield release
    finally:
        release.remove()


BROUGHT = (
    "s3Server.enabled=true",
    "s3Server.image.tag=test",
    "s3Server.storage.size=1Gi",
    "s3Server.resources.requests.memory=64Mi",
    "s3.endpoint=",
    "s3.existingSecret=",
    "s3.region=us-east-1",
)


def test_the_chart_brings_an_s3_server_too(brought: MlflowRelease) -> None:
    brought.upgrade(*BROUGHT)
    output = brought.helm("test", RELEASE, "--logs", "--timeout=120s")
    assert "MLflow refuses requests without credentials, keeps runs and returns artifacts" in output
    assert "backed up to s3://" in job(brought, "backup")


PLAIN = "import psycopg; psycopg.connect(sslmode='disable')"
USED = "import psycopg; print(psycopg.connect().pgconn.ssl_in_use)"


def test_all_servers_of_the_chart_speak_tls_when_asked(brought: MlflowRelease) -> None:
    names = [f"{RELEASE}-{server}.{brought.namespace}.svc" for server in ("mlflow", "postgresql", "s3")]
    pair = Authority().sign(*names)
    entries = {"tls.crt": pair.certificate, "tls.key": pair.key, "ca.crt": pair.authority}
    metadata = {"name": "tls", "namespace": brought.namespace}
    brought.lab.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": entries})

    brought.upgrade(*BROUGHT, "tls.existingSecret=tls")

    output = brought.helm("test", RELEASE, "--logs", "--timeout=120s")
    assert "MLflow refuses requests without credentials, keeps runs and returns artifacts" in output
    assert "backed up to s3://" in job(brought, "backup")
    server = ("-n", brought.namespace, "exec", f"deployment/{RELEASE}-mlflow", "-c", "mlflow", "--", "python", "-c")
    assert brought.lab.kubectl(*server, USED).strip() == "True"
    with pytest.raises(AssertionError, match=r"no pg_hba\.conf entry"):
        brought.lab.kubectl(*server, PLAIN)
