"""The cluster that the environment names, the way kubectl and Helm find it, and requests to its API server."""

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
_TIMEOUT_S = (5, 30)  # to connect, to answer
_NAMESPACE_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_WAY_OUT = "Let KUBECONFIG name a kubeconfig (`kubectl config get-contexts` shows what it holds)."


class Connection:
    """An API server that is spoken to in plain JSON; threads may share it.

    Attributes:
        client: Kubernetes' own client.
        context: The kubeconfig's context; `in-cluster` within a pod.
        namespace: The namespace that the context names.
    """

    def __init__(
        self, client: "ApiClient", context: str, namespace: str, timeout_s: tuple[float, float] = _TIMEOUT_S
    ) -> None:
        self.client, self.context, self.namespace = client, context, namespace
        self._timeout_s, self._ahead = timeout_s, timedelta()

    def hurried(self, timeout_s: float) -> "Connection":
        """The same, but an answer is not waited for longer than that."""
        made = Connection(self.client, self.context, self.namespace, (min(timeout_s, _TIMEOUT_S[0]), timeout_s))
        made._ahead = self._ahead
        return made

    @property
    def where(self) -> str:
        """What to call it in a message."""
        return f"the cluster {self.context!r} at {self.client.configuration.host}"

    def now(self) -> datetime:
        """The time by the API server's clock, as its last answer told: the same for all who ask it."""
        return datetime.now(UTC) + self._ahead

    def headers(self) -> dict[str, str]:
        """The headers that say who we are."""
        headers: dict[str, str] = {}
        self.client.update_params_for_auth(headers, [], ["BearerToken"])
        return headers

    def get(self, path: str, **query: str) -> Any:
        """An object, or a list of them."""
        return self._json("GET", path, query)

    def create(self, path: str, body: Mapping[str, Any]) -> Any:
        """The object that Kubernetes made of `body`."""
        return self._json("POST", path, {}, body)

    def replace(self, path: str, body: Mapping[str, Any]) -> Any:
        """The object as it is now; ConflictError where `body` has not its latest resourceVersion."""
        return self._json("PUT", path, {}, body)

    def delete(self, path: str, options: Mapping[str, Any] | None = None) -> None:
        """Remove an object."""
        self._json("DELETE", path, {}, options)

    def text(self, path: str, **query: str) -> str:
        """A log."""
        return self._request("GET", path, query)

    def _json(self, method: str, path: str, query: Mapping[str, str], body: Mapping[str, Any] | None = None) -> Any:
        return json.loads(self._request(method, path, query, body))

    def _request(self, method: str, path: str, query: Mapping[str, str], body: Mapping[str, Any] | None = None) -> str:
        from kubernetes.client import ApiException

        headers = {**self.client.default_headers, **self.headers(), "Accept": "application/json, */*"}
        with translated(self.where):
            try:
                answer = self.client.request(
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
        self._set_clock(answer.getheaders())
        return str(answer.data)

    def _set_clock(self, headers: Mapping[str, str]) -> None:
        if told := headers.get("Date"):
            self._ahead = parsedate_to_datetime(told) - datetime.now(UTC)


def path_of(version: str, resource: str, namespace: str, *more: str) -> str:
    """The path of a resource in a namespace.

    >>> path_of("apps/v1", "deployments", "models"), path_of("v1", "pods", "models", "a", "log")
    ('/apis/apps/v1/namespaces/models/deployments', '/api/v1/namespaces/models/pods/a/log')
    """
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    return "/".join((root, "namespaces", *(quote(part, safe="") for part in (namespace, resource, *more))))


def settings_of(environ: Mapping[str, str] = os.environ) -> tuple["Configuration", str, str] | None:
    """The client's settings, the context and its namespace; None where nothing names a cluster.

    A kubeconfig goes before the service account of a pod. HELM_KUBECONTEXT names another context than the current
    one, for Helm takes it from there too.

    Raises:
        InvalidConfigError: the kubeconfig cannot be used.
    """
    from kubernetes import client, config
    from yaml import YAMLError  # type: ignore[import-untyped]

    settings = client.Configuration()
    settings.retries = 0
    file, chosen = environ.get("KUBECONFIG") or None, environ.get("HELM_KUBECONTEXT") or None
    try:
        contexts, current = config.list_kube_config_contexts(file)
    except (config.ConfigException, OSError):
        return _settings_within(settings)
    except (YAMLError, TypeError, KeyError, AttributeError) as err:
        raise InvalidConfigError(f"the kubeconfig cannot be read: {err}. {_WAY_OUT}") from err
    context = next((found for found in contexts if found["name"] == chosen), None) if chosen else current
    if context is None:
        raise InvalidConfigError(f"the kubeconfig has no context {chosen!r}, which HELM_KUBECONTEXT names. {_WAY_OUT}")
    try:
        config.load_kube_config(file, context=context["name"], client_configuration=settings)
    except (config.ConfigException, OSError, ValueError) as err:
        raise InvalidConfigError(
            f"the kubeconfig's context {context['name']!r} cannot be used: {err}. {_WAY_OUT}"
        ) from err
    return settings, str(context["name"]), str(context["context"].get("namespace") or "default")


def _settings_within(settings: "Configuration") -> tuple["Configuration", str, str] | None:
    from kubernetes import config

    try:
        config.load_incluster_config(client_configuration=settings)
    except config.ConfigException:
        return None
    try:
        namespace = _NAMESPACE_FILE.read_text("utf-8").strip()
    except OSError:
        namespace = "default"
    return settings, IN_CLUSTER, namespace


def connect(environ: Mapping[str, str] = os.environ) -> Connection:
    """The cluster that the environment names.

    Raises:
        InvalidConfigError: nothing names one, or the kubeconfig cannot be used.
    """
    from kubernetes.client import ApiClient

    found = settings_of(environ)
    if found is None:
        raise InvalidConfigError(f"nothing says which Kubernetes cluster is meant. {_WAY_OUT}")
    settings, context, namespace = found
    return Connection(ApiClient(settings), context, namespace)
