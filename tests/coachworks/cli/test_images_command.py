"""`coachworks images`: names, and a script for one tool that a shell runs."""

import json
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from coachworks.cli import images as command
from coachworks.cli.main import cli
from components.container_images import TARGETS, tag


def invoke(*arguments: str) -> Result:
    done = CliRunner().invoke(cli, ["images", *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done


def run_script(script: str, tool: str, folder: Path) -> list[list[str]]:
    """Pipe a script to `sh`, with programs that note how they are called; return the calls."""
    programs = folder / "programs"
    programs.mkdir(exist_ok=True)
    for name in (tool, "coachworks"):
        (programs / name).write_text(f'#!/bin/sh\n{{ echo {name} "$@"; }} >> "$CALLS"\n')
        (programs / name).chmod(0o755)
    environ = os.environ | {"PATH": f"{programs}:{os.environ['PATH']}", "CALLS": str(folder / "calls")}
    subprocess.run(["sh"], input=script, env=environ, text=True, check=True, timeout=30)
    return [shlex.split(line) for line in (folder / "calls").read_text("utf-8").splitlines()]


@pytest.mark.parametrize("tool", ["docker", "podman", "buildah"])
def test_a_shell_builds_and_pushes_every_image_with_the_chosen_tool(tool: str, tmp_path: Path) -> None:
    calls = run_script(invoke("--tool", tool, "--registry", "ghcr.io/acme").stdout, tool, tmp_path)
    names = [tag(target, registry="ghcr.io/acme") for target in TARGETS]
    assert [call[:2] for call in calls] == [[tool, "build"], [tool, "push"]] * len(TARGETS)
    assert [call[call.index("--tag") + 1] for call in calls if call[1] == "build"] == names
    assert [call[2] for call in calls if call[1] == "push"] == names
    assert all(("--layers" in call) == (tool == "buildah") for call in calls if call[1] == "build")


def test_only_the_named_images_are_built_and_nothing_is_pushed_without_a_registry(tmp_path: Path) -> None:
    done = invoke("platform", "steps", "--tool", "docker")
    calls = run_script(done.stdout, "docker", tmp_path)
    assert [call[call.index("--target") + 1] for call in calls] == ["platform", "steps"]
    assert f"kind load docker-image {tag('platform')} {tag('steps')}" in done.stdout
    assert "To push them too: --registry ghcr.io/acme" in done.stderr


def test_build_arguments_are_passed_through(tmp_path: Path) -> None:
    arguments = ("--build-arg", "PIP_INDEX_URL=https://pypi.example/a b", "--build-arg", "VERSION=7")
    done = invoke("serving", "--tool", "docker", *arguments)
    (call,) = run_script(done.stdout.replace("a b", "a_b"), "docker", tmp_path)
    values = [call[place + 1] for place, word in enumerate(call) if word == "--build-arg"]
    assert values[-2:] == ["PIP_INDEX_URL=https://pypi.example/a_b", "VERSION=7"]
    assert [each for each in values if each.startswith("VERSION=")] == ["VERSION=7"]
    assert "'PIP_INDEX_URL=https://pypi.example/a b'" in done.stdout
    assert "The names do not cover build arguments: give an image with other content a name of its own." in done.stderr


@pytest.mark.parametrize("argument", ["TORCH_INDEX", "=x"])
def test_a_build_argument_without_name_or_value_is_refused(argument: str) -> None:
    done = CliRunner().invoke(cli, ["images", "--build-arg", argument])
    assert done.exit_code != 0
    assert f"--build-arg must be NAME=VALUE, such as PYTHON_IMAGE=python:3.11-slim-trixie; got '{argument}'" in str(
        done.exception or done.output
    )


def test_the_installed_tool_is_the_default_and_docker_where_none_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command.shutil, "which", lambda tool: f"/bin/{tool}" if tool == "buildah" else None)
    assert "buildah build --layers --target steps " in invoke("steps").stdout
    monkeypatch.setattr(command.shutil, "which", lambda tool: None)
    done = invoke("steps")
    assert "docker build --target steps " in done.stdout
    assert "None of docker, podman, buildah is installed here; the script is for docker." in done.stderr


def test_each_image_is_shown_with_what_it_is_needed_for_and_where_to_name_it() -> None:
    shown = invoke("--registry", "ghcr.io/acme").stderr
    repository, _, version = tag("platform", registry="ghcr.io/acme").rpartition(":")
    for line in (
        "steps.* +coachworks submit: all pods of a run",
        "serving.* +coachworks deploy: all pods that answer, and the base of model images",
        "platform.* +charts/platform: MLflow, PostgreSQL, backups; not with another MLflow server",
        "deployer.* +coachworks deploy in a container of its own, such as in CI; not otherwise",
    ):
        assert re.search(line, shown), line
    assert f"in fleet.yaml: spec.cluster.image: {tag('steps', registry='ghcr.io/acme')}\n" in shown
    assert f"in fleet.yaml: spec.deploy.image: {tag('serving', registry='ghcr.io/acme')}\n" in shown
    assert f"in the values of charts/platform: image: {{repository: {repository}, tag: {version}}}\n" in shown


def test_scripts_get_one_name_or_one_document() -> None:
    assert invoke("--tag", "steps").stdout == f"{tag('steps')}\n"
    document = json.loads(invoke("--json", "--tool", "docker").stdout)
    assert {name: entry["image"] for name, entry in document.items()} == {name: tag(name) for name in TARGETS}
    assert document["serving"]["build"].startswith("docker build --target serving --tag coachworks/serving:")
    assert document["serving"]["push"] is None


def test_the_build_context_is_written_and_used(tmp_path: Path) -> None:
    text = invoke("--context", str(tmp_path / "build it")).stdout
    assert (tmp_path / "build it" / "Dockerfile").exists()
    assert f" '{tmp_path}/build it'\n" in text


def test_an_installation_without_a_checkout_writes_a_temporary_context(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(command, "checkout", lambda: None)
    text = invoke("serving", "--tool", "docker").stdout
    write, build = run_script(text, "docker", tmp_path)
    assert write == ["coachworks", "images", "--context", build[-1], "--tag", "serving"]
    assert not Path(build[-1]).exists(), "the script removes it"
    assert "git" not in text
