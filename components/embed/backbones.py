"""Backbones by name, converted to ONNX once and stored."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from coachworks.digests import digest_bytes
from coachworks.errors import DamagedError, InvalidConfigError, NotFoundError
from coachworks.feature_groups import LAST
from coachworks.features import space_of
from coachworks.fleet.model import is_included
from coachworks.models.backbone import (
    BackboneSpec,
    fetch_onnx,
    graph_name,
    read_backbone,
    read_spec,
    whole_graph_name,
)
from coachworks.models.keys import backbone_spec_key, onnx_key
from coachworks.models.preprocess import PREPROCESSING
from coachworks.progress import SILENT, Progress
from coachworks.store import Store, write_record
from coachworks.wording import did_you_mean
from components.embed import efficientnet_lite, hub
from components.embed.grouped import AUTO, chosen_groups, with_activation
from components.embed.pretrained_folder import pretrained_folder
from components.embed.source import Source

_FILES = 2  # that may be damaged: the conversion, and what was cut out of it


def find_backbone(name: str) -> Source:
    """Find the backbone that a fleet file names, without importing torch.

    Args:
        name: `efficientnet-lite0`, `-lite1` or `-lite2`, with another input size as in `efficientnet-lite0@260`; a
            folder, beginning with `.`, `/` or `~`; or `hub:owner/name`.

    Raises:
        InvalidConfigError: the backbone does not exist or cannot be used.
    """
    if is_included(name):
        return efficientnet_lite.efficientnet_lite(name)
    if name.startswith(hub.PREFIX):
        return hub.hub_model(name)
    if name.startswith((".", "/", "~")):
        return pretrained_folder(Path(name).expanduser())
    raise InvalidConfigError(
        f"backbone must be one of {', '.join(efficientnet_lite.NAMES)}, a folder such as ./my-model, or "
        f"hub:owner/name; got {name!r}.{did_you_mean(name, efficientnet_lite.NAMES)}"
    )


def stored_backbone(store: Store, source: Source, groups: str = AUTO) -> BackboneSpec:
    """Return the spec of a backbone whose conversion in the store is intact.

    Args:
        store: The store.
        source: The backbone.
        groups: Feature groups, see `EmbedConfig.feature_groups`.

    Raises:
        NotFoundError: it has not been converted into this store, or not with these groups.
        DamagedError: an ONNX file or a specification is not what was written.
        InvalidConfigError: the backbone does not have one of the groups.
    """
    if groups == LAST:
        return _intact(store, source, graph_name(source.digest))
    whole = _intact(store, source, whole_graph_name(source.digest, groups.split(",")))
    names = chosen_groups(source.name, whole.group_sizes, groups)
    return whole if names == tuple(whole.group_sizes) else _intact(store, source, graph_name(source.digest, names))


def _intact(store: Store, source: Source, name: str) -> BackboneSpec:
    spec = read_spec(store, name)
    for field in ("input_px", "mean", "std", "resampling", "fit", "crop", "margin", "upright"):
        if getattr(spec, field) != getattr(source, field):
            problem = f"its {field} must be {getattr(source, field)}; got {getattr(spec, field)}"
            raise DamagedError(backbone_spec_key(name), store.uri, problem)
    fetch_onnx(store, spec)
    return spec


def ensure_backbone(store: Store, source: Source, groups: str = AUTO, *, progress: Progress = SILENT) -> BackboneSpec:
    """Return the spec of a backbone, after converting it to ONNX if the store does not have it, or has it damaged.

    It is converted once, with all feature groups, and once more with the activation at its cut if that is asked for;
    files with fewer groups are cut out of these.

    Args:
        store: The store.
        source: The backbone.
        groups: Feature groups, see `EmbedConfig.feature_groups`.
        progress: Receives a note if it is converted.

    Raises:
        DataError: the converted network computes other features than the original.
        InvalidConfigError: the backbone does not have one of the groups.
    """
    note = f"converting the backbone {source.name} to ONNX, once"
    for _ in range(_FILES):
        try:
            return stored_backbone(store, source, groups)
        except NotFoundError:
            break
        except DamagedError as err:
            note = f"converting the backbone {source.name} to ONNX again: {err.key} is damaged: {err.problem}"
            name = err.key.rpartition("/")[2].partition(".")[0]
            for key in (backbone_spec_key(name), onnx_key(name)):
                store.remove(key)  # and its copies on this machine
    try:
        whole = _intact(store, source, whole_graph_name(source.digest, groups.split(",")))
    except (NotFoundError, DamagedError):
        progress.note(note)
        whole = _converted(store, source, activation=with_activation(groups))
    return ensure_trimmed(store, source.digest, chosen_groups(source.name, whole.group_sizes, groups))


def _converted(store: Store, source: Source, *, activation: bool) -> BackboneSpec:
    from components.embed.conversion import convert

    onnx, sizes = convert(source, activation=activation)
    spec = BackboneSpec(
        name=source.name,
        digest=source.digest,
        input_px=source.input_px,
        mean=source.mean,
        std=source.std,
        resampling=source.resampling,
        fit=source.fit,
        dimensions=sizes[LAST],
        onnx_sha256="",
        preprocessing=PREPROCESSING,
        groups=tuple(sizes.items()),
        crop=source.crop,
        margin=source.margin,
        upright=source.upright,
    )
    return _write(store, spec, whole_graph_name(source.digest, sizes), onnx)


def ensure_trimmed(store: Store, digest: str, groups: Sequence[str]) -> BackboneSpec:
    """Return the spec of a backbone that gives exactly these feature groups, cut out of that with all if necessary.

    Raises:
        NotFoundError: the store holds neither.
        DamagedError: an ONNX file or a specification is not what was written.
    """
    spec = read_backbone(store, digest, groups)
    onnx = fetch_onnx(store, spec)
    if tuple(spec.group_sizes) == tuple(groups):
        return spec
    from components.embed.conversion import trimmed

    sizes = tuple((group, spec.group_sizes[group]) for group in groups)
    return _write(store, replace(spec, groups=sizes), graph_name(digest, groups), trimmed(onnx.read_bytes(), groups))


def _write(store: Store, spec: BackboneSpec, name: str, onnx: bytes) -> BackboneSpec:
    """Publish an ONNX file and its specification, which is written last."""
    sha256 = digest_bytes(onnx)
    written = replace(
        spec,
        onnx_sha256=sha256,
        space=space_of(spec.digest, sha256),
        groups=() if tuple(spec.group_sizes) == (LAST,) else spec.groups,
        file_name="" if name == spec.digest else name,
    )
    store.write(onnx_key(name), onnx)
    write_record(store, backbone_spec_key(name), written.to_json())
    return written
