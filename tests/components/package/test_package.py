import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from coachworks.context import Context
from coachworks.digests import digest_file
from coachworks.errors import DamagedError, DataError, InvalidConfigError
from coachworks.fleet.model import Fleet
from coachworks.results import latest, produce
from coachworks.store import FolderStore
from components.package.config import PackageConfig
from components.package.report import PackagedSkill
from components.package.step import package

BUNDLE_ONLY = PackageConfig(build_bento=False)


@pytest.fixture
def packaged(tmp_path: Path, fabricated: ModuleType) -> tuple[Fleet, FolderStore, str]:
    """A fleet of two skills with champions, its store, and the key of register."""
    fleet, store, register = fabricated.fabricate(tmp_path)
    return fleet, store, register


def test_the_champions_go_into_one_bundle_with_the_digest_of_every_file(packaged: tuple[Fleet, FolderStore, str]):
    fleet, _, register = packaged
    result = package(fleet, [register], config=BUNDLE_ONLY)
    bundle = result.path / "bundle"
    files = sorted(p.relative_to(bundle).as_posix() for p in bundle.rglob("*") if p.is_file())
    assert files == ["backbone.onnx", "heads/colour.safetensors", "heads/light.safetensors", "manifest.json"]
    manifest = json.loads((bundle / "manifest.json").read_text())
    assert manifest["kind"] == "Bundle"
    assert manifest["fleet"] == "showroom"
    assert manifest["backbone"]["sha256"] == digest_file(bundle / "backbone.onnx")
    assert manifest["backbone"]["input_px"] == 32
    for skill, entry in manifest["skills"].items():
        assert entry["head_sha256"] == digest_file(bundle / "heads" / f"{skill}.safetensors")
    colour = manifest["skills"]["colour"]
    assert colour["question"] == "Which colour?"
    assert colour["labels"] == ["red", "green", "blue"]
    assert colour["version"] == "3"
    assert colour["threshold"] is None
    assert colour["metrics"]["balanced_accuracy"]["value"] == 0.91
    assert colour["provenance"]["data_digest"] == "d" * 32


def test_the_report_names_versions_heads_and_size(packaged: tuple[Fleet, FolderStore, str]):
    fleet, _, register = packaged
    result = package(fleet, [register], config=BUNDLE_ONLY)
    report = result.report
    assert report.bento is None
    assert report.backbone == "tiny"
    assert report.left_out == {}
    assert list(report.skills) == ["colour", "light"]
    assert report.skills["colour"].version == "3"
    assert report.skills["colour"].kind == "linear"
    assert report.bytes == sum(f.stat().st_size for f in (result.path / "bundle").rglob("*") if f.is_file())


def test_the_same_champions_are_not_packaged_twice(packaged: tuple[Fleet, FolderStore, str]):
    fleet, store, register = packaged
    first = package(fleet, [register], config=BUNDLE_ONLY)
    again = package(fleet, [register], config=BUNDLE_ONLY)
    assert again.reused
    assert again.key == first.key == latest(store, "package")


def test_the_same_champions_make_the_same_bytes_in_another_store(tmp_path: Path, fabricated: ModuleType):
    manifests = []
    for name in ("one", "two"):
        fleet, _, register = fabricated.fabricate(tmp_path / name)
        result = package(fleet, [register], config=BUNDLE_ONLY)
        manifests.append((result.path / "bundle" / "manifest.json").read_bytes())
    assert manifests[0] == manifests[1]


def test_the_skills_of_all_lanes_are_joined_in_the_fleets_order(tmp_path: Path, fabricated: ModuleType):
    fleet, store = fabricated.fleet_of(tmp_path), FolderStore(tmp_path / "store")
    spec = fabricated.put_backbone(store)
    lanes = [
        fabricated.put_register(
            store,
            {
                skill: fabricated.champion(
                    fabricated.put_head(store, skill, fabricated.head_of(skill, spec.digest), tmp_path)
                )
            },
        )
        for skill in ("light", "colour")
    ]
    assert list(package(fleet, lanes, config=BUNDLE_ONLY).report.skills) == ["colour", "light"]


def test_a_skill_that_failed_this_time_keeps_its_earlier_champion(tmp_path: Path, fabricated: ModuleType):
    fleet, store, _ = fabricated.fabricate(tmp_path)
    spec = fabricated.put_backbone(store)
    old = fabricated.put_head(store, "colour", fabricated.head_of("colour", spec.digest), tmp_path / "tmp")
    failed = {**fabricated.champion(old, "2", status="not-registered"), "version": None, "champion_version": "2"}
    result = package(fleet, [fabricated.put_register(store, {"colour": failed})], config=BUNDLE_ONLY)
    assert result.report.skills["colour"] == PackagedSkill(version="2", head_digest=old, kind="linear")


def test_a_skill_without_champion_is_left_out_with_the_reason(tmp_path: Path, fabricated: ModuleType):
    fleet, store, _ = fabricated.fabricate(tmp_path)
    spec = fabricated.put_backbone(store)
    head = fabricated.put_head(store, "light", fabricated.head_of("light", spec.digest), tmp_path / "tmp")
    register = fabricated.put_register(
        store, {"colour": fabricated.champion(None, None, status="not-registered"), "light": fabricated.champion(head)}
    )
    report = package(fleet, [register], config=BUNDLE_ONLY).report
    assert list(report.skills) == ["light"]
    assert "balanced accuracy 0.5 is below the gate" in report.left_out["colour"]


def test_a_skill_that_took_no_part_keeps_what_was_packaged_before(tmp_path: Path, fabricated: ModuleType):
    fleet, store, register = fabricated.fabricate(tmp_path)
    before = package(fleet, [register], config=BUNDLE_ONLY).report.skills
    spec = fabricated.put_backbone(store)
    newer = fabricated.put_head(store, "light", fabricated.head_of("light", spec.digest, 0.7), tmp_path / "tmp")
    only_light = fabricated.put_register(store, {"light": fabricated.champion(newer, "4")})
    after = package(fleet, [only_light], config=BUNDLE_ONLY).report.skills
    assert after["colour"] == before["colour"]
    assert after["light"].version == "4"


def test_a_renamed_skill_that_took_no_part_keeps_what_was_packaged_before(tmp_path: Path, fabricated: ModuleType):
    fleet, store, register = fabricated.fabricate(tmp_path)
    before = package(fleet, [register], config=BUNDLE_ONLY).report.skills
    skills = {"paint": fleet.spec.skills["colour"].model_copy(update={"was": "colour"})}
    renamed = fleet.model_copy(update={"spec": fleet.spec.model_copy(update={"skills": skills})})
    after = package(renamed, [fabricated.put_register(store, {})], config=BUNDLE_ONLY).report.skills
    assert after == {"paint": before["colour"]}


def test_a_fleet_without_champions_is_reported_and_makes_no_bento(tmp_path: Path, fabricated: ModuleType):
    fleet, store = fabricated.fleet_of(tmp_path), FolderStore(tmp_path / "store")
    none = fabricated.champion(None, None, status="not-registered")
    result = package(fleet, [fabricated.put_register(store, {"colour": none, "light": none})])
    assert result.report.skills == {}
    assert result.report.bento is None
    assert set(result.report.left_out) == {"colour", "light"}
    assert not (result.path / "bundle").exists()
    assert not (result.path / "bento.json").exists()


def test_a_champion_of_another_backbone_is_left_out_with_the_reason(tmp_path: Path, fabricated: ModuleType):
    skills = {"colour": ["red", "green", "blue"], "light": ["dark", "bright"], "clean": ["no", "yes"]}
    fleet, store = fabricated.fleet_of(tmp_path, skills), FolderStore(tmp_path / "store")
    new, old = fabricated.put_backbone(store), fabricated.put_backbone(store, scale=2.0)
    heads = {
        skill: fabricated.put_head(store, skill, fabricated.head_of(skill, spec.digest), tmp_path / "tmp")
        for skill, spec in (("colour", new), ("light", new), ("clean", old))
    }
    register = fabricated.put_register(store, {skill: fabricated.champion(head) for skill, head in heads.items()})
    report = package(fleet, [register], config=BUNDLE_ONLY).report
    assert list(report.skills) == ["colour", "light"]
    assert "reads another backbone than most" in report.left_out["clean"]


def test_a_champion_whose_head_is_not_in_the_store_is_left_out_with_the_way_out(
    packaged: tuple[Fleet, FolderStore, str], fabricated: ModuleType
):
    fleet, store, _ = packaged
    register = fabricated.put_register(store, {"colour": fabricated.champion("f" * 64)})
    report = package(fleet, [register], config=BUNDLE_ONLY).report
    assert "is not in the store" in report.left_out["colour"]
    assert "`coachworks run` writes it again" in report.left_out["colour"]


def test_a_damaged_head_stops_the_step(packaged: tuple[Fleet, FolderStore, str]):
    fleet, store, register = packaged
    for key in list(store.list("heads")):
        if key.endswith(".safetensors"):
            store.write(key, store.read(key)[:-1] + b"\xff")
    with pytest.raises(DamagedError, match=r"'heads/.*' of the store .* is damaged: its SHA-256 must"):
        package(fleet, [register], config=BUNDLE_ONLY)


@pytest.mark.parametrize("suffix", [".onnx", ".json"])
@pytest.mark.parametrize("content", [b"something else", None])
def test_a_damaged_backbone_that_is_not_the_fleet_s_stops_the_step(
    packaged: tuple[Fleet, FolderStore, str], suffix: str, content: bytes | None
):
    fleet, store, register = packaged
    [key] = [key for key in store.list("backbones") if key.endswith(suffix)]
    store.remove(key)
    if content:
        store.write(key, content)
    message = (
        r"the backbone tiny of the champions is damaged or missing in the store .*, and the fleet file names another "
        r"one, efficientnet-lite0\. Write `backbone: tiny`, so that `coachworks run` converts it again"
    )
    with pytest.raises(DataError, match=message):
        package(fleet, [register], config=BUNDLE_ONLY)


def test_settings_are_checked():
    with pytest.raises(InvalidConfigError, match="build_bento must be true or false; got 'yes'"):
        PackageConfig(build_bento="yes")  # type: ignore[arg-type]


def test_a_reused_result_imports_nothing_heavy(packaged: tuple[Fleet, FolderStore, str]):
    fleet, _, register = packaged
    package(fleet, [register], config=BUNDLE_ONLY)
    code = (
        "import sys\n"
        "from coachworks.fleet.model import Fleet\n"
        "from components.package.config import PackageConfig\n"
        "from components.package.step import package\n"
        "fleet = Fleet.from_json(sys.argv[1])\n"
        "assert package(fleet, [sys.argv[2]], config=PackageConfig(build_bento=False)).reused\n"
        "heavy = {'torch', 'pandas', 'mlflow', 'bentoml', 'kfp', 'onnx', 'onnxruntime', 'serving'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code, fleet.to_json(), register], check=True)


# the bento


@pytest.fixture(scope="module")
def built(
    tmp_path_factory: pytest.TempPathFactory, fabricated: ModuleType
) -> tuple[Fleet, FolderStore, str, dict[str, str]]:
    fleet, store, register = fabricated.fabricate(tmp_path_factory.mktemp("bento"))
    result = package(fleet, [register])
    return fleet, store, register, json.loads((result.path / "bento.json").read_text())


def test_the_bento_holds_the_bundle_and_the_code_that_answers(built: tuple[Fleet, FolderStore, str, dict[str, str]]):
    _, store, _, bento = built
    folder = store.fetch(bento["path"])
    assert bento["tag"] == f"showroom:{folder.name}"
    assert (folder / "src" / "bundle" / "backbone.onnx").exists()
    assert (folder / "src" / "serving" / "service.py").exists()
    assert (folder / "src" / "coachworks" / "models" / "preprocess.py").exists()
    assert not (folder / "src" / "components").exists()
    assert not list(folder.rglob("*.pkl"))
    assert not list(folder.rglob("__pycache__"))


def test_the_bento_requires_what_answering_needs_and_nothing_of_training(
    built: tuple[Fleet, FolderStore, str, dict[str, str]],
):
    _, store, _, bento = built
    lines = (store.fetch(bento["path"]) / "env" / "python" / "requirements.txt").read_text().splitlines()
    names = {line.partition("==")[0].lower() for line in lines if line.strip()}
    assert {"bentoml", "fastapi", "numpy", "onnxruntime", "pillow", "safetensors"} <= names
    assert not names & {"torch", "mlflow", "kfp", "pandas", "scikit-learn", "transformers", "onnx", "albumentations"}
    assert all("==" in line for line in lines if line.strip())


def test_the_bento_names_no_place_of_this_machine(built: tuple[Fleet, FolderStore, str, dict[str, str]]):
    _, store, _, bento = built
    folder = store.fetch(bento["path"])
    texts = [folder / "bento.yaml", *(folder / "env").rglob("*"), folder / "src" / "bentofile.yaml"]
    for file in texts:
        if file.is_file():
            assert str(store.root) not in file.read_text()
            assert sys.prefix not in file.read_text()


def test_the_same_champions_make_the_same_bento(
    built: tuple[Fleet, FolderStore, str, dict[str, str]], fabricated: ModuleType
):
    fleet, store, register, bento = built
    champions = {
        skill: fabricated.champion(entry.head_digest, entry.version)
        for skill, entry in package(fleet, [register]).report.skills.items()
    }
    made_at = (store.fetch(bento["path"]) / "bento.yaml").stat().st_mtime_ns
    later = package(fleet, [fabricated.put_register(store, champions, evaluate="another evaluation")])
    assert not later.reused
    assert json.loads((later.path / "bento.json").read_text()) == bento
    assert (store.fetch(bento["path"]) / "bento.yaml").stat().st_mtime_ns == made_at


@pytest.mark.slow
@pytest.mark.parametrize("manifest", ["with the digests of its files", "as earlier versions published it"])
def test_a_damaged_bento_is_built_again(
    built: tuple[Fleet, FolderStore, str, dict[str, str]], fabricated: ModuleType, manifest: str
):
    fleet, store, register, bento = built
    champions = {
        skill: fabricated.champion(entry.head_digest, entry.version)
        for skill, entry in package(fleet, [register]).report.skills.items()
    }
    backbone = store.root / bento["path"] / "src" / "bundle" / "backbone.onnx"
    whole = backbone.read_bytes()
    if manifest == "as earlier versions published it":
        (store.root / bento["path"] / ".tree").unlink()
    backbone.write_bytes(whole[:-1] + b"\0")
    later = package(fleet, [fabricated.put_register(store, champions, evaluate=manifest)])
    assert json.loads((later.path / "bento.json").read_text()) == bento
    assert backbone.read_bytes() == whole


def test_building_leaves_nothing_behind(built: tuple[Fleet, FolderStore, str, dict[str, str]]):
    _, store, _, _ = built
    assert list((store.root / "tmp").iterdir()) == []


def test_the_bento_imports_without_this_checkout(built: tuple[Fleet, FolderStore, str, dict[str, str]], tmp_path: Path):
    """The copied code is all that the service imports."""
    _, store, _, bento = built
    source = Path(shutil.copytree(store.fetch(bento["path"]) / "src", tmp_path / "src"))
    code = (
        "import sys; sys.path[:] = [sys.argv[1], *[p for p in sys.path if p != sys.argv[2]]]\n"
        "import serving.app as app\n"
        "from serving.bundle import load_bundle\n"
        "from pathlib import Path\n"
        "assert app.__file__.startswith(sys.argv[1]), app.__file__\n"
        "assert set(load_bundle(Path(sys.argv[1]) / 'bundle').skills) == {'colour', 'light'}\n"
    )
    checkout = Path(__file__).parents[3]
    subprocess.run([sys.executable, "-c", code, str(source), str(checkout)], check=True, cwd=tmp_path)


def test_a_package_of_the_first_stored_version_still_names_its_champions(tmp_path: Path, fabricated: ModuleType):
    """The report as coachworks 0.1.0 wrote it into stores that are still in use."""
    fleet, store, register = fabricated.fabricate(tmp_path)
    head = package(fleet, [register], config=BUNDLE_ONLY).report.skills["colour"].head_digest
    stored = {
        "bento": None,
        "skills": {"colour": {"version": "7", "head_digest": head, "kind": "linear"}},
        "left_out": {},
        "backbone": "tiny",
        "bytes": 1000,
    }
    produce("package", {}, lambda folder: stored, context=Context(store), code="0.1.0")
    light = fabricated.champion(None, None, status="not-registered")
    after = package(fleet, [fabricated.put_register(store, {"light": light})], config=BUNDLE_ONLY).report
    assert after.skills == {"colour": PackagedSkill(version="7", head_digest=head, kind="linear")}
