"""Labels of the pod in which this process runs."""

import contextlib
import os
from collections.abc import Mapping

from coachworks.errors import CoachworksError
from coachworks.kubernetes_api.connection import find_connection, path_of

_TIMEOUT_S = 5  # labels are for people who list pods: no step waits for them


def label_own_pod(labels: Mapping[str, str], environ: Mapping[str, str] = os.environ) -> bool:
    """Add labels to the own pod, as far as its service account may; return whether it has them.

    Args:
        labels: Values by key, both in the syntax of Kubernetes' labels.
        environ: Environment. Kubeflow Pipelines sets KFP_POD_NAME to the pod's name; HOSTNAME has at most its first 63
            characters.
    """
    pod = environ.get("KFP_POD_NAME") or environ.get("HOSTNAME")
    if not pod or not environ.get("KUBERNETES_SERVICE_HOST"):
        return False
    with contextlib.suppress(CoachworksError):
        connection = find_connection(environ)
        if connection is not None:
            path = path_of("v1", "pods", connection.namespace, pod)
            connection.with_timeout(_TIMEOUT_S).merge(path, {"metadata": {"labels": dict(labels)}})
            return True
    return False
