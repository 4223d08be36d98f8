"""`python -m serving.fetch`, before a pod answers: brings the models that its release names, each by its digest.

It reads COACHWORKS_RELEASE (the release), COACHWORKS_STORE (where the models are) and COACHWORKS_BUNDLE (the folder
that they go to). What is there already stays. It ends with status 1 where something is wrong; Kubernetes runs it again.
"""

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from coachworks.digests import digest_file
from coachworks.errors import CoachworksError, DataError, InvalidConfigError, NotFoundError
from coachworks.models.keys import head_key, onnx_key
from coachworks.models.manifest import BACKBONE, Manifest, head_file
from coachworks.settings import take_mounted_environment
from coachworks.store import Store, open_store
from coachworks.store.local_cache import CACHE_VARIABLE
from serving.pod_config import BUNDLE_VARIABLE, RELEASE_VARIABLE, read_release

STORE_VARIABLE = "COACHWORKS_STORE"
_AT_ONCE = 4
_ASIDE = ".fetching"  # in the bundle's folder, whose size nobody limits; gone when all is there


@dataclass(frozen=True)
class Wanted:
    """A file of the bundle.

    Attributes:
        name: Its path in the bundle.
        key: Where it is in the store.
        sha256: Its digest.
        about: Whose it is, for messages.
    """

    name: str
    key: str
    sha256: str
    about: str


def wanted_by(manifest: Manifest) -> Iterator[Wanted]:
    """The files that a manifest names."""
    backbone = manifest.backbone
    yield Wanted(BACKBONE, onnx_key(backbone.digest), backbone.sha256, f"the backbone {backbone.name}")
    for skill, head in manifest.skills.items():
        about = f"the head of {skill!r}, version {head.version}"
        yield Wanted(head_file(skill), head_key(head.head_sha256), head.head_sha256, about)


def fetch_models(store: Store, manifest: Manifest, folder: Path, say: Callable[[str], None]) -> None:
    """Bring the models that `manifest` names from the store into `folder`.

    Every file is checked, then put in its place in one step. A file that is there with the right digest stays.

    Args:
        store: Where the models are.
        manifest: The models.
        folder: Where they go.
        say: Told what happens, a line at a time.

    Raises:
        NotFoundError: the store does not hold one of them.
        DataError: the store holds another file in its place.
        CoachworksError: the store does not answer, or refuses to.
    """

    def bring(wanted: Wanted) -> None:
        target = folder / wanted.name
        if target.is_file() and digest_file(target) == wanted.sha256:
            say(f"{wanted.name}: is there")
            return
        say(f"{wanted.name}: {_bring(store, wanted, folder) / 1e6:.1f} MB, {wanted.sha256[:12]}")

    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="fetch") as pool:
        for done in [pool.submit(bring, wanted) for wanted in wanted_by(manifest)]:
            try:
                done.result()
            except CoachworksError:
                pool.shutdown(cancel_futures=True)
                raise


def _bring(store: Store, wanted: Wanted, folder: Path) -> int:
    """Bring one file; its size in bytes."""
    try:
        fetched = store.fetch(wanted.key)
    except NotFoundError as err:
        raise NotFoundError(
            f"{wanted.about} cannot be fetched: {str(err).rstrip('.')}. Where the model was removed from the store, "
            "deploy the fleet again: `coachworks deploy`. Else correct the store's address in the fleet file."
        ) from err
    target, aside = folder / wanted.name, folder / _ASIDE / wanted.name
    for path in (target, aside):
        path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(fetched, aside)
    actual = digest_file(aside)
    if actual != wanted.sha256:
        raise DataError(
            f"{wanted.about}, {store.address(wanted.key)}, must have the SHA-256 {wanted.sha256}; got {actual}. The "
            "file is damaged or was changed: put it back from a backup, or make it anew with `coachworks run` and "
            "deploy that."
        )
    aside.replace(target)
    return target.stat().st_size


def fetch(environ: Mapping[str, str] = os.environ) -> None:
    """Bring the models of the release that the environment names.

    Raises:
        InvalidConfigError: a variable is missing, or the store cannot be opened.
        CoachworksError: as `fetch_models`.
    """
    named = {name: environ.get(name, "") for name in (RELEASE_VARIABLE, STORE_VARIABLE, BUNDLE_VARIABLE)}
    missing = [name for name, value in named.items() if not value]
    if missing:
        raise InvalidConfigError(
            f"{', '.join(named)} must be set; {', '.join(missing)} is not. The fleet's chart sets them: "
            "the release's folder, the store's address and the folder for the models."
        )
    folder = Path(named[BUNDLE_VARIABLE])
    release = read_release(Path(named[RELEASE_VARIABLE]))
    store = open_store(named[STORE_VARIABLE])
    _say(f"{release.manifest.fleet}, {release.group}, {release.track}: models from {store.uri} to {folder}")
    try:
        fetch_models(store, release.manifest, folder, _say)
    except OSError as err:
        raise InvalidConfigError(
            f"the models cannot be brought from {store.uri} to {folder}: {err}. {BUNDLE_VARIABLE} must name a folder "
            "that may be written, with room for them."
        ) from err
    shutil.rmtree(folder / _ASIDE, ignore_errors=True)
    _say(f"all models are there: {release.manifest.digest()[:12]}")


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")  # in one piece: files are fetched side by side
    sys.stderr.flush()


def main() -> None:
    """Bring the models, or say in one line why not."""
    take_mounted_environment()
    bundle = os.environ.get(BUNDLE_VARIABLE)
    if bundle:
        os.environ[CACHE_VARIABLE] = str(Path(bundle) / _ASIDE / "cache")
    try:
        fetch()
    except CoachworksError as err:
        sys.exit(f"Error: {err}")


if __name__ == "__main__":
    main()
