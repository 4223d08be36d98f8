"""`coachworks images`: names, and commands to copy."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from coachworks.cli import images as command
from coachworks.cli.main import cli
from components.container_images import TARGETS, tag


def output_of(*arguments: str) -> str:
    done = CliRunner().invoke(cli, ["images", *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_every_image_is_named_with_the_commands_that_build_push_and_load_it() -> None:
    text = output_of("--registry", "ghcr.io/acme")
    for target in TARGETS:
        image = tag(target, registry="ghcr.io/acme")
        assert f"docker build --target {target} --tag {image} " in text
        assert f"buildah build --layers --target {target} --tag {image} " in text
        assert f"docker push {image}\n" in text
    assert "kind load docker-image ghcr.io/acme/coachworks/serving:" in text
    assert f"image: {tag('steps', registry='ghcr.io/acme')}\n" in text


def test_without_a_registry_nothing_is_pushed() -> None:
    assert "docker push" not in output_of()


def test_scripts_get_one_name_or_one_document() -> None:
    assert output_of("--tag", "steps") == f"{tag('steps')}\n"
    document = json.loads(output_of("--json"))
    assert {name: entry["image"] for name, entry in document.items()} == {name: tag(name) for name in TARGETS}
    assert document["serving"]["docker"].startswith("docker build --target serving --tag coachworks/serving:")


def test_the_build_context_is_written_and_used(tmp_path: Path) -> None:
    text = output_of("--context", str(tmp_path / "build it"))
    assert (tmp_path / "build it" / "Dockerfile").exists()
    assert f"'{tmp_path}/build it'\n" in text


def test_an_installation_without_a_checkout_explains_how_to_get_a_context(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "checkout", lambda: None)
    text = output_of()
    assert "coachworks images --context images-context\n" in text
    assert "git" not in text
