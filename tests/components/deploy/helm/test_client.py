"""Helm's command: which, what it is asked, and what its errors become. What needs a cluster is tested on one."""

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from odd_labels import ODD_LABELS
from ruamel.yaml import YAML

from coachworks.errors import InvalidConfigError, NotFoundError, TransientError
from components.deploy.helm.binary import find_helm, helm_version
from components.deploy.helm.client import Helm, HelmError, UnfinishedError
from components.deploy.helm.failures import clean_message, translate_failure
from helms import BOTH, find


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    """A chart of one ConfigMap and a hook."""
    folder = tmp_path / "tiny"
    (folder / "templates").mkdir(parents=True)
    (folder / "Chart.yaml").write_text("apiVersion: v2\nname: tiny\nversion: 0.1.0\n")
    (folder / "values.yaml").write_text("text: default\n")
    (folder / "values.schema.json").write_text('{"type": "object", "properties": {"text": {"type": "string"}}}')
    (folder / "templates/map.yaml").write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\n"
        'data: {text: {{ .Values.text | quote }}, upgrade: "{{ .Release.IsUpgrade }}"}\n'
    )
    (folder / "templates/hook.yaml").write_text(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: check, annotations: {helm.sh/hook: test}}\n"
    )
    return folder


class FakeHelm:
    """A command that answers as a test says, and keeps what it was asked and given."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.command = folder / "helm"
        self.command.write_text(
            "#!/bin/sh\n"
            f'[ "$1" = version ] && {{ cat {folder}/version; exit; }}\n'
            f'printf "%s\\n" "$*" >> {folder}/asked\n'
            f"case \"$*\" in *'--values -'*) cat > {folder}/given ;; esac\n"
            f'[ -f {folder}/sleep ] && sleep "$(cat {folder}/sleep)"\n'
            f"cat {folder}/err >&2; cat {folder}/out; exit $(cat {folder}/status)\n"
        )
        self.command.chmod(self.command.stat().st_mode | stat.S_IXUSR)
        self.answer("")
        self.version("v4.1.4+g05fa379")

    def version(self, text: str) -> None:
        (self.folder / "version").write_text(text)

    def answer(self, out: Any, *, err: str = "", status: int = 0) -> None:
        (self.folder / "out").write_text(out if isinstance(out, str) else json.dumps(out))
        (self.folder / "err").write_text(err)
        (self.folder / "status").write_text(str(status))

    @property
    def asked(self) -> list[str]:
        return (self.folder / "asked").read_text().splitlines()

    def helm(self, chart: Path | None = None, **options: Any) -> Helm:
        environ = os.environ | {"COACHWORKS_HELM": str(self.command)}
        return Helm("models", "cars", chart, environ=environ, **options)


@pytest.fixture
def fake(tmp_path: Path) -> FakeHelm:
    folder = tmp_path / "bin"
    folder.mkdir()
    return FakeHelm(folder)


# -- which helm


def test_the_variable_names_the_command(fake):
    assert find_helm({"COACHWORKS_HELM": str(fake.command), "PATH": ""}) == str(fake.command)
    assert helm_version(str(fake.command)) == (4, 1, 4)


def test_a_variable_that_names_nothing_is_refused():
    with pytest.raises(InvalidConfigError, match="COACHWORKS_HELM must name the command helm; got '/none'"):
        find_helm({"COACHWORKS_HELM": "/none", "PATH": os.environ["PATH"]})


def test_path_goes_before_what_is_beside_python(fake, monkeypatch):
    assert find_helm({"PATH": str(fake.folder)}) == str(fake.command)
    monkeypatch.setattr("components.deploy.helm.binary.sys.executable", str(fake.folder / "python"))
    assert find_helm({"PATH": "/nowhere"}) == str(fake.command)


def test_without_any_helm_the_way_out_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr("components.deploy.helm.binary.sys.executable", str(tmp_path / "python"))
    with pytest.raises(
        InvalidConfigError, match=r"there is no helm on PATH. Install Helm 3.17 or later \(https://helm"
    ):
        find_helm({"PATH": str(tmp_path)})


def test_a_helm_that_is_too_old_is_refused(fake):
    fake.version("v3.13.3+gc8b9489")
    with pytest.raises(InvalidConfigError, match=r"helm must be 3.14 or later; .* is v3.13.3"):
        fake.helm().status()


def test_a_command_that_is_no_helm_is_refused(fake):
    fake.version("GNU bash")
    with pytest.raises(InvalidConfigError, match="does not print a version of helm: GNU bash"):
        helm_version(str(fake.command))


# -- what it is asked


def test_values_go_through_a_pipe_and_never_on_the_command_line(fake, chart):
    fake.answer({"name": "cars", "version": 7, "manifest": "…"})
    assert fake.helm(chart, keep=12).upgrade({"password": "s3cr3t"}, "a new version") == 7
    (line,) = fake.asked
    assert "s3cr3t" not in line
    assert "--history-max 12" in line
    assert "--namespace models" in line
    assert "--description a new version" in line
    assert "--reset-values" in line
    assert json.loads((fake.folder / "given").read_text()) == {"password": "s3cr3t"}


def test_history_is_told_oldest_first(fake):
    line = {"updated": "2026-11-25T04:00:00Z", "chart": "tiny-0.1.0", "app_version": "", "description": "said"}
    fake.answer([line | {"revision": 10, "status": "deployed"}, line | {"revision": 9, "status": "superseded"}])
    assert [(each.number, each.status) for each in fake.helm().history()] == [(9, "superseded"), (10, "deployed")]
    assert fake.helm().status().number == 10


def test_what_is_not_installed_has_no_history_and_no_values(fake):
    fake.answer("", err="Error: release: not found\n", status=1)
    assert fake.helm().history() == []
    assert fake.helm().status() is None
    with pytest.raises(NotFoundError, match="no such release or revision of 'cars' in the namespace 'models'"):
        fake.helm().values(3)
    assert "get values cars --revision 3 --output json" in fake.asked[-1]


def test_a_release_without_values_has_none(fake):
    fake.answer("null\n")
    assert fake.helm().values() == {}


def test_a_command_that_does_not_end_is_ended(fake):
    (fake.folder / "sleep").write_text("5")
    with pytest.raises(TransientError, match="`helm history` of 'cars' has not ended in 0 s"):
        fake.helm(timeout_s=0.2).history()


def test_a_chart_that_is_not_there_is_named(fake, tmp_path):
    with pytest.raises(InvalidConfigError, match=r"there is no chart at .*/none"):
        fake.helm(tmp_path / "none").template({})


# -- recovering


@pytest.mark.parametrize(
    ("statuses", "does", "outcome"),
    [
        (["deployed"], None, None),
        (["superseded", "failed"], None, None),
        (
            ["pending-install"],
            "uninstall cars",
            "revision 1 was left unfinished (pending-install): removed the release",
        ),
        (["superseded", "deployed", "pending-upgrade"], "rollback cars 2", "back to revision 2, as revision 4"),
        (["superseded", "superseded", "pending-rollback"], "rollback cars 2", "back to revision 2, as revision 4"),
        (["failed", "pending-upgrade"], "uninstall cars", "removed the release"),
        (["deployed", "uninstalling"], "uninstall cars", "removed the release"),
    ],
)
def test_a_pending_revision_is_undone(statuses, does, outcome):
    lines = [
        {"revision": number, "status": status, "updated": "", "description": ""}
        for number, status in enumerate(statuses, 1)
    ]
    done = []

    class Recorded(Helm):
        def _run(self, *arguments, values=None):
            if arguments[0] == "history":
                return json.dumps(lines[-1:] if arguments[-1] == "1" else lines)
            done.append(" ".join(arguments))
            lines.append({"revision": len(lines) + 1, "status": "deployed", "updated": "", "description": ""})
            return ""

    message = Recorded("models", "cars").recover()
    assert (message is None) == (outcome is None)
    if outcome is not None:
        assert outcome in message
        assert done[0].startswith(does)
    else:
        assert not done


# -- what its errors become

FORBIDDEN = (
    'Error: UPGRADE FAILED: query: failed to query with labels: secrets is forbidden: User "system:serviceaccount:a:b" '
    'cannot list resource "secrets" in API group "" in the namespace "models"'
)
AWAY = 'Kubernetes cluster unreachable: Get "https://10.0.0.1:6443/version": dial tcp: connect: connection refused'
UNKNOWN = "Kubernetes cluster unreachable: the server has asked for the client to provide credentials"


@pytest.mark.parametrize(
    ("err", "kind", "message"),
    [
        (
            "UPGRADE FAILED: another operation (install/upgrade/rollback) is in progress\n",
            UnfinishedError,
            "upgrade or rollback of 'cars' .* or was killed: another operation .* `coachworks deploy` recovers from it",
        ),
        (
            FORBIDDEN,
            InvalidConfigError,
            "not let system:serviceaccount:a:b list secrets in the namespace 'models'",
        ),
        (
            FORBIDDEN,
            InvalidConfigError,
            "Ask an administrator to install charts/platform .*rbac.servingNamespaces",
        ),
        (AWAY, TransientError, "helm cannot reach the cluster: Kubernetes cluster unreachable"),
        (
            f"INSTALLATION FAILED: {UNKNOWN}",
            InvalidConfigError,
            "not accept the credentials: .* Log in to the cluster",
        ),
        (
            'create: failed to create: namespaces "models" not found',
            NotFoundError,
            "there is no namespace 'models': create it with `kubectl create namespace models`",
        ),
        ("release: not found", NotFoundError, "no such release or revision of 'cars'"),
        (
            "UPGRADE FAILED: values don't meet the specifications of the schema(s)",
            HelmError,
            r"helm refused 'cars' in the namespace 'models': values don't meet the specifications of the schema\(s\)",
        ),
    ],
)
def test_errors_have_a_way_out(fake, err, kind, message):
    fake.answer("", err=f"Error: {err}".replace("Error: Error", "Error"), status=1)
    with pytest.raises(kind, match=message):
        fake.helm()._run("upgrade", "cars")


def test_warnings_are_left_out():
    output = (
        "WARNING: Kubernetes configuration file is group-readable. This is insecure. Location: /k\n"
        "W1125 04:00:00.123456   12345 warnings.go:70] unknown field\n"
        'level=WARN msg="upgrade failed" name=cars\n'
        "2026/11/25 04:00:00 warning: cannot overwrite table\n"
        "Error: UPGRADE FAILED: cannot patch: field is immutable.\n"
    )
    assert clean_message(output) == "cannot patch: field is immutable"


def test_an_error_that_is_only_noise_is_told_as_it_is():
    assert "killed" in str(translate_failure("WARNING: killed", release="cars", namespace="models"))


# -- the real one


@BOTH
def test_a_chart_is_rendered_as_an_upgrade_without_hooks(command, chart):
    helm = Helm("models", "cars", chart, environ=os.environ | {"COACHWORKS_HELM": find(command)})
    objects = [each for each in YAML(typ="safe", pure=True).load_all(helm.template({"text": "a: {b}"})) if each]
    assert [(each["kind"], each["data"]) for each in objects] == [("ConfigMap", {"text": "a: {b}", "upgrade": "true"})]


@BOTH
def test_values_that_the_schema_refuses_are_told_in_helm_s_words(command, chart):
    helm = Helm("models", "cars", chart, environ=os.environ | {"COACHWORKS_HELM": find(command)})
    with pytest.raises(HelmError, match="helm refused 'cars' in the namespace 'models'") as caught:
        helm.template({"text": 3})
    assert "schema" in str(caught.value)
    assert "Error:" not in str(caught.value)


@BOTH
def test_a_cluster_that_is_not_there_is_told(command, chart, tmp_path):
    from kubernetes_server import write_kubeconfig

    write_kubeconfig(tmp_path / "kubeconfig", "http://127.0.0.1:9")
    environ = os.environ | {"COACHWORKS_HELM": find(command), "KUBECONFIG": str(tmp_path / "kubeconfig")}
    helm = Helm("models", "cars", chart, environ=environ)
    for ask in (helm.history, lambda: helm.upgrade({}, "never"), lambda: helm.rollback(1), helm.uninstall):
        with pytest.raises(TransientError, match="helm cannot reach the cluster"):
            ask()


@BOTH
def test_helm_reads_every_character_of_the_values(command: str, chart: Path, tmp_path: Path) -> None:
    (chart / "values.schema.json").unlink()
    (chart / "templates/map.yaml").write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {text: {{ .Values.texts | toJson | quote }}}\n"
    )
    texts = [*ODD_LABELS, "\u0085 \u2028 \ufeff \x7f"]
    binary = find(command)
    tool = tmp_path / "bin"
    tool.mkdir()
    (tool / "helm").symlink_to(binary)
    environ = {"PATH": str(tool), "HOME": str(tmp_path), "LC_ALL": "C"}
    helm = Helm("b", "a", chart, environ=environ)
    objects = YAML(typ="safe", pure=True).load_all(helm.template({"texts": texts}))
    (shown,) = [each for each in objects if each and each["kind"] == "ConfigMap"]
    assert json.loads(shown["data"]["text"]) == texts
