"""`python -m serving.fetch`, a pod's init container: download the models in the pod's manifest, each by its digest.

It reads COACHWORKS_RELEASE (folder of the pod's configuration), COACHWORKS_STORE (address of the store) and
COACHWORKS_BUNDLE (destination folder). Files that are already there are kept. On failure it exits with status 1, and
Kubernetes runs it again.
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
from coachworks.wording import pipeline_command
from serving.pod_config import BUNDLE_VARIABLE, RELEASE_VARIABLE, read_pod_config

STORE_VARIABLE = "COACHWORKS_STORE"
_PARALLEL = 4
# Downloads go to a folder inside the bundle's: the volume that is large enough for the models. Removed at the end.
_ASIDE = ".fetching"


@dataclass(frozen=True)
class ModelFile:
    """A file of the bundle.

    Attributes:
        name: Path in the bundle.
        key: Key in the store.
        sha256: SHA-256 of the content.
        description: Description of the model, for messages.
    """

    name: str
    key: str
    sha256: str
    description: str


def model_files(manifest: Manifest) -> Iterator[ModelFile]:
    """Yield the files of the models in a manifest."""
    backbone = manifest.backbone
    graph = backbone.spec().get("file_name") or backbone.digest
    yield ModelFile(BACKBONE, onnx_key(graph), backbone.sha256, f"the backbone {backbone.name}")
    for skill, head in manifest.skills.items():
        description = f"the head of {skill!r}, version {head.version}"
        yield ModelFile(head_file(skill), head_key(head.head_sha256), head.head_sha256, description)


def fetch_models(store: Store, manifest: Manifest, folder: Path, say: Callable[[str], None]) -> None:
    """Download the models in `manifest` from the store into `folder`.

    Every file is verified, then moved to its place atomically. A file with the right digest is kept.

    Args:
        store: Store with the models.
        manifest: The models.
        folder: Destination folder.
        say: Called with one line of progress at a time, from several threads.

    Raises:
        NotFoundError: the store does not hold one of the models.
        DataError: the content of a file in the store has another digest.
        CoachworksError: the store does not answer, or refuses access.
    """

    def fetch_file(file: ModelFile) -> None:
        target = folder / file.name
        if target.is_file() and digest_file(target) == file.sha256:
            say(f"{file.name}: already present")
            return
        say(f"{file.name}: {_download(store, file, folder) / 1e6:.1f} MB, {file.sha256[:12]}")

    with ThreadPoolExecutor(_PARALLEL, thread_name_prefix="fetch") as pool:
        for task in [pool.submit(fetch_file, file) for file in model_files(manifest)]:
            try:
                task.result()
            except CoachworksError:
                pool.shutdown(cancel_futures=True)
                raise


def _download(store: Store, file: ModelFile, folder: Path) -> int:
    """Download and verify one file; return its size in bytes."""
    try:
        fetched = store.fetch(file.key)
    except NotFoundError as err:
        raise NotFoundError(
            f"{file.description} cannot be fetched: {str(err).rstrip('.')}. If the model was removed from the store, "
            "deploy the fleet again: `coachworks deploy`. Else correct the store's address in the fleet file."
        ) from err
    target, aside = folder / file.name, folder / _ASIDE / file.name
    for path in (target, aside):
        path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(fetched, aside)
    actual = digest_file(aside)
    if actual != file.sha256:
        raise DataError(
            f"{file.description}, {store.address(file.key)}, must have the SHA-256 {file.sha256}; got {actual}: it is "
            "damaged, or was converted again since this deployment. Run `coachworks store verify --repair "
            f"{store.uri}`, then {pipeline_command(store.uri, '--from package')}, then `coachworks deploy`."
        )
    aside.replace(target)
    return target.stat().st_size


def fetch(environ: Mapping[str, str] = os.environ) -> None:
    """Download the models of the pod whose configuration the environment names.

    Raises:
        InvalidConfigError: a variable is missing, or the store cannot be opened.
        CoachworksError: as `fetch_models`.
    """
    values = {name: environ.get(name, "") for name in (RELEASE_VARIABLE, STORE_VARIABLE, BUNDLE_VARIABLE)}
    missing = [name for name, value in values.items() if not value]
    if missing:
        raise InvalidConfigError(
            f"{', '.join(values)} must be set; {', '.join(missing)} is not. The fleet's chart sets them: "
            "the folder with the pod's configuration, the store's address and the folder for the models."
        )
    folder = Path(values[BUNDLE_VARIABLE])
    pod = read_pod_config(Path(values[RELEASE_VARIABLE]))
    store = open_store(values[STORE_VARIABLE])
    _say(f"{pod.manifest.fleet}, {pod.group}, {pod.track}: models from {store.uri} to {folder}")
    try:
        fetch_models(store, pod.manifest, folder, _say)
    except OSError as err:
        raise InvalidConfigError(
            f"the models cannot be fetched from {store.uri} to {folder}: {err}. {BUNDLE_VARIABLE} must name a "
            "writable folder with enough space."
        ) from err
    shutil.rmtree(folder / _ASIDE, ignore_errors=True)
    _say(f"all models are present: {pod.manifest.digest()[:12]}")


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")  # one write per line: several threads report
    sys.stderr.flush()


def main() -> None:
    """Download the models; on failure, exit with the reason in one line."""
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
