"""Build context of a model image: an image that holds the models."""

from dataclasses import dataclass
from pathlib import Path

from coachworks.digests import digest_json
from coachworks.errors import DataError
from coachworks.models.bundling import write_bundle
from coachworks.models.manifest import Manifest
from coachworks.progress import SILENT, Progress
from components import container_images
from components.deploy.request import DeployRequest, ReleaseContext, resolve_target
from components.deploy.target.resolve import ResolvedVersions

BUNDLE_FOLDER = "/opt/coachworks/bundle"  # in the image; `models.folder` of charts/fleet


@dataclass(frozen=True)
class ImageContext:
    """A build context.

    Attributes:
        image: Name for the image; equal models on an equal base have an equal name.
        manifest: The models in it.
        resolved: Skills that are left out or await approval.
    """

    image: str
    manifest: Manifest
    resolved: ResolvedVersions


def write_context(
    context: ReleaseContext, request: DeployRequest, folder: Path, progress: Progress = SILENT
) -> ImageContext:
    """Write the build context of an image with the models that `release_fleet` would deploy now.

    Args:
        context: The release: critical skills keep the version that is deployed there until a new one is approved.
        request: Versions in place of the champions; an image to build on, in place of the fleet file's.
        folder: A new or empty folder; gets a `Dockerfile` and `bundle/`.
        progress: Receives progress updates.

    Raises:
        DataError: no skill can be deployed, or a model in the store differs from the registered one.
        InvalidConfigError: `folder` is not empty.
    """
    container_images.require_empty(folder)
    fleet, base = context.fleet, request.image or context.fleet.spec.deploy.image or container_images.tag("serving")
    base_request = DeployRequest(image=base, pinned=request.pinned)
    resolved = resolve_target(context, base_request, context.deployed_values(), progress).resolved
    if resolved.content is None:
        reasons = "\n".join(f"  {skill}: {reason}" for skill, reason in resolved.awaiting.items())
        raise DataError(f"there is no model to put into an image:\n{reasons}")
    folder.mkdir(parents=True, exist_ok=True)
    manifest = write_bundle(context.store, fleet, resolved.content, folder / "bundle")
    (folder / "Dockerfile").write_text(f"FROM {base}\nCOPY bundle {BUNDLE_FOLDER}\n", "utf-8")
    digest = digest_json({"base": base, "models": manifest.model_dump(mode="json")})
    registry = base.partition("@")[0].rpartition("/")[0]
    return ImageContext(f"{registry}/{fleet.name}:{digest[:12]}".lstrip("/"), manifest, resolved)
