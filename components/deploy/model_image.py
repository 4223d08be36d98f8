"""An image that holds the models: the folder that it is built from."""

from dataclasses import dataclass
from pathlib import Path

from coachworks.digests import digest_json
from coachworks.errors import DataError
from coachworks.models.bundling import choose, write_bundle
from coachworks.models.champions import Champion
from coachworks.models.manifest import Manifest
from coachworks.progress import SILENT, Progress
from coachworks.store import open_store
from components import container_images
from components.deploy.releasing import Site, Wish, aim
from components.deploy.target.resolve import Resolved

PLACE = "/opt/coachworks/bundle"  # in the image; charts/fleet looks there


@dataclass(frozen=True)
class ImageContext:
    """A build context.

    Attributes:
        image: What to call the image: the same models on the same base, the same name.
        manifest: The models in it.
        resolved: What is left out, or awaits approval.
    """

    image: str
    manifest: Manifest
    resolved: Resolved


def write_context(site: Site, wish: Wish, folder: Path, progress: Progress = SILENT) -> ImageContext:
    """Write the build context of an image with the very models that `release_fleet` would release now.

    Args:
        site: Where the fleet is released: critical skills keep the version that answers there until one is approved.
        wish: Versions in place of the champions; an image to build on, in place of the fleet file's.
        folder: A new or empty folder; gets a `Dockerfile` and `bundle/`.
        progress: Is told how it goes.

    Raises:
        DataError: no skill can be released, or a model in the store is not the one that was registered.
        InvalidConfigError: there is something else in `folder`.
    """
    container_images.require_empty(folder)
    fleet, base = site.fleet, wish.image or site.fleet.spec.deploy.image or container_images.tag("serving")
    resolved = aim(site, Wish(image=base, pinned=wish.pinned), progress, site.released()).resolved
    if resolved.manifest is None:
        reasons = "\n".join(f"  {skill}: {reason}" for skill, reason in resolved.awaiting.items())
        raise DataError(f"there is no model to put into an image:\n{reasons}")
    store = open_store(fleet.spec.store)
    named = resolved.manifest.skills.items()
    choice = choose(
        store, {skill: Champion(version=head.version, head_digest=head.head_sha256) for skill, head in named}
    )
    folder.mkdir(parents=True, exist_ok=True)
    manifest = write_bundle(store, fleet, choice, folder / "bundle")
    (folder / "Dockerfile").write_text(f"FROM {base}\nCOPY bundle {PLACE}\n", "utf-8")
    content = digest_json({"base": base, "models": manifest.model_dump(mode="json")})
    home = base.partition("@")[0].rpartition("/")[0]
    return ImageContext(f"{home}/{fleet.name}:{content[:12]}".lstrip("/"), manifest, resolved)
