"""Backbones by name, converted to ONNX once and stored."""

from pathlib import Path

from coachworks.digests import digest_bytes
from coachworks.errors import DamagedError, InvalidConfigError, NotFoundError
from coachworks.features import space_of
from coachworks.models.backbone import BackboneSpec, fetch_onnx, read_backbone
from coachworks.models.keys import backbone_spec_key, onnx_key
from coachworks.models.preprocess import PREPROCESSING
from coachworks.progress import SILENT, Progress
from coachworks.store import Store, write_record
from coachworks.wording import did_you_mean
from components.embed import efficientnet_lite, hub
from components.embed.pretrained_folder import pretrained_folder
from components.embed.source import Source


def find_backbone(name: str) -> Source:
    """Find the backbone that a fleet file names, without importing torch.

    Args:
        name: `efficientnet-lite0`, `-lite1` or `-lite2`; a folder, beginning with `.`, `/` or `~`; or
            `hub:owner/name`.

    Raises:
        InvalidConfigError: the backbone does not exist or cannot be used.
    """
    if name in efficientnet_lite.NAMES:
        return efficientnet_lite.efficientnet_lite(name)
    if name.startswith(hub.PREFIX):
        return hub.hub_model(name)
    if name.startswith((".", "/", "~")):
        return pretrained_folder(Path(name).expanduser())
    raise InvalidConfigError(
        f"backbone must be one of {', '.join(efficientnet_lite.NAMES)}, a folder such as ./my-model, or "
        f"hub:owner/name; got {name!r}.{did_you_mean(name, efficientnet_lite.NAMES)}"
    )


def stored_backbone(store: Store, source: Source) -> BackboneSpec:
    """Return the spec of a backbone whose conversion in the store is intact.

    Raises:
        NotFoundError: it has not been converted into this store.
        DamagedError: its ONNX file or its specification is not what was written.
    """
    spec = read_backbone(store, source.digest)
    for name in ("input_px", "mean", "std", "resampling", "fit"):
        if getattr(spec, name) != getattr(source, name):
            problem = f"its {name} must be {getattr(source, name)}; got {getattr(spec, name)}"
            raise DamagedError(backbone_spec_key(spec.digest), store.uri, problem)
    fetch_onnx(store, spec)
    return spec


def ensure_backbone(store: Store, source: Source, *, progress: Progress = SILENT) -> BackboneSpec:
    """Return the spec of a backbone, after converting it to ONNX if the store does not have it, or has it damaged.

    Raises:
        DataError: the converted network computes other features than the original.
    """
    try:
        return stored_backbone(store, source)
    except NotFoundError:
        progress.note(f"converting the backbone {source.name} to ONNX, once")
    except DamagedError as err:
        progress.note(f"converting the backbone {source.name} to ONNX again: {err.key} is damaged: {err.problem}")
        for key in (backbone_spec_key(source.digest), onnx_key(source.digest)):
            store.remove(key)  # and its copies on this machine
    from components.embed.conversion import convert

    onnx, dimensions = convert(source)
    sha256 = digest_bytes(onnx)
    spec = BackboneSpec(
        name=source.name,
        digest=source.digest,
        input_px=source.input_px,
        mean=source.mean,
        std=source.std,
        resampling=source.resampling,
        fit=source.fit,
        dimensions=dimensions,
        onnx_sha256=sha256,
        preprocessing=PREPROCESSING,
        space=space_of(source.digest, sha256),
    )
    store.write(onnx_key(spec.digest), onnx)
    write_record(store, backbone_spec_key(spec.digest), spec.to_json())
    return spec
