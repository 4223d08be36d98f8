"""Conversion of a torch module to one self-contained ONNX file, checked to compute the same."""

import logging
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from coachworks.errors import DataError
from coachworks.models.session import INPUT, OUTPUT, open_session, run_session
from components.embed.source import Source

if TYPE_CHECKING:
    import torch

_OPSET = 18
# Allowed difference from torch, relative to the largest feature: ten times the usual float32 rounding.
_TOLERANCE = 5e-4

logger = logging.getLogger(__name__)


def convert(source: Source) -> tuple[bytes, int]:
    """Convert a backbone to ONNX.

    Args:
        source: The backbone.

    Returns:
        The ONNX file, input `photos` float32 (N, 3, H, W), output `features` float32 (N, D), N free; and D.

    Raises:
        DataError: the file computes other features than torch, or the module does not return one vector per photo.
    """
    with _one_thread():
        return _converted(source)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Limit torch to one thread: on a busy machine, several wait for one another ten times as long as they work."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _converted(source: Source) -> tuple[bytes, int]:
    import torch

    module = source.load()
    rng = np.random.default_rng(0)
    photos = torch.from_numpy(rng.standard_normal((2, 3, source.input_px, source.input_px), np.float32))
    with torch.inference_mode():
        features = module(photos)
    if features.ndim != 2:
        raise DataError(f"backbone {source.name!r} must return one vector per photo; got shape {tuple(features.shape)}")
    onnx = _exported(module, photos)
    for count in (1, 3):  # other batch sizes than that of the export
        photos = torch.from_numpy(rng.standard_normal((count, 3, source.input_px, source.input_px), np.float32))
        _must_agree(source, module, onnx, photos)
    return onnx, int(features.shape[1])


def _exported(module: "torch.nn.Module", photos: "torch.Tensor") -> bytes:
    """Export by tracing, which is ten times as fast, or by capturing the graph where tracing fails."""
    import torch

    names: dict[str, Any] = {"input_names": [INPUT], "output_names": [OUTPUT], "opset_version": _OPSET}
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        path = Path(folder, "backbone.onnx")
        try:
            axes = {INPUT: {0: "n"}, OUTPUT: {0: "n"}}
            torch.onnx.export(module, (photos,), path, dynamo=False, dynamic_axes=axes, **names)
        except (RuntimeError, TypeError, ValueError, torch.onnx.errors.OnnxExporterError) as err:
            logger.info("tracing failed, capturing the graph instead", extra={"error": str(err)})
            shapes = ({0: torch.export.Dim("n")},)
            torch.onnx.export(
                module, (photos,), path, dynamo=True, dynamic_shapes=shapes, external_data=False, verbose=False, **names
            )
        return path.read_bytes()


def _must_agree(source: Source, module: "torch.nn.Module", onnx: bytes, photos: "torch.Tensor") -> None:
    import torch

    with torch.inference_mode():
        expected = module(photos).numpy()
    got = run_session(open_session(onnx, threads=1), photos.numpy())
    difference = float(np.abs(got - expected).max()) if got.shape == expected.shape else float("inf")
    bound = _TOLERANCE * max(1.0, float(np.abs(expected).max()))
    if not difference <= bound:
        raise DataError(
            f"the backbone {source.name!r} computes other features as ONNX than with torch: they must agree within "
            f"{bound:.2g}; the largest difference is {difference:.2g}. Choose another backbone."
        )
    logger.info("backbone converted", extra={"backbone": source.name, "max_difference": difference})
