"""An image that holds the models: its build context holds the very versions that would be released, and no other."""

from pathlib import Path

import pytest
from registered import fleet_of
from released import Showroom, put_backbone

from coachworks.digests import digest_bytes
from coachworks.errors import DataError, InvalidConfigError
from coachworks.models.keys import onnx_key
from coachworks.models.manifest import BACKBONE, MANIFEST, Manifest, head_file
from components.deploy.model_image import write_context
from components.deploy.request import DeployRequest
from deploy_values import fleet

BASE = "ghcr.io/acme/coachworks/serving:1"
ONNX = b"a graph"


@pytest.fixture
def models(showroom: Showroom) -> Showroom:
    """Two versions of `view`, the second champion, and one of `wheel`; their files are in the store."""
    digest = digest_bytes(ONNX)
    put_backbone(showroom.store, digest)
    showroom.store.write(onnx_key(digest), ONNX)
    for skill, aliases in (("view", ()), ("view", ("champion",)), ("wheel", ("champion",))):
        number = showroom.add(skill, *aliases, backbone=digest)
        head = f"{skill} {int(number) - 1}".encode()
        showroom.store.write(f"heads/{digest_bytes(head)}.safetensors", head)
    return showroom


def test_it_holds_the_champions_and_says_what_to_call_the_image(models: Showroom, tmp_path: Path) -> None:
    configured = fleet(store=models.store.uri, image=BASE)
    written = write_context(models.context(configured), DeployRequest(), tmp_path / "image")
    bundle = tmp_path / "image" / "bundle"
    assert (tmp_path / "image" / "Dockerfile").read_text().splitlines() == [
        f"FROM {BASE}",
        "COPY bundle /opt/coachworks/bundle",
    ]
    assert (bundle / BACKBONE).read_bytes() == ONNX
    assert (bundle / head_file("view")).read_bytes() == b"view 1"
    kept = Manifest.model_validate_json((bundle / MANIFEST).read_text())
    assert {skill: head.version for skill, head in kept.skills.items()} == {"view": "2", "wheel": "1"}
    assert written.manifest == kept
    assert written.image.startswith("ghcr.io/acme/coachworks/showroom:")


def test_the_same_models_on_the_same_base_have_the_same_name(models: Showroom, tmp_path: Path) -> None:
    site = models.context(fleet(store=models.store.uri, image=BASE))
    wishes = (DeployRequest(), DeployRequest(), DeployRequest(pinned={"view": "1"}), DeployRequest(image="serving:2"))
    names = [write_context(site, wish, tmp_path / str(index)).image for index, wish in enumerate(wishes)]
    assert names[0] == names[1]
    assert len(set(names)) == 3
    assert names[3].startswith("showroom:")


def test_a_folder_that_holds_something_is_not_written_to(models: Showroom, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").touch()
    with pytest.raises(InvalidConfigError, match=rf"must go to a new or empty folder; '{tmp_path}' is neither"):
        write_context(models.context(), DeployRequest(), tmp_path)
    assert [path.name for path in tmp_path.iterdir() if path.name == "Dockerfile"] == []


def test_without_an_approved_model_there_is_nothing_to_put_into_it(models: Showroom, tmp_path: Path) -> None:
    critical = fleet_of(models.store.root)
    models.registry.client.delete_registered_model_alias("showroom.wheel", "champion")
    with pytest.raises(DataError, match=r"no model to put into an image:\n  view: .*coachworks approve view 2"):
        write_context(models.context(critical), DeployRequest(), tmp_path / "image")
    assert not (tmp_path / "image").exists()
