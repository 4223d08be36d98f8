"""Albumentations objects from the transforms in a fleet file, with errors where Albumentations only warns."""

import inspect
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from coachworks.errors import InvalidConfigError
from coachworks.wording import did_you_mean
from components.augment import box_jitter
from components.augment.copying import DONOR, NAMES, copying
from components.augment.named import TOOLKIT, resolved
from components.augment.toolkit import albumentations

# Variations of a hand-held camera. None of them blurs, adds noise or loses resolution, so that labels about the
# photo's quality stay true.
DEFAULT: tuple[dict[str, dict[str, Any]], ...] = (
    {"RandomCropFromBorders": {"crop_left": 0.12, "crop_right": 0.12, "crop_top": 0.12, "crop_bottom": 0.12, "p": 1.0}},
    {"HorizontalFlip": {"p": 0.5}},
    {"Rotate": {"limit": [-8, 8], "border_mode": 4, "p": 0.5}},  # 4: reflect, so that no black corners appear
    {"ColorJitter": {"brightness": [0.85, 1.15], "contrast": [0.85, 1.15], "saturation": [0.8, 1.2],
                     "hue": [-0.02, 0.02], "p": 0.8}},
)  # fmt: skip
_GROUPS = ("OneOf", "SomeOf", "RandomOrder", "Sequential")  # transforms that contain transforms


def build(declared: Sequence[Mapping[str, Any]]) -> Any:
    """Build an `albumentations.Compose` of the declared transforms.

    Args:
        declared: One mapping per transform, from its name in the toolkit or in Albumentations to its arguments:
            `[{"HorizontalFlip": {"p": 0.5}}, {"crop-larger": {"percent": 10}}]`.

    Raises:
        InvalidConfigError: a transform or an argument does not exist, a value is refused, or the transform does not
            return a photo.
    """
    composed = albumentations().Compose([_transform(item) for item in declared])
    _check_output(composed)
    return composed


def names(declared: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the names of the declared transforms, groups with their content: `OneOf(HueSaturationValue, ToGray)`."""
    listed = []
    for item in declared:
        name, arguments = next(iter(item.items()))
        listed.append(f"{name}({', '.join(names(arguments['transforms']))})" if name in _GROUPS else name)
    return listed


def named(declared: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Return the transforms of a policy by name, in order; a name that occurs again gets a number: `Rotate 2`."""
    entries: dict[str, Mapping[str, Any]] = {}
    for entry in declared:
        name = next(iter(entry))
        count = sum(next(iter(other)) == name for other in entries.values())
        entries[name if not count else f"{name} {count + 1}"] = entry
    return entries


def copies(declared: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether any of the declared transforms takes pixels from another photo."""
    for item in declared:
        name, arguments = next(iter(item.items()))
        inner = arguments.get("transforms", ()) if isinstance(arguments, Mapping) and name in _GROUPS else ()
        if resolved(name, {})[0] in NAMES or copies(inner):
            return True
    return False


def _transform(item: Any) -> Any:
    if not isinstance(item, Mapping) or len(item) != 1:
        raise InvalidConfigError(
            f"each entry of transforms must be one transform with its arguments; got {item!r}. "
            "Write `- HorizontalFlip: {p: 0.5}`."
        )
    name, arguments = next(iter(item.items()))
    arguments = {} if arguments is None else arguments
    if name not in TOOLKIT:
        _class(name)
    if not isinstance(arguments, Mapping):
        raise InvalidConfigError(
            f"the arguments of the transform {name!r} must be a mapping; got {arguments!r}. "
            f"Write `- {name}: {{p: 0.5}}`."
        )
    behind, arguments = resolved(name, arguments)
    kind = _class(behind)
    _check_arguments(name, kind, arguments)
    if name in _GROUPS:
        inner = arguments.get("transforms")
        if not isinstance(inner, list) or not inner:
            raise InvalidConfigError(
                f"the transform {name!r} must hold a list of transforms; got {inner!r}. "
                f"Write `- {name}: {{transforms: [{{HorizontalFlip: {{p: 0.5}}}}]}}`."
            )
        _refuse_jitter(name, inner)
        arguments["transforms"] = [_transform(transform) for transform in inner]
    # Albumentations expects tuples, YAML and JSON have lists.
    arguments = {key: tuple(value) if isinstance(value, list) and key != "transforms" else value
                 for key, value in arguments.items()}  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        try:
            return kind(**arguments)
        except (TypeError, ValueError, UserWarning) as err:
            raise InvalidConfigError(f"the transform {name!r} refuses its arguments: {_reason(err)}") from err


def _refuse_jitter(group: str, inner: Sequence[Any]) -> None:
    """Refuse box-jitter in a group: it works before the photo is cropped, the group on the cropped photo."""
    inside = [name for item in inner if isinstance(item, Mapping) for name in item]
    if any(resolved(name, {})[0] == box_jitter.NAME for name in inside):
        raise InvalidConfigError(
            f"the transform {group!r} must not hold box-jitter, which moves the box before the photo is cropped. "
            "Put `- box-jitter: {percent: 10}` beside it."
        )


def _class(name: str) -> Any:
    module = albumentations()
    if name in NAMES:
        return copying()[name]
    if name == box_jitter.NAME:
        return box_jitter.box_jitter()
    known = {
        other
        for other in dir(module)
        if inspect.isclass(kind := getattr(module, other))
        and (other in _GROUPS or issubclass(kind, (module.ImageOnlyTransform, module.DualTransform)))
        and other not in {"ImageOnlyTransform", "DualTransform", "Lambda"}
    }
    if name not in known:
        raise InvalidConfigError(
            f"transform must be one of {', '.join(TOOLKIT)}, or one of Albumentations {module.__version__}; "
            f"got {name!r}.{did_you_mean(name, known | set(TOOLKIT))}"
        )
    return getattr(module, name)


def _check_arguments(name: str, kind: Any, arguments: Mapping[str, Any]) -> None:
    known = set(inspect.signature(kind.__init__).parameters) - {"self", "kwargs", "args"}
    for argument in arguments:
        if argument not in known:
            raise InvalidConfigError(
                f"the transform {name!r} has no argument {argument!r}; it has: {', '.join(sorted(known))}."
                f"{did_you_mean(argument, known)}"
            )


def _reason(err: Exception) -> str:
    """Return the message of pydantic on one line and without links."""
    lines = [line.strip() for line in str(err).splitlines()]
    return "; ".join(line for line in lines[1:] if line and "For further information" not in line) or str(err)


def _check_output(composed: Any) -> None:
    sample = np.random.default_rng(0).integers(0, 256, (96, 128, 3), dtype=np.uint8)
    for transform in composed.transforms:
        name, probability = type(transform).__name__, transform.p
        transform.p = 1.0  # else the test would be left to chance
        try:
            image = albumentations().Compose([transform], seed=0)(image=sample, **{DONOR: sample[::-1]})["image"]
        except Exception as err:  # transforms raise many kinds of errors
            raise InvalidConfigError(
                f"the transform {name!r} fails on a photo of 128 × 96 pixels: {err}. Photos may be small: choose a "
                "transform that accepts any size, or enable its padding."
            ) from err
        finally:
            transform.p = probability
        if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise InvalidConfigError(
                f"the transform {name!r} must return an RGB photo of 8 bits per channel. Remove what the backbone's "
                "preprocessing does (normalisation, tensors, single channels)."
            )
