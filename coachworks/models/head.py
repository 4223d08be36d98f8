"""Heads: the trained part of a skill on top of the backbone, evaluated with NumPy, or with ONNX Runtime if fine-tuned.

A head is one safetensors file: its arrays, and one JSON document in the header that describes them. Nothing in it can
run code, and an inconsistent file is refused when it is read.
"""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coachworks.digests import canonical_json
from coachworks.errors import DataError
from coachworks.feature_groups import GROUPS, LAST, ordered
from coachworks.models import tail

Array = NDArray[Any]
Floats = NDArray[np.float32]

FORMAT_VERSION = 1
_KEY = "coachworks.head"  # one key only: safetensors writes several in random order, which would change the digest
_ROWS = 1024  # photos per block
_SIMILARITIES = 1 << 24  # at once, between photos and the references of k-nearest neighbours: 64 MB

# kind -> array -> (dtype, shape). K labels, D dimensions of the features, P reduced dimensions, M rows, H hidden units.
_REDUCED = {"offset": ("float32", "D"), "projection": ("float32", "DP")}
ARRAYS: Mapping[str, Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "linear": {"weight": ("float32", "KD"), "bias": ("float32", "K")},
        "naive-bayes": {
            **_REDUCED,
            "means": ("float32", "KP"),
            "variances": ("float32", "KP"),
            "log_priors": ("float32", "K"),
        },
        "knn": {
            **_REDUCED,
            "references": ("float32", "MP"),
            "reference_labels": ("int64", "M"),
            "label_weights": ("float32", "K"),
        },
        "svm": {**_REDUCED, "landmarks": ("float32", "MP"), "weight": ("float32", "KM"), "bias": ("float32", "K")},
        "mlp": {
            "hidden_weight": ("float32", "HD"),
            "hidden_bias": ("float32", "H"),
            "weight": ("float32", "KH"),
            "bias": ("float32", "K"),
        },
        tail.KIND: {tail.GRAPH: ("uint8", "G")},  # beside its weights, of any names and shapes
    }
)
# kind -> numbers that inference needs beside the arrays
NUMBERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"knn": ("neighbours", "smoothing"), "svm": ("gamma",), tail.KIND: ("dimensions",)}
)


@dataclass(frozen=True, eq=False, kw_only=True)
class Head:
    """Trained head of one skill.

    Attributes:
        kind: `linear`, `naive-bayes`, `knn`, `svm`, `mlp` or `fine-tune`.
        labels: The K possible answers, in the order of the logits.
        arrays: The trained parameters; names, types and shapes per kind are in `ARRAYS`.
        backbone_digest: Digest of the backbone whose features it reads; others give meaningless answers.
        temperature: Divisor of the logits before the softmax, > 0; 1 is uncalibrated.
        parameters: Hyper-parameters, JSON values; inference reads those named in `NUMBERS`.
        groups: Feature groups that it reads, side by side in this order.

    Raises:
        DataError: the parts do not fit together.
    """

    kind: str
    labels: tuple[str, ...]
    arrays: Mapping[str, Array]
    backbone_digest: str
    temperature: float = 1.0
    parameters: Mapping[str, Any] = field(default_factory=dict)
    groups: tuple[str, ...] = (LAST,)

    def __post_init__(self) -> None:
        _check(self)

    @property
    def dimensions(self) -> int:
        """Dimensions D of its features."""
        if self.kind == tail.KIND:
            return int(self.parameters["dimensions"])
        name, axis = {"linear": ("weight", 1), "mlp": ("hidden_weight", 1)}.get(self.kind, ("projection", 0))
        return int(self.arrays[name].shape[axis])

    @cached_property
    def _session(self) -> Any:
        return tail.open_tail(self.arrays)

    def logits(self, features: Array) -> Floats:
        """Compute the scores before calibration; the label of the greatest is the answer.

        Args:
            features: The backbone's features of the groups that the head reads, shape (N, D).

        Returns:
            float32, shape (N, K).

        Raises:
            DataError: the features have another shape.
        """
        features = np.asarray(features, dtype=np.float32)
        if features.ndim != 2 or features.shape[1] != self.dimensions:
            raise DataError(f"features must have the shape (photos, {self.dimensions}); got {features.shape}")
        logits = np.empty((len(features), len(self.labels)), np.float32)
        for start in range(0, len(features), _ROWS):
            block = slice(start, start + _ROWS)
            logits[block] = _INFERENCE[self.kind](self, features[block])
        return logits

    def probabilities(self, features: Array) -> Floats:
        """Compute the calibrated probabilities, softmax(logits / temperature): float32, shape (N, K), rows sum to 1."""
        return softmax(self.logits(features), self.temperature)

    def save(self, path: Path) -> None:
        """Write the head to `path`; equal heads give equal bytes."""
        from safetensors.numpy import save

        document: dict[str, Any] = {
            "version": FORMAT_VERSION,
            "kind": self.kind,
            "labels": list(self.labels),
            "temperature": self.temperature,
            "backbone_digest": self.backbone_digest,
            "parameters": dict(self.parameters),
        }
        if self.groups != (LAST,):  # left out, the bytes are those of earlier versions
            document["groups"] = list(self.groups)
        arrays = {name: np.ascontiguousarray(array) for name, array in self.arrays.items()}
        path.write_bytes(save(arrays, metadata={_KEY: canonical_json(document)}))


def load_head(path: Path) -> Head:
    """Read the head in the file `path`.

    Raises:
        DataError: the file is not a head, has another format version, or its parts do not fit together.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 — not a mapping
    except (SafetensorError, OSError, TypeError, ValueError) as err:
        raise DataError(f"head must be a readable safetensors file; {path.name!r} is not: {err}") from err
    if _KEY not in metadata:
        raise DataError(f"head must carry {_KEY!r} in its header; {path.name!r} does not. Was it made by `coachworks`?")
    try:
        document = json.loads(metadata[_KEY])
    except json.JSONDecodeError as err:
        raise DataError(f"header of the head {path.name!r} must be JSON: {err}") from err
    version = document.get("version") if isinstance(document, dict) else None
    if version != FORMAT_VERSION:
        raise DataError(
            f"format version of the head {path.name!r} must be {FORMAT_VERSION}; got {version!r}. "
            "Train it again, or use the version of coachworks that wrote it."
        )
    try:
        return Head(
            kind=document["kind"],
            labels=tuple(document["labels"]),
            arrays=arrays,
            backbone_digest=document["backbone_digest"],
            temperature=document["temperature"],
            parameters=document["parameters"],
            groups=tuple(document.get("groups", (LAST,))),
        )
    except (KeyError, TypeError) as err:
        raise DataError(f"header of the head {path.name!r} must hold every field of a head: {err}") from err


def softmax(logits: Array, temperature: float = 1.0) -> Floats:
    """Probabilities from logits of shape (N, K); shifting each row by its maximum avoids an overflow."""
    scaled = np.asarray(logits, np.float64) / temperature
    exponent = np.exp(scaled - scaled.max(axis=1, keepdims=True, initial=-np.inf))
    return np.asarray(exponent / exponent.sum(axis=1, keepdims=True), np.float32)


def _check(head: Head) -> None:
    if not isinstance(head.kind, str) or head.kind not in ARRAYS:
        raise DataError(f"kind of a head must be one of {', '.join(ARRAYS)}; got {head.kind!r}")
    labels = head.labels
    if len(labels) < 2 or len(set(labels)) < len(labels) or not all(isinstance(label, str) for label in labels):
        raise DataError(f"labels of a head must be two or more different strings; got {list(labels)!r}")
    if not _positive(head.temperature):
        raise DataError(f"temperature of a head must be a positive number; got {head.temperature!r}")
    if not isinstance(head.backbone_digest, str):
        raise DataError(f"backbone_digest of a head must be a string; got {head.backbone_digest!r}")
    if not head.groups or head.groups != ordered(head.groups):
        raise DataError(f"groups of a head must be of {', '.join(GROUPS)}, in this order; got {list(head.groups)!r}")
    expected = ARRAYS[head.kind]
    further = {name for name in head.arrays if head.kind == tail.KIND and name.startswith(tail.WEIGHT)}
    if set(head.arrays) - further != set(expected):
        raise DataError(f"arrays of a {head.kind} head must be {sorted(expected)}; got {sorted(head.arrays)}")
    for name in sorted(further):
        if head.arrays[name].dtype != np.float32 or not np.isfinite(head.arrays[name]).all():
            raise DataError(f"array {name!r} of a {head.kind} head must be float32 and finite")
    sizes = {"K": len(labels)}
    for name, (dtype, shape) in expected.items():
        array = head.arrays[name]
        if array.dtype != dtype or array.ndim != len(shape):
            raise DataError(
                f"array {name!r} of a {head.kind} head must be {dtype} with {len(shape)} axes; "
                f"got {array.dtype} of shape {array.shape}"
            )
        for axis, size in zip(shape, array.shape, strict=True):
            if size < 1 or sizes.setdefault(axis, size) != size:
                raise DataError(
                    f"shapes of a {head.kind} head must fit together; {name!r} has {array.shape}, "
                    f"where {axis} is {sizes.get(axis)}"
                )
        if not np.isfinite(array).all():
            raise DataError(f"array {name!r} of a {head.kind} head must be finite; it holds NaN or infinity")
    _check_numbers(head)


def _check_numbers(head: Head) -> None:
    for name in NUMBERS.get(head.kind, ()):
        if not _positive(head.parameters.get(name)):
            raise DataError(
                f"{name} of a {head.kind} head must be a positive number; got {head.parameters.get(name)!r}"
            )
    if head.kind == "knn":
        answers, neighbours = head.arrays["reference_labels"], head.parameters["neighbours"]
        if answers.min() < 0 or answers.max() >= len(head.labels):
            raise DataError(f"reference_labels of a knn head must be in [0, {len(head.labels)})")
        if neighbours != int(neighbours) or neighbours > len(answers):
            raise DataError(
                f"neighbours of a knn head must be an integer of at most {len(answers)}; got {neighbours!r}"
            )
    if head.kind == "naive-bayes" and head.arrays["variances"].min() <= 0:
        raise DataError("variances of a naive-bayes head must be positive")


def _positive(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) and value > 0


def _reduced(head: Head, features: Floats) -> Floats:
    return np.asarray((features - head.arrays["offset"]) @ head.arrays["projection"], np.float32)


def _linear(head: Head, features: Floats) -> Array:
    return np.asarray(features @ head.arrays["weight"].T + head.arrays["bias"])


def _mlp(head: Head, features: Floats) -> Array:
    hidden = np.maximum(features @ head.arrays["hidden_weight"].T + head.arrays["hidden_bias"], 0)
    return np.asarray(hidden @ head.arrays["weight"].T + head.arrays["bias"])


def _naive_bayes(head: Head, features: Floats) -> Array:
    """Logarithm of prior × likelihood with independent Gaussians, one per label and dimension."""
    points = _reduced(head, features).astype(np.float64)
    means, variances = (head.arrays[name].astype(np.float64) for name in ("means", "variances"))
    # (x-m)²/v expanded, to avoid a photos × labels × dimensions table
    precision = 1 / variances
    squares = (points**2) @ precision.T - 2 * points @ (means * precision).T + (means**2 * precision).sum(1)
    return np.asarray(head.arrays["log_priors"] - 0.5 * (squares + np.log(2 * np.pi * variances).sum(1)))


def _knn(head: Head, features: Floats) -> Array:
    """Logarithm of the smoothed, weighted share of each label among the nearest references by cosine."""
    points, references = unit_rows(_reduced(head, features)), head.arrays["references"]
    votes = [
        neighbour_votes(
            points[rows] @ references.T,
            head.arrays["reference_labels"],
            head.arrays["label_weights"],
            int(head.parameters["neighbours"]),
        )
        for rows in rows_of_similarities(len(points), len(references))
    ]
    return np.log(smoothed_shares(np.concatenate(votes), float(head.parameters["smoothing"])))


def _svm(head: Head, features: Floats) -> Array:
    """One value per label: Σ weight · exp(-gamma · ‖x - landmark‖²) + bias."""
    kernel = gaussian_kernel(_reduced(head, features), head.arrays["landmarks"], float(head.parameters["gamma"]))
    return np.asarray(kernel @ head.arrays["weight"].T + head.arrays["bias"])


def _fine_tuned(head: Head, features: Floats) -> Array:
    return tail.run_tail(head._session, features)


_INFERENCE: Mapping[str, Callable[[Head, Floats], Array]] = MappingProxyType(
    {"linear": _linear, "naive-bayes": _naive_bayes, "knn": _knn, "svm": _svm, "mlp": _mlp, tail.KIND: _fine_tuned}
)


def unit_rows(points: Array) -> Floats:
    """Scale rows to length 1, shape (N, P); rows of zeros stay zero."""
    length = np.linalg.norm(points, axis=1, keepdims=True)
    return np.asarray(points / np.where(length > 0, length, 1), np.float32)


def rows_of_similarities(photos: int, references: int) -> list[slice]:
    """Return blocks of at least one photo, each with at most `_SIMILARITIES` similarities to the references."""
    size = max(1, _SIMILARITIES // references)
    return [slice(start, start + size) for start in range(0, max(1, photos), size)]


def neighbour_votes(similarity: Array, answers: Array, label_weights: Array, neighbours: int) -> Floats:
    """Count the weighted votes of the most similar references.

    Args:
        similarity: Cosine to each reference, shape (N, M).
        answers: Label index of each reference, int64, shape (M,).
        label_weights: Weight of a vote for each label, shape (K,).
        neighbours: Number of references that vote.

    Returns:
        float32, shape (N, K).
    """
    if neighbours < similarity.shape[1]:
        nearest = np.argpartition(-similarity, neighbours - 1, axis=1)[:, :neighbours]
    else:
        nearest = np.broadcast_to(np.arange(similarity.shape[1]), similarity.shape)
    votes = np.zeros((len(similarity), len(label_weights)), np.float32)
    rows = np.broadcast_to(np.arange(len(similarity))[:, None], nearest.shape)
    np.add.at(votes, (rows, answers[nearest]), label_weights[answers[nearest]])
    return votes


def smoothed_shares(votes: Array, smoothing: float) -> Floats:
    """Shares of the votes after adding `smoothing` votes to every label, so that no share is 0: shape (N, K)."""
    raised = votes + smoothing
    return np.asarray(raised / raised.sum(axis=1, keepdims=True), np.float32)


def gaussian_kernel(points: Array, landmarks: Array, gamma: float) -> Floats:
    """exp(-gamma · ‖x - y‖²) for every row x of `points` (N, P) and y of `landmarks` (M, P): float32, (N, M)."""
    squares = (points**2).sum(1)[:, None] + (landmarks**2).sum(1)[None, :] - 2 * points @ landmarks.T
    return np.asarray(np.exp(-gamma * np.maximum(squares, 0)), np.float32)
