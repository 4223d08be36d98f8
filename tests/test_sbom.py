"""The list of what an image holds (SBOM): complete, and valid against CycloneDX's schema."""

import json
from pathlib import Path

import pytest
from licences import shipped
from write_sbom import WITH_HELM, document, fault, main

from components import container_images

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("target", container_images.TARGETS)
def test_the_list_names_all_that_an_image_holds(tmp_path: Path, target: str) -> None:
    (tmp_path / f"{target}.debian.tsv").write_text("libc6\t2.36-9+deb12u13\tamd64\nzlib1g\t1:1.2.13\tamd64\n", "utf-8")
    bom = json.loads(document(target, tmp_path))
    subject = bom["metadata"]["component"]
    assert f"{subject['name']}:{subject['version']}" == container_images.tag(target)
    parts = {part["purl"]: part for part in bom["components"]}
    packages = shipped((ROOT / "requirements.lock").read_text("utf-8"))
    python = {url.removeprefix("pkg:pypi/").partition("@")[0] for url in parts if url.startswith("pkg:pypi/")}
    assert python == {name for name, images in packages.items() if target in images} | {"coachworks"}
    assert all(parts[url]["licenses"] for url in parts if url.startswith("pkg:pypi/"))
    assert ("pkg:github/helm/helm@v3.17.3" in parts) == (target in WITH_HELM)
    assert {url for url in parts if url.startswith("pkg:deb/")} == {
        "pkg:deb/debian/libc6@2.36-9%2Bdeb12u13?arch=amd64",
        "pkg:deb/debian/zlib1g@1:1.2.13?arch=amd64",
    }
    (base,) = [part for url, part in parts.items() if url.startswith("pkg:docker/python@")]
    assert f"python:{base['version']}@sha256:{base['hashes'][0]['content']}" in (ROOT / "Dockerfile").read_text("utf-8")
    numpy = next(part for url, part in parts.items() if url.startswith("pkg:pypi/numpy@"))
    assert numpy["externalReferences"][0]["hashes"]


def test_it_keeps_to_the_schema(tmp_path: Path) -> None:
    """On a part of the packages: the validator takes 25 ms for each. `make sbom` looks at all."""
    (tmp_path / "steps.debian.tsv").write_text("libc6\t2.36-9+deb12u13\tamd64\n", "utf-8")
    bom = json.loads(document("steps", tmp_path))
    kinds = [part for part in bom["components"] if not part["purl"].startswith("pkg:pypi/")]
    bom["components"] = [*bom["components"][::20], *kinds]
    assert fault(json.dumps(bom)) is None
    bom["components"][0]["type"] = "parcel"
    assert "parcel" in str(fault(json.dumps(bom)))


def test_an_unknown_target_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="targets must be of serving, steps, platform, deployer; got parcel"):
        main(tmp_path, "parcel")


def test_helm_is_in_the_images_that_copy_it() -> None:
    stages = (ROOT / "Dockerfile").read_text("utf-8").split("\nFROM ")
    copying = {stage.split()[2].removesuffix("-dependencies") for stage in stages if "COPY --from=helm" in stage}
    assert copying == set(WITH_HELM)
