"""Checks of the pipelines' namespace through the Kubernetes API, as far as the kubeconfig gives the rights."""

import base64
import binascii
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from coachworks.errors import NotFoundError
from coachworks.fleet.cluster import Cluster, EnvironmentSource
from coachworks.kubernetes_api import Connection, ForbiddenError, path_of
from pipelines.doctor.findings import Checks, Finding, failed, ok, skipped, warning

NAMESPACE, RIGHTS = "namespace", "rights"
_TIMEOUT_S = 10  # somebody is waiting for the answer
_BEGIN = b"-----BEGIN CERTIFICATE-----"
_PREFIXES = ("AWS_", "MLFLOW_")  # of environment variables that pods need
_REGISTRY_TYPES = {"kubernetes.io/dockerconfigjson", "kubernetes.io/dockercfg"}
_RESOURCES = {"Secret": "secrets", "ConfigMap": "configmaps", "service account": "serviceaccounts"}
_POD_RIGHTS = (("list", "pods"), ("get", "pods/log"), ("list", "events"))  # to find out why a pod fails


class NamespaceChecks:
    """Checks of a namespace, and of the objects in it that `spec.cluster` names.

    Args:
        connection: The API server.
        name: Name of the namespace.
    """

    def __init__(self, connection: Connection, name: str) -> None:
        self._connection, self._name = connection.with_timeout(_TIMEOUT_S), name
        self._checks = Checks()

    def run(self, cluster: Cluster) -> list[Finding]:
        """Check the namespace, the objects that `spec.cluster` names, and our rights."""
        checks = self._checks
        with self._about(NAMESPACE, "namespace", self._name):
            self._connection.get(f"/api/v1/namespaces/{self._name}")
            checks.add(ok(NAMESPACE, self._name))
        if checks.failed:
            return checks.findings
        for source in cluster.environment:
            self._check_source(source)
        authority = cluster.certificate_authority
        if authority is not None:
            kind, name = ("Secret", authority.secret) if authority.secret else ("ConfigMap", str(authority.config_map))
            self._check_certificates(kind, str(name), authority.key)
        for name in cluster.image_pull_secrets:
            self._check_registry(name)
        if cluster.service_account is not None:
            subject = f"service account {cluster.service_account}"
            with self._about(subject, "service account", cluster.service_account):
                self._read("service account", cluster.service_account)
                checks.add(ok(subject, "exists"))
        with checks.checking(RIGHTS):
            checks.add(self._check_rights())
        return checks.findings

    @contextmanager
    def _about(self, subject: str, kind: str, name: str) -> Iterator[None]:
        """Turn a missing right into a skipped check, and a missing object or any other error into a failed one."""
        with self._checks.checking(subject):
            try:
                yield
            except ForbiddenError:
                self._checks.add(skipped(subject, "no right to read it"))
            except NotFoundError:
                self._checks.add(failed(subject, "does not exist", _create(kind, name, self._name)))

    def _read(self, kind: str, name: str) -> Mapping[str, Any]:
        document: Mapping[str, Any] = self._connection.get(path_of("v1", _RESOURCES[kind], self._name, name))
        return document

    def _entries(self, kind: str, name: str) -> Mapping[str, bytes]:
        data = self._read(kind, name).get("data") or {}
        return {key: _decoded(value) if kind == "Secret" else value.encode() for key, value in data.items()}

    def _check_source(self, source: EnvironmentSource) -> None:
        kind, name = ("Secret", source.secret) if source.secret else ("ConfigMap", source.config_map)
        subject = f"{kind} {name}"
        with self._about(subject, kind, str(name)):
            self._checks.add(_check_entries(subject, source, self._entries(kind, str(name))))

    def _check_certificates(self, kind: str, name: str, key: str) -> None:
        subject = f"certificates in {kind} {name}"
        with self._about(subject, kind, name):
            entries = self._entries(kind, name)
            if _BEGIN in entries.get(key, b""):
                self._checks.add(ok(subject, "exist"))
            else:
                summary = "no certificates" if key in entries else f"no {key}"
                way_out = f"put the authority's certificates, as PEM, into the entry {key!r} of the {kind} {name!r}."
                self._checks.add(failed(subject, summary, way_out))

    def _check_registry(self, name: str) -> None:
        subject = f"image pull secret {name}"
        with self._about(subject, "Secret", name):
            secret = self._read("Secret", name)
            if secret.get("type") in _REGISTRY_TYPES:
                self._checks.add(ok(subject, "exists"))
            else:
                way_out = f"create it with `kubectl -n {self._name} create secret docker-registry {name} …`."
                self._checks.add(failed(subject, f"of type {secret.get('type')}", way_out))

    def _check_rights(self) -> Finding:
        denied = [
            f"{verb} {resource}"
            for verb, resource in _POD_RIGHTS
            if not self._connection.allows(verb, resource, self._name)
        ]
        if denied:
            return warning(
                RIGHTS,
                f"not: {', '.join(denied)}",
                f"without the right to {', '.join(denied)} in the namespace {self._name} you cannot see why a pod "
                "fails: ask its administrator for it.",
            )
        return ok(RIGHTS, "pods can be inspected")


def _decoded(value: str) -> bytes:
    try:
        return base64.b64decode(value)
    except binascii.Error:
        return b""


def _create(kind: str, name: str, namespace: str) -> str:
    if kind == "namespace":
        return (
            f"the cluster of the kubeconfig has no namespace {name!r}: correct `spec.cluster.namespace`, or set "
            "KUBECONFIG to the cluster of Kubeflow Pipelines."
        )
    return f"create the {kind} {name!r} in the namespace {namespace!r}, or correct its name in `spec.cluster`."


def _check_entries(subject: str, source: EnvironmentSource, entries: Mapping[str, bytes]) -> Finding:
    """Check that an object of `spec.cluster.environment` has the variables that pods need, without showing values."""
    required = source.keys or [key for key in entries if key.startswith(_PREFIXES)]
    if missing := ", ".join(key for key in required if key not in entries):
        way_out = f"add {missing} to the {subject}, or remove it from `keys` in `spec.cluster`."
        return failed(subject, f"no {missing}", way_out)
    if not required:
        way_out = "name its entries like the variables that pods need: AWS_…, MLFLOW_…"
        return failed(subject, "no variables for pods", way_out)
    if blank := ", ".join(key for key in required if not entries[key] or entries[key] != entries[key].strip()):
        return failed(
            subject,
            f"blanks in {blank}",
            f"the values of {blank} are empty, or begin or end with a blank or a new line: write them again, with "
            "`printf %s` or `kubectl create … --from-literal`.",
        )
    return ok(subject, f"has {', '.join(required)}")
