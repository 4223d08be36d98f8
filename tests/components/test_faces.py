"""Every step has three faces that agree: KFP component, command, Python function. New steps are found and held too."""

import dataclasses
import importlib
import inspect
from pathlib import Path
from typing import Any

import pytest

import components
from coachworks.cli.main import sections
from coachworks.cli.steps import setting_help, step_command
from coachworks.steps import CHAIN, Step, discover

STEPS = list(discover(components))


def component_of(step: Step) -> Any:
    return getattr(importlib.import_module(f"components.{step.name}.component"), step.name)


def test_every_step_of_the_chain_is_there() -> None:
    assert [step.name for step in STEPS] == list(CHAIN)


@pytest.mark.parametrize("step", STEPS, ids=lambda s: s.name)
def test_the_component_takes_the_library_s_inputs_and_settings_with_the_same_defaults(step: Step) -> None:
    inputs = component_of(step).component_spec.inputs
    settings = {field.name: field.default for field in dataclasses.fields(step.config)}
    expected = ["fleet", *([step.upstream] if step.upstream else []), *(["skills"] if step.per_lane else []), *settings]
    assert list(inputs) == expected
    assert {name: spec.default for name, spec in inputs.items() if name in settings} == settings


@pytest.mark.parametrize("step", STEPS, ids=lambda s: s.name)
def test_the_command_takes_the_same_settings_with_the_same_defaults(step: Step) -> None:
    settings = {field.name: field.default for field in dataclasses.fields(step.config)}
    options = {p.name: p.default for p in step_command(step).params if p.name in settings}
    assert options == settings
    lines = {name: line for commands in sections().values() for name, line in commands.items()}
    assert lines[step.name] == step.summary


@pytest.mark.parametrize("step", STEPS, ids=lambda s: s.name)
def test_the_function_takes_fleet_upstream_and_settings(step: Step) -> None:
    names = list(inspect.signature(step.function()).parameters)
    expected = ["fleet", *([step.upstream] if step.upstream else []), *(["skills"] if step.per_lane else [])]
    assert names[: len(expected)] == expected
    assert {"config", "context"} <= set(names)


@pytest.mark.parametrize("step", STEPS, ids=lambda s: s.name)
def test_every_setting_says_what_it_is(step: Step) -> None:
    assert set(setting_help(step.config)) >= {field.name for field in dataclasses.fields(step.config)}


@pytest.mark.parametrize("step", STEPS, ids=lambda s: s.name)
def test_every_input_of_the_component_is_documented(step: Step) -> None:
    component = component_of(step)
    documented = inspect.getdoc(component.python_func) or ""
    for name in component.component_spec.inputs:
        assert f"{name}: " in documented, name


@pytest.mark.parametrize("step", STEPS, ids=lambda s: s.name)
def test_the_kfp_face_stays_thin(step: Step) -> None:
    source = Path(importlib.import_module(f"components.{step.name}.component").__file__ or "").read_text("utf-8")
    assert len(source.splitlines()) <= 50


@pytest.mark.parametrize("step", STEPS, ids=lambda s: s.name)
def test_the_dashboard_can_show_the_whole_title(step: Step) -> None:
    assert len(step.title) <= 18


@pytest.mark.parametrize("step", STEPS, ids=lambda s: s.name)
def test_settings_refuse_bad_values(step: Step) -> None:
    for field in dataclasses.fields(step.config):
        if isinstance(field.default, (int, float)) and not isinstance(field.default, bool):
            with pytest.raises(ValueError, match=field.name):
                step.config(**{field.name: -(10**9)})
