"""Write what an image holds as CycloneDX documents: `write_sbom.py FOLDER [TARGET]...`, one `TARGET.cdx.json` each.

Python packages, helm and the base image are those that requirements.lock and the Dockerfile name. Debian's packages are
known in a built image only: they come from the file `TARGET.debian.tsv` in the folder if it is there, with the columns
package, version and architecture, as `dpkg-query` prints them.
"""

import re
import sys
import uuid
from pathlib import Path

from cyclonedx.contrib.hash.factories import HashTypeFactory
from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, XsUri
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from licences import licence, shipped
from packageurl import PackageURL
from write_lock import hashes, read_lock

from coachworks import __version__
from components import container_images

ROOT = Path(__file__).parents[2]
WITH_HELM = ("steps", "deployer")  # the targets that copy helm


def component(kind: ComponentType, url: PackageURL, spdx: str = "", **rest: object) -> Component:
    """Return a component under its package URL, with its licence in SPDX or in words if it is known."""
    licences = [LicenseFactory().make_from_string(spdx)] if spdx else []
    return Component(
        type=kind, name=url.name, version=url.version, purl=url, bom_ref=str(url), licenses=licences, **rest
    )


def python_packages(target: str) -> list[Component]:
    """Return the Python packages of an image, each with the hashes of its release's files."""
    text = (ROOT / "requirements.lock").read_text("utf-8")
    blocks = read_lock(text)
    packages = []
    for name in [name for name, images in shipped(text).items() if target in images]:
        version = blocks[name].split(maxsplit=1)[0].partition("==")[2]
        files = ExternalReference(
            type=ExternalReferenceType.DISTRIBUTION,
            url=XsUri(f"https://pypi.org/simple/{name}/"),
            hashes=[HashTypeFactory().from_composite_str(each) for each in sorted(hashes(blocks[name]))],
        )
        url = PackageURL("pypi", None, name, version)
        packages.append(component(ComponentType.LIBRARY, url, licence(name), external_references=[files]))
    return packages


def base_images(target: str) -> list[Component]:
    """Return the image that an image begins with, and helm if it is copied from another."""
    dockerfile = (ROOT / "Dockerfile").read_text("utf-8")
    images = dict(re.findall(r"^ARG (\w+)_IMAGE=(\S+)$", dockerfile, flags=re.MULTILINE))
    reference, digest = images["PYTHON"].split("@")
    url = PackageURL("docker", None, *reference.split(":"))
    parts = [component(ComponentType.CONTAINER, url, hashes=[HashTypeFactory().from_composite_str(digest)])]
    if target in WITH_HELM:
        version = images["HELM"].partition("@")[0].rpartition(":")[2]
        url = PackageURL("github", "helm", "helm", f"v{version}")
        parts.append(component(ComponentType.APPLICATION, url, "Apache-2.0"))
    return parts


def debian_packages(table: Path) -> list[Component]:
    """Return the packages of Debian that a table lists; none if there is no table."""
    lines = table.read_text("utf-8").splitlines() if table.exists() else []
    return [
        component(ComponentType.LIBRARY, PackageURL("deb", "debian", name, version, {"arch": architecture}))
        for name, version, architecture in (line.split("\t") for line in lines)
    ]


def document(target: str, folder: Path) -> str:
    """Return the CycloneDX document of an image, as JSON; its serial number follows from the image's name."""
    image = container_images.tag(target)
    name, _, version = image.rpartition(":")
    root = Component(type=ComponentType.CONTAINER, name=name, version=version, bom_ref=image)
    code = component(ComponentType.APPLICATION, PackageURL("pypi", None, "coachworks", __version__), "Apache-2.0")
    parts = [code, *base_images(target), *python_packages(target), *debian_packages(folder / f"{target}.debian.tsv")]
    bom = Bom(
        serial_number=uuid.uuid5(uuid.NAMESPACE_URL, image), metadata=BomMetaData(component=root), components=parts
    )
    bom.register_dependency(root, parts)
    return JsonV1Dot6(bom).output_as_string(indent=1)


def fault(text: str) -> str | None:
    """Say what CycloneDX's schema has against a document; None if nothing."""
    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    return None if error is None else str(error)


def main(folder: Path, *targets: str) -> None:
    """Write the documents of the targets, by default of all.

    Raises:
        SystemExit: a target does not exist, or a document does not keep to the schema.
    """
    if unknown := set(targets) - set(container_images.TARGETS):
        sys.exit(f"targets must be of {', '.join(container_images.TARGETS)}; got {', '.join(sorted(unknown))}")
    folder.mkdir(parents=True, exist_ok=True)
    for target in targets or tuple(container_images.TARGETS):
        text = document(target, folder)
        if error := fault(text):
            sys.exit(f"{target}: not a valid CycloneDX document: {error}")
        path = folder / f"{target}.cdx.json"
        path.write_text(text + "\n", "utf-8")
        debian = "" if "pkg:deb/" in text else f"; without Debian's packages: there is no {target}.debian.tsv beside it"
        print(f"wrote {path}{debian}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
