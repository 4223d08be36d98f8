"""Conversion of a torch module to one self-contained ONNX file, checked to compute the same."""

import logging
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from coachworks.errors import DataError
from coachworks.feature_groups import ACTIVATION
from coachworks.models.session import INPUT, open_session, output_name, run_session
from components.embed.grouped import grouped
from components.embed.source import Source

if TYPE_CHECKING:
    import torch

_OPSET = 18
# Allowed difference from torch, relative to the largest feature: ten times the usual float32 rounding.
_TOLERANCE = 5e-4

logger = logging.getLogger(__name__)


def convert(source: Source, *, activation: bool = False) -> tuple[bytes, dict[str, int]]:
    """Convert a backbone to ONNX, with all of its feature groups.

    Args:
        source: The backbone.
        activation: Whether the file gives the activation at the cut, too.

    Returns:
        The ONNX file, input `photos` float32 (N, 3, H, W), an output float32 (N, D) for each group, called `features`
        for `last` and as the group for the others, N free; and D of each group.

    Raises:
        DataError: the file computes other features than torch, or the module does not return one vector per photo.
    """
    with one_thread():
        return _converted(source, activation)


@contextmanager
def one_thread() -> Iterator[None]:
    """Limit torch to one thread: on a busy machine, several wait for one another ten times as long as they work."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def trimmed(onnx: bytes, groups: Sequence[str]) -> bytes:
    """Return an ONNX backbone without what only other feature groups need.

    Args:
        onnx: Content of a file of `convert`.
        groups: The groups to keep.
    """
    from onnx import load_model_from_string
    from onnx.utils import Extractor

    model = load_model_from_string(onnx)
    kept = Extractor(model).extract_model([INPUT], [output_name(group) for group in groups])
    return bytes(kept.SerializeToString(deterministic=True))


def _converted(source: Source, activation: bool) -> tuple[bytes, dict[str, int]]:
    import torch

    module: Any = grouped(source)
    if activation:
        module = grouped(source, (*module.groups, ACTIVATION))
    rng = np.random.default_rng(0)
    photos = torch.from_numpy(rng.standard_normal((2, 3, source.input_px, source.input_px), np.float32))
    onnx = exported(module, photos, INPUT, [output_name(group) for group in module.groups])
    for count in (1, 3):  # other batch sizes than that of the export
        photos = torch.from_numpy(rng.standard_normal((count, 3, source.input_px, source.input_px), np.float32))
        _must_agree(source, module, onnx, photos)
    return onnx, dict(module.sizes)


def exported(module: Any, example: "torch.Tensor", name: str, outputs: Sequence[str]) -> bytes:
    """Export a module of one input to ONNX: by tracing, which is ten times as fast, or by capturing where that fails.

    Args:
        module: The module, in evaluation mode.
        example: An input, with two or more rows.
        name: Name of the input.
        outputs: Names of the outputs.
    """
    import torch

    names: dict[str, Any] = {"input_names": [name], "output_names": list(outputs), "opset_version": _OPSET}
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        path = Path(folder, "backbone.onnx")
        try:
            axes = {each: {0: "n"} for each in (name, *outputs)}
            torch.onnx.export(module, (example,), path, dynamo=False, dynamic_axes=axes, **names)
        except (RuntimeError, TypeError, ValueError, torch.onnx.errors.OnnxExporterError) as err:
            logger.info("tracing failed, capturing the graph instead", extra={"error": str(err)})
            shapes = ({0: torch.export.Dim("n")},)
            torch.onnx.export(
                module,
                (example,),
                path,
                dynamo=True,
                dynamic_shapes=shapes,
                external_data=False,
                verbose=False,
                **names,
            )
        return path.read_bytes()


def _must_agree(source: Source, module: Any, onnx: bytes, photos: "torch.Tensor") -> None:
    import torch

    with torch.inference_mode():
        values = module(photos)
    session = open_session(onnx, threads=1)
    for group, tensor in zip(module.groups, values, strict=True):
        expected, got = tensor.numpy(), run_session(session, photos.numpy(), (group,))
        difference = float(np.abs(got - expected).max()) if got.shape == expected.shape else float("inf")
        bound = _TOLERANCE * max(1.0, float(np.abs(expected).max()))
        if not difference <= bound:
            raise DataError(
                f"the backbone {source.name!r} computes other features as ONNX than with torch: {group} must agree "
                f"within {bound:.2g}; the largest difference is {difference:.2g}. Choose another backbone."
            )
        logger.info("backbone converted", extra={"backbone": source.name, "group": group, "difference": difference})
