"""What Kubernetes itself says of the pipelines' namespace, where the kubeconfig lets us look."""

import base64
import binascii
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from coachworks.fleet.cluster import Cluster, EnvironmentSource
from coachworks.kubernetes_api import Trouble, settings_of, trouble_in_events, trouble_of
from pipelines.doctor.findings import Checks, Finding, Verdict, found, skipped

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

NAMESPACE, RIGHTS = "namespace", "rights"
_TIMEOUT_S = 10
_FORBIDDEN, _MISSING = 403, 404
_BEGIN = b"-----BEGIN CERTIFICATE-----"
_OF_USE = ("AWS_", "MLFLOW_")  # how variables begin that pods need
_REGISTRY_TYPES = {"kubernetes.io/dockerconfigjson", "kubernetes.io/dockercfg"}
# What tells why a pod does not do its work; (verb, resource, subresource).
_LOOKING = (("list", "pods", ""), ("get", "pods", "log"), ("list", "events", ""))


class Namespace:
    """A namespace of the cluster that the kubeconfig names."""

    def __init__(self, client: "ApiClient", name: str) -> None:
        from kubernetes import client as kubernetes

        self.name = name
        self._core = kubernetes.CoreV1Api(client)
        self._authorization = kubernetes.AuthorizationV1Api(client)

    def check(self, cluster: Cluster) -> list[Finding]:
        """Look at the namespace, at what `spec.cluster` names in it, and at what we may do there."""
        checks = Checks()
        with checks.about(NAMESPACE):
            checks.add(self._look_at(NAMESPACE, "namespace", self.name, self._core.read_namespace, self.name))
        if checks.broken:
            return checks.findings
        for source in cluster.environment:
            self._check_source(checks, source)
        authority = cluster.certificate_authority
        if authority is not None:
            kind, name = ("Secret", authority.secret) if authority.secret else ("ConfigMap", str(authority.config_map))
            self._check_certificates(checks, kind, str(name), authority.key)
        for name in cluster.image_pull_secrets:
            self._check_registry(checks, name)
        if cluster.service_account is not None:
            read, name = self._core.read_namespaced_service_account, cluster.service_account
            with checks.about(what := f"service account {name}"):
                checks.add(self._look_at(what, "service account", name, read, name, self.name))
        with checks.about(RIGHTS):
            checks.add(self._check_rights())
        return checks.findings

    def _look_at(self, what: str, kind: str, name: str, read: Any, *arguments: str) -> Finding:
        """Whether an object is there."""
        self_made = self._read(read, *arguments)
        if isinstance(self_made, int):
            return _not_seen(what, kind, name, self.name, self_made)
        return found(what, name if what == NAMESPACE else "there")

    @staticmethod
    def _read(read: Any, *arguments: str) -> Any:
        """The object, or the status by which Kubernetes refuses it: 403 or 404."""
        from kubernetes.client import ApiException

        try:
            return read(*arguments, _request_timeout=_TIMEOUT_S)
        except ApiException as err:
            if err.status in {_FORBIDDEN, _MISSING}:
                return int(err.status)
            raise

    def _entries(self, kind: str, name: str) -> Mapping[str, bytes] | int:
        secret = kind == "Secret"
        read = self._core.read_namespaced_secret if secret else self._core.read_namespaced_config_map
        seen = self._read(read, name, self.name)
        if isinstance(seen, int):
            return seen
        return {key: _decoded(value) if secret else value.encode() for key, value in (seen.data or {}).items()}

    def _check_source(self, checks: Checks, source: EnvironmentSource) -> None:
        kind, name = ("Secret", source.secret) if source.secret else ("ConfigMap", source.config_map)
        what = f"{kind} {name}"
        with checks.about(what):
            entries = self._entries(kind, str(name))
            if isinstance(entries, int):
                checks.add(_not_seen(what, kind, str(name), self.name, entries))
            else:
                checks.add(_judge_entries(what, source, entries))

    def _check_certificates(self, checks: Checks, kind: str, name: str, key: str) -> None:
        what = f"certificates in {kind} {name}"
        with checks.about(what):
            entries = self._entries(kind, name)
            if isinstance(entries, int):
                checks.add(_not_seen(what, kind, name, self.name, entries))
            elif _BEGIN not in entries.get(key, b""):
                said = "no certificates" if key in entries else f"no {key}"
                way_out = f"put the authority's certificates, as PEM, into the entry {key!r} of the {kind} {name!r}."
                checks.add(found(what, said, way_out))
            else:
                checks.add(found(what, "there"))

    def _check_registry(self, checks: Checks, name: str) -> None:
        what = f"image pull secret {name}"
        with checks.about(what):
            seen = self._read(self._core.read_namespaced_secret, name, self.name)
            if isinstance(seen, int):
                checks.add(_not_seen(what, "Secret", name, self.name, seen))
            elif seen.type not in _REGISTRY_TYPES:
                way_out = f"make it anew with `kubectl -n {self.name} create secret docker-registry {name} …`."
                checks.add(found(what, f"of type {seen.type}", way_out))
            else:
                checks.add(found(what, "there"))

    def _check_rights(self) -> Finding:
        from kubernetes import client as kubernetes

        denied = []
        for verb, resource, subresource in _LOOKING:
            attributes = kubernetes.V1ResourceAttributes(
                namespace=self.name, verb=verb, resource=resource, subresource=subresource or None
            )
            review = kubernetes.V1SelfSubjectAccessReview(
                spec=kubernetes.V1SelfSubjectAccessReviewSpec(resource_attributes=attributes)
            )
            answer = self._authorization.create_self_subject_access_review(review, _request_timeout=_TIMEOUT_S)
            if not answer.status.allowed:
                denied.append(f"{verb} {resource}{'/' if subresource else ''}{subresource}")
        if denied:
            return found(
                RIGHTS,
                f"not: {', '.join(denied)}",
                f"without the right to {', '.join(denied)} in the namespace {self.name} nobody can see why a pod "
                "fails: ask its administrator for it.",
                Verdict.WARNING,
            )
        return found(RIGHTS, "may look at pods")

    def trouble(self, run_id: str) -> Trouble | None:
        """Why a pod of a run does not start, or None where none has trouble or nobody may look."""
        for pod in self._pods(run_id):
            told = trouble_of(self._plain(pod))
            if told is None and pod.status.phase == "Pending":
                told = self._warning(pod.metadata.name)
            if told is not None:
                return told
        return None

    def _warning(self, pod: str) -> Trouble | None:
        """What hinders a pod that has its node but no containers yet."""
        seen = self._read(self._list_events, pod)
        return None if isinstance(seen, int) else trouble_in_events(map(self._plain, seen.items))

    def _plain(self, thing: Any) -> Any:
        return self._core.api_client.sanitize_for_serialization(thing)

    def _list_events(self, pod: str, **options: Any) -> Any:
        return self._core.list_namespaced_event(self.name, field_selector=f"involvedObject.name={pod}", **options)

    def _list_pods(self, run_id: str, **options: Any) -> Any:
        return self._core.list_namespaced_pod(self.name, label_selector=f"pipeline/runid={run_id}", **options)

    def _pods(self, run_id: str) -> list[Any]:
        seen = self._read(self._list_pods, run_id)
        return [] if isinstance(seen, int) else list(seen.items)

    def complaint(self, run_id: str) -> str:
        """What Kubernetes said when it refused a pod of a run, as far as we may see it; KFP does not pass it on."""
        from kubernetes.client import CustomObjectsApi

        custom = CustomObjectsApi(self._core.api_client)

        def read(**options: Any) -> Any:
            return custom.list_namespaced_custom_object(
                "argoproj.io",
                "v1alpha1",
                self.name,
                "workflows",
                label_selector=f"pipeline/runid={run_id}",
                **options,
            )

        seen = self._read(read)
        workflows = [] if isinstance(seen, int) else seen["items"]
        nodes = [node for workflow in workflows for node in workflow.get("status", {}).get("nodes", {}).values()]
        said = [str(node["message"]) for node in nodes if node.get("type") == "Pod" and node.get("message")]
        return said[0] if said else ""

    def logs(self, run_id: str) -> str:
        """What the pods of a run have printed, as far as we may see it."""
        logs = []
        for pod in self._pods(run_id):
            seen = self._read(self._read_log, pod.metadata.name)
            logs.append(seen if isinstance(seen, str) else "")
        return "\n".join(logs)

    def _read_log(self, pod: str, **options: Any) -> Any:
        return self._core.read_namespaced_pod_log(pod, self.name, container="main", **options)


def open_namespace(name: str) -> Namespace | None:
    """The namespace `name` of the cluster that the kubeconfig names; None where there is no kubeconfig."""
    from kubernetes.client import ApiClient

    found = settings_of()
    return None if found is None else Namespace(ApiClient(found[0]), name)


def _decoded(value: str) -> bytes:
    try:
        return base64.b64decode(value)
    except binascii.Error:
        return b""


def _not_seen(what: str, kind: str, name: str, namespace: str, status: int) -> Finding:
    if status == _FORBIDDEN:
        return skipped(what, "we may not look")
    if what == NAMESPACE:
        way_out = f"the cluster of the kubeconfig has no namespace {name!r}: correct `spec.cluster.namespace`, or let "
        return found(what, "not there", f"{way_out}KUBECONFIG name the cluster of Kubeflow Pipelines.")
    return found(
        what,
        "not there",
        f"create the {kind} {name!r} in the namespace {namespace!r}, or correct its name in `spec.cluster`.",
    )


def _judge_entries(what: str, source: EnvironmentSource, entries: Mapping[str, bytes]) -> Finding:
    """Whether an object of `spec.cluster.environment` holds what pods need; its values are never told."""
    wanted = source.keys or [key for key in entries if key.startswith(_OF_USE)]
    if lacking := ", ".join(key for key in wanted if key not in entries):
        return found(what, f"no {lacking}", f"add {lacking} to the {what}, or take it out of `keys` in `spec.cluster`.")
    if not wanted:
        way_out = "name its entries like the variables that pods need: AWS_…, MLFLOW_…"
        return found(what, "nothing of use", way_out)
    if spoiled := ", ".join(key for key in wanted if not entries[key] or entries[key] != entries[key].strip()):
        return found(
            what,
            f"blanks in {spoiled}",
            f"the values of {spoiled} are empty, or begin or end with a blank or a new line: write them anew, with "
            "`printf %s` or `kubectl create … --from-literal`.",
        )
    return found(what, f"has {', '.join(wanted)}")
