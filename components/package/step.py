"""package: the champions of the fleet in one bundle and one bento."""

import json
from collections.abc import Sequence
from pathlib import Path

from coachworks.code_digest import code_digest
from coachworks.context import Context, open_context
from coachworks.errors import DamagedError, DataError, NotFoundError
from coachworks.fleet.model import Fleet
from coachworks.models.bundling import BundleContent, choose_content, read_heads, write_bundle
from coachworks.models.champions import HeadVersion, find_champions
from coachworks.progress import Progress
from coachworks.result import Result
from coachworks.results import latest, load, produce
from coachworks.store import Store
from coachworks.wording import pipeline_command
from components.embed.backbones import ensure_backbone, ensure_trimmed
from components.embed.choice import named_backbone
from components.embed.framing import framed_backbone
from components.package.bento_build import build_bento, requirements
from components.package.config import PackageConfig
from components.package.report import PackagedSkill, PackageReport
from components.register.report import RegisterReport


def package(
    fleet: Fleet, register: Sequence[str], *, config: PackageConfig | None = None, context: Context | None = None
) -> Result[PackageReport]:
    """Put the champions into one bento.

    Args:
        fleet: The fleet, located.
        register: Keys of the results of register, one per lane.
        config: Settings.
        context: The surroundings of the task; None opens the fleet's own store.

    Returns:
        A result with `bundle/` (`manifest.json`, `backbone.onnx`, `heads/<skill>.safetensors`) and `bento.json`; it has
        neither if no skill has a champion.

    Raises:
        DataError: a head in the store is damaged, or the backbone and the fleet file names another one.
        BentoBuildError: BentoML could not build the bento.
    """
    config = config or PackageConfig()
    context = context or open_context(fleet)
    store = context.store
    registered = {
        skill: entry for key in register for skill, entry in load(store, RegisterReport, key).report.skills.items()
    }
    named, without = find_champions(fleet, registered, _packaged(store, fleet))
    heads, lost = read_heads(store, named)
    without |= lost

    def build(folder: Path) -> PackageReport:
        if not heads:
            context.progress.note("no skill has a champion: nothing to package")
            return PackageReport(bento=None, skills={}, left_out=without, backbone=None, bytes=0)
        content = choose_content(heads)
        _keep_backbone(store, fleet, content, context.progress)
        bundle = folder / "bundle"
        manifest = write_bundle(store, fleet, content, bundle)
        bento = None
        if config.build_bento:
            with context.progress.task("build the bento", total=None, unit="bento"):
                bento = build_bento(store, manifest, bundle)
            (folder / "bento.json").write_text(json.dumps({"tag": bento.tag, "path": bento.path}), "utf-8")
        left_out = {**without, **content.left_out}
        for skill, reason in left_out.items():
            context.progress.note(f"{skill} is left out: {reason}")
        return PackageReport(
            bento=bento.tag if bento else None,
            skills={
                skill: PackagedSkill(version=head.version, head_digest=head.head_sha256, kind=head.kind)
                for skill, head in manifest.skills.items()
            },
            left_out=left_out,
            backbone=manifest.backbone.name,
            bytes=sum(file.stat().st_size for file in bundle.rglob("*") if file.is_file()),
        )

    inputs = {
        "register": list(register),
        "fleet": fleet.name,
        "champions": {skill: head.version.to_json() for skill, head in heads.items()},
        "without": without,
        "questions": {skill: fleet.skill(skill).question for skill in heads},
        "bento": requirements() if config.build_bento else None,  # the service's code is part of this step's
    }
    return produce(PackageReport, inputs, build, context=context, code=code_digest(__name__))


def _keep_backbone(store: Store, fleet: Fleet, content: BundleContent, progress: Progress) -> None:
    """Keep a backbone in the store that gives what the heads read; convert it again if it is lost or damaged there.

    Raises:
        DataError: the fleet file names another backbone.
    """
    try:
        ensure_trimmed(store, content.backbone, content.groups)
    except (NotFoundError, DamagedError) as err:
        named = named_backbone(store, fleet)
        source = framed_backbone(named, fleet)
        if source.digest != content.backbone:
            name = next(iter(content.heads.values())).manifest.get("backbone") or content.backbone[:12]
            raise DataError(
                f"the backbone {name} of the champions is damaged or missing in the store {store.uri}, and the fleet "
                f"file names another one, {named}. Write `backbone: {name}`, so that "
                f"{pipeline_command(store.uri)} converts it again."
            ) from err
        ensure_backbone(store, source, ",".join(content.groups), progress=progress)


def _packaged(store: Store, fleet: Fleet) -> dict[str, HeadVersion]:
    """Return the champions in the latest package, those of renamed skills under the present name."""
    try:
        report = load(store, PackageReport, latest(store, "package")).report
    except NotFoundError:
        return {}
    return {
        fleet.renamed.get(name, name): HeadVersion(version=skill.version, head_digest=skill.head_digest)
        for name, skill in report.skills.items()
    }
