"""The documentation is held to the code: its fleet files are valid, its commands exist, every setting is in it."""

import dataclasses
import json
import re
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from click import Command, Context, Group, Parameter
from ruamel.yaml import YAML

import components
from coachworks.cli.main import cli, sections
from coachworks.fleet.reader import examine
from coachworks.steps import discover

COMMANDS = cli.list_commands(Context(cli))
ROOT = Path(__file__).parent.parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
TEXT = {page: page.read_text("utf-8") for page in PAGES}


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_fleet_files_in_the_text_are_valid(page: Path) -> None:
    for block in re.findall(r"```yaml\n(.*?)```", TEXT[page], flags=re.DOTALL):
        if "kind: Fleet" in block:
            assert examine(block)[1] == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_a_block_that_is_titled_as_a_fleet_file_is_a_whole_one(page: Path) -> None:
    # The cluster's test of the guide writes such a block to that file.
    for block in re.findall(r'```yaml title="fleet\.yaml"\n(.*?)```', TEXT[page], flags=re.DOTALL):
        assert block.startswith("apiVersion: ")


FLEET = {
    "apiVersion": "coachworks.dev/v1",
    "kind": "Fleet",
    "metadata": {"name": "cars"},
    "spec": {"sources": [{"photos": "./photos"}], "skills": {"animal": {"labels": ["cat", "dog"]}}},
}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_yaml_in_the_text_is_a_fleet_file_or_a_part_of_one_or_values_of_a_chart(page: Path) -> None:
    """Values are tested with their chart."""
    for title, body in re.findall(r"^ *```yaml(.*?)\n(.*?)^ *```", TEXT[page], flags=re.DOTALL | re.MULTILINE):
        block = YAML(typ="safe", pure=True).load(textwrap.dedent(body))
        if block is None or "kind" in block:  # a comment for editors, a whole file
            continue
        if "spec" in block:
            part = {**FLEET, "spec": {**FLEET["spec"], **block["spec"]}}
            assert examine(json.dumps(part))[1] == [], body
        else:
            assert title == ' title="platform.yaml"'


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_in_the_text_exist_with_their_options(page: Path) -> None:
    for command, rest in re.findall(r"(?:\$ |`)coachworks ([a-z][a-z-]*)([^`\n#]*)", TEXT[page]):
        assert command in COMMANDS, command
        parts = commands_of(command)
        called = [parts[name] for name in parts if f"{command}{rest} ".startswith(f"{name} ")]
        options = {option for each in called for parameter in each.params for option in parameter.opts}
        for option in re.findall(r"(?<!\S)--[a-z-]+", rest):
            assert option in options | {"--help"}, f"{command} {option}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_to_files_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", TEXT[page]):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def commands_page() -> str:
    """Every command with its help and options, as `docs/reference/commands.md` has them."""
    lines = ["# Commands", "", "What `coachworks COMMAND --help` says, all on one page.", ""]
    for section, commands in sections().items():
        lines += [f"## {section}", ""]
        for title, command in (part for name in commands for part in commands_of(name).items()):
            summary = commands.get(title) or command.get_short_help_str(limit=200)
            usage = " ".join(["coachworks", title, *(p.make_metavar(Context(command)) for p in arguments(command))])
            lines += [f"### `coachworks {title}`", "", summary, "", "```console", f"$ {usage}", "```", ""]
            lines += ["| option | default | meaning |", "|---|---|---|"]
            for option in (p for p in command.params if p.param_type_name == "option"):
                names = ", ".join(f"`{name}`" for name in [*option.opts, *option.secondary_opts])
                shown = option.show_default if isinstance(option.show_default, str) else option.default
                quiet = option.is_flag or option.multiple or not isinstance(shown, (str, int, float, Path))
                meaning = (option.help or "").replace("|", "\\|")
                lines.append(f"| {names} | {'' if quiet else f'`{shown}`'} | {meaning} |")
            lines.append("")
    return "\n".join(lines)


def commands_of(name: str) -> dict[str, Command]:
    """The command of a name, or those of a group under their full names."""
    command = cli.get_command(None, name)
    if not isinstance(command, Group):
        return {name: command}
    return {f"{name} {part}": each for part, each in command.commands.items()}


def arguments(command: Command) -> list[Parameter]:
    return [parameter for parameter in command.params if parameter.param_type_name == "argument"]


def test_the_page_of_commands_is_its_golden_file(golden: Callable[[Path, str], None]) -> None:
    golden(ROOT / "docs" / "reference" / "commands.md", commands_page())


@pytest.mark.parametrize("step", list(discover(components)), ids=lambda step: step.name)
def test_every_setting_of_a_step_is_on_the_page_of_commands(step) -> None:
    text = (ROOT / "docs" / "reference" / "commands.md").read_text("utf-8")
    for field in dataclasses.fields(step.config):
        assert f"--{field.name.replace('_', '-')}`" in text


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_shows_an_example(command: str) -> None:
    assert "Example" in (cli.get_command(None, command).help or "")


def test_make_targets_in_the_text_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), flags=re.MULTILINE))
    named = {t for text in TEXT.values() for t in re.findall(r"(?:\$ |`)make ([a-z-]+)", text)}
    assert named <= targets
