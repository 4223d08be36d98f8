"""Connection to the cluster that the environment names, found the way kubectl and Helm find it."""

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from coachworks.errors import InvalidConfigError
from coachworks.kubernetes_api.failures import translated

if TYPE_CHECKING:
    from kubernetes.client import ApiClient, Configuration

IN_CLUSTER = "in-cluster"
_TIMEOUT_S = (5, 30)  # to connect, to read the response
_NAMESPACE_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_ACCESS_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_WAY_OUT = "Set KUBECONFIG to a kubeconfig (`kubectl config get-contexts` lists its contexts)."


class Connection:
    """Client of an API server that sends and receives plain JSON; safe to share between threads.

    Attributes:
        client: Client of the `kubernetes` package, used for transport and authentication only.
        context: Context of the kubeconfig; `in-cluster` within a pod.
        namespace: Default namespace of the context.
    """

    def __init__(
        self, client: "ApiClient", context: str, namespace: str, timeout_s: tuple[float, float] = _TIMEOUT_S
    ) -> None:
        self.client, self.context, self.namespace = client, context, namespace
        self._timeout_s, self._clock_offset = timeout_s, timedelta()

    def with_timeout(self, timeout_s: float) -> "Connection":
        """Return a connection to the same server that waits for a response no longer than `timeout_s`."""
        limits = (min(timeout_s, _TIMEOUT_S[0]), timeout_s)
        connection = Connection(self.client, self.context, self.namespace, limits)
        connection._clock_offset = self._clock_offset
        return connection

    @property
    def where(self) -> str:
        """Description of the cluster for messages."""
        return f"the cluster {self.context!r} at {self.client.configuration.host}"

    def now(self) -> datetime:
        """Current time on the API server, from its last Date header, so that all its clients agree."""
        return datetime.now(UTC) + self._clock_offset

    def headers(self) -> dict[str, str]:
        """Authentication headers."""
        headers: dict[str, str] = {}
        self.client.update_params_for_auth(headers, [], ["BearerToken"])
        return headers

    def get(self, path: str, **query: str) -> Any:
        """Return an object, or a list of objects."""
        return self._json("GET", path, query)

    def create(self, path: str, body: Mapping[str, Any]) -> Any:
        """Create an object and return it as stored.

        Raises:
            ConflictError: it exists already.
        """
        return self._json("POST", path, {}, body)

    def replace(self, path: str, body: Mapping[str, Any], **query: str) -> Any:
        """Replace an object and return it as stored; with `dryRun="All"`, as it would be stored.

        Raises:
            ConflictError: the resourceVersion of `body` is not the latest.
        """
        return self._json("PUT", path, query, body)

    def merge(self, path: str, changes: Mapping[str, Any]) -> Any:
        """Change the fields of an object that `changes` names and return it as stored."""
        return self._json("PATCH", path, {}, changes)

    def delete(self, path: str, options: Mapping[str, Any] | None = None) -> None:
        """Delete an object."""
        self._json("DELETE", path, {}, options)

    def text(self, path: str, **query: str) -> str:
        """Return a response that is not JSON, such as a pod's log."""
        return self._request("GET", path, query)

    def allows(self, verb: str, resource: str, namespace: str) -> bool:
        """Return whether the API server grants us a right in a namespace.

        Args:
            verb: The verb, such as `create`.
            resource: Resource with its subresource and API group: `pods/log`, `deployments.apps`.
            namespace: The namespace.
        """
        name, _, group = resource.partition(".")
        kind, _, subresource = name.partition("/")
        attributes = {"namespace": namespace, "verb": verb, "group": group, "resource": kind}
        attributes |= {"subresource": subresource} if subresource else {}
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
        return bool(self.create(_ACCESS_REVIEWS, review)["status"]["allowed"])

    def _json(self, method: str, path: str, query: Mapping[str, str], body: Mapping[str, Any] | None = None) -> Any:
        return json.loads(self._request(method, path, query, body))

    def _request(self, method: str, path: str, query: Mapping[str, str], body: Mapping[str, Any] | None = None) -> str:
        from kubernetes.client import ApiException

        headers = {**self.client.default_headers, **self.headers(), "Accept": "application/json, */*"}
        headers |= {"Content-Type": "application/merge-patch+json"} if method == "PATCH" else {}
        with translated(self.where):
            try:
                response = self.client.request(
                    method,
                    self.client.configuration.host + path,
                    query_params=list(query.items()),
                    headers=headers,
                    body=body,
                    _request_timeout=self._timeout_s,
                )
            except ApiException as err:
                self._set_clock(err.headers or {})
                raise
        self._set_clock(response.getheaders())
        return str(response.data)

    def _set_clock(self, headers: Mapping[str, str]) -> None:
        if date := headers.get("Date"):
            self._clock_offset = parsedate_to_datetime(date) - datetime.now(UTC)


def path_of(version: str, resource: str, namespace: str, *more: str) -> str:
    """Return the path of a resource in a namespace.

    >>> path_of("apps/v1", "deployments", "models"), path_of("v1", "pods", "models", "a", "log")
    ('/apis/apps/v1/namespaces/models/deployments', '/api/v1/namespaces/models/pods/a/log')
    """
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    return "/".join((root, "namespaces", *(quote(part, safe="") for part in (namespace, resource, *more))))


def find_connection(environ: Mapping[str, str] = os.environ) -> Connection | None:
    """Return a connection to the cluster that the environment names; None where it names none.

    A kubeconfig takes precedence over the service account of a pod. HELM_KUBECONTEXT selects another context than
    the current one, as it does for Helm.

    Raises:
        InvalidConfigError: the kubeconfig cannot be used.
    """
    from kubernetes import client, config
    from yaml import YAMLError

    settings = client.Configuration()
    settings.retries = 0
    file, chosen = environ.get("KUBECONFIG") or None, environ.get("HELM_KUBECONTEXT") or None
    try:
        contexts, current = config.list_kube_config_contexts(file)
    except (config.ConfigException, OSError):
        return _connection_in_cluster(settings)
    except (YAMLError, TypeError, KeyError, AttributeError) as err:
        raise InvalidConfigError(f"the kubeconfig cannot be read: {err}. {_WAY_OUT}") from err
    context = next((each for each in contexts if each["name"] == chosen), None) if chosen else current
    if context is None:
        raise InvalidConfigError(f"the kubeconfig has no context {chosen!r}, which HELM_KUBECONTEXT names. {_WAY_OUT}")
    try:
        config.load_kube_config(file, context=context["name"], client_configuration=settings)
    except (config.ConfigException, OSError, ValueError) as err:
        raise InvalidConfigError(
            f"the kubeconfig's context {context['name']!r} cannot be used: {err}. {_WAY_OUT}"
        ) from err
    return _connection(settings, str(context["name"]), str(context["context"].get("namespace") or "default"))


def connect(environ: Mapping[str, str] = os.environ) -> Connection:
    """Return a connection to the cluster that the environment names; see `find_connection`.

    Raises:
        InvalidConfigError: the environment names no cluster, or the kubeconfig cannot be used.
    """
    connection = find_connection(environ)
    if connection is None:
        raise InvalidConfigError(f"no Kubernetes cluster is configured. {_WAY_OUT}")
    return connection


def _connection_in_cluster(settings: "Configuration") -> Connection | None:
    from kubernetes import config

    try:
        config.load_incluster_config(client_configuration=settings)
    except config.ConfigException:
        return None
    try:
        namespace = _NAMESPACE_FILE.read_text("utf-8").strip()
    except OSError:
        namespace = "default"
    return _connection(settings, IN_CLUSTER, namespace)


def _connection(settings: "Configuration", context: str, namespace: str) -> Connection:
    from kubernetes.client import ApiClient

    return Connection(ApiClient(settings), context, namespace)
