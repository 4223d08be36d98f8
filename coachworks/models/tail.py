"""Tails: the last blocks of the backbone, trained for one skill, in the head that holds them.

The head's array `graph` is an ONNX graph from the features of a photo to its logits. Its weights are arrays of their
own, `weight.<name>`, which ONNX Runtime receives when the graph is opened; the graph itself only names them.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from coachworks.errors import DataError
from coachworks.models.session import session_options

if TYPE_CHECKING:
    import onnxruntime as ort

Array = NDArray[Any]

KIND = "fine-tune"
GRAPH = "graph"
WEIGHT = "weight."  # beginning of the names of weights
INPUT, OUTPUT = "features", "logits"

_ROWS = 32  # photos per pass: the maps of more do not fit into the processor's cache


def open_tail(arrays: Mapping[str, Array]) -> "ort.InferenceSession":
    """Open the session of a tail, with one thread.

    Args:
        arrays: Arrays of the head.

    Raises:
        DataError: ONNX Runtime cannot load the graph with these weights.
    """
    import onnxruntime as ort

    weights = {name.removeprefix(WEIGHT): array for name, array in arrays.items() if name.startswith(WEIGHT)}
    options = session_options(1)
    options.add_external_initializers(list(weights), [ort.OrtValue.ortvalue_from_numpy(w) for w in weights.values()])
    try:
        return ort.InferenceSession(arrays[GRAPH].tobytes(), sess_options=options, providers=["CPUExecutionProvider"])
    except Exception as err:  # the classes of ONNX Runtime have no other base
        raise DataError(
            f"graph of a {KIND} head must load in ONNX Runtime {ort.__version__} with the head's weights: {err}"
        ) from err


def run_tail(session: "ort.InferenceSession", features: Array) -> NDArray[np.float32]:
    """Return the logits (N, K) of features (N, D)."""
    blocks = [features[start : start + _ROWS] for start in range(0, len(features), _ROWS)]
    return np.concatenate([session.run([OUTPUT], {INPUT: np.ascontiguousarray(block)})[0] for block in blocks])
