"""ONNX Runtime sessions, configured the same for embed and for serving."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from coachworks.feature_groups import LAST

if TYPE_CHECKING:
    import onnxruntime as ort

INPUT, OUTPUT = "photos", "features"


def open_session(onnx: Path | bytes, threads: int) -> "ort.InferenceSession":
    """Open a CPU session for an ONNX backbone.

    Args:
        onnx: Path of the file, or its content.
        threads: Threads of one pass. One thread per process and one process per core has the highest throughput.
    """
    import onnxruntime as ort

    source: Any = onnx if isinstance(onnx, bytes) else str(onnx)
    return ort.InferenceSession(source, sess_options=session_options(threads), providers=["CPUExecutionProvider"])


def session_options(threads: int) -> "ort.SessionOptions":
    """Return the options of every session.

    Args:
        threads: Threads of one pass.
    """
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 3  # errors only: the warnings are about graph rewrites, which need no action
    # Spinning threads would take CPU time from the processes beside them.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def output_name(group: str) -> str:
    """Return the name of a feature group's output in an ONNX backbone."""
    return OUTPUT if group == LAST else group


def run_session(
    session: "ort.InferenceSession", photos: NDArray[np.float32], groups: Sequence[str] = (LAST,)
) -> NDArray[np.float32]:
    """Return the backbone's features for photos of shape (N, 3, H, W).

    Args:
        session: Session of a backbone that gives the groups.
        photos: The photos.
        groups: The feature groups.

    Returns:
        float32 of shape (N, D): the groups side by side.
    """
    outputs: list[NDArray[np.float32]] = session.run([output_name(group) for group in groups], {INPUT: photos})
    return outputs[0] if len(outputs) == 1 else np.concatenate(outputs, axis=1)
