"""Conversion of a trained network to the arrays of a head, checked to compute the same."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from coachworks.errors import DataError
from coachworks.models.tail import GRAPH, INPUT, OUTPUT, WEIGHT, open_tail, run_tail
from components.embed.conversion import exported, one_thread

if TYPE_CHECKING:
    import torch

TOLERANCE = 1e-4  # of logits, relative to the largest where that is above 1
_LEAST = 256  # numbers of an array that is stored as a weight; smaller ones stay in the graph


def head_arrays(network: "torch.nn.Module", dimensions: int) -> dict[str, NDArray[Any]]:
    """Return the arrays of a head that computes the same as a network.

    Args:
        network: The network, from features (N, D) to logits (N, K), in evaluation mode and on the CPU.
        dimensions: D.

    Raises:
        DataError: the ONNX graph computes other logits than torch.
    """
    import torch

    features = np.random.default_rng(0).standard_normal((5, dimensions), np.float32)
    with one_thread(), torch.inference_mode():
        expected = network(torch.from_numpy(features)).numpy()
    with one_thread():
        graph = exported(network, torch.from_numpy(features[:2]), INPUT, [OUTPUT])
    arrays = _taken_apart(graph)
    session = open_tail(arrays)
    for count in (1, 5):  # other batch sizes than that of the export
        got = run_tail(session, features[:count])
        difference = float(np.abs(got - expected[:count]).max()) if got.shape == expected[:count].shape else np.inf
        bound = TOLERANCE * max(1.0, float(np.abs(expected).max()))
        if not difference <= bound:
            raise DataError(
                f"the fine-tuned network must compute the same as ONNX and with torch, within {bound:.2g}; the largest "
                f"difference is {difference:.2g}. Remove `fine-tune` from the candidates, or choose another backbone."
            )
    return arrays


def _taken_apart(onnx: bytes) -> dict[str, NDArray[Any]]:
    """Return the weights of an ONNX graph, and the graph with their names in their place."""
    from onnx import TensorProto, load_model_from_string
    from onnx.numpy_helper import to_array
    from onnx.utils import Extractor

    model = Extractor(load_model_from_string(onnx)).extract_model([INPUT], [OUTPUT])  # without what nothing reads
    arrays: dict[str, NDArray[Any]] = {}
    for tensor in model.graph.initializer:
        values = to_array(tensor)
        if tensor.data_type != TensorProto.FLOAT or values.size < _LEAST:
            continue
        arrays[f"{WEIGHT}{tensor.name}"] = np.ascontiguousarray(values)
        named = TensorProto(name=tensor.name, data_type=TensorProto.FLOAT, dims=list(values.shape))
        named.data_location = TensorProto.EXTERNAL
        named.external_data.add(key="location", value="head")
        tensor.CopyFrom(named)
    graph = model.SerializeToString(deterministic=True)
    return {GRAPH: np.frombuffer(graph, np.uint8).copy(), **arrays}
