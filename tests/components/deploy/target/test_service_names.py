"""Names of Services, as `check` and the chart judge them."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator

import helms
from coachworks.fleet.names import DNS_LABEL
from components.deploy.target.service_names import name_problems
from components.deploy.target.values import chart_values
from deploy_values import fleet, manifest

CHART = Path(__file__).parents[4] / "charts" / "fleet"
LONG = "a" * 63


def helm_accepts(of: Any, release: str = "showroom") -> bool:
    versions = dict.fromkeys(of.spec.skills, "1")
    document = chart_values(of, manifest(**versions), image="acme/serving:1").to_json()
    command = [helms.find("helm"), "template", release, str(CHART), "--values", "-"]
    done = subprocess.run(command, input=yaml.safe_dump(document), capture_output=True, text=True, check=False)
    return done.returncode == 0


@pytest.mark.parametrize(
    ("skills", "deploy", "message"),
    [
        ({"view": {}, LONG: {}}, {}, None),
        ({"3d": {"serviceName": "three-d"}}, {}, None),
        ({"view": {}, "3d": {}}, {}, "must begin with a letter; got '3d' for '3d'. Set `serving: {serviceName: …}`"),
        ({"view": {"serviceName": "1a"}}, {}, "must begin with a letter; got '1a' for 'view'"),
        ({"showroom": {}}, {}, "'showroom' and all skills at once must not both have the Service 'showroom'"),
        ({"showroom": {"layout": "dedicated"}}, {}, None),
        ({"showroom": {}}, {"values": {"service": {"name": "all"}}}, None),
        ({"view": {}}, {"values": {"service": {"name": "view"}}}, "must not both have the Service 'view'"),
        (
            {"showroom-metrics": {}},
            {"values": {"monitoring": {"serviceMonitor": {"enabled": True}}}},
            "and monitoring must not both have the Service 'showroom-metrics'",
        ),
    ],
)
def test_a_name_is_refused_where_helm_refuses_it(skills: Any, deploy: Any, message: str | None) -> None:
    of = fleet(skills=skills, **deploy)
    problems = list(name_problems(of))
    assert bool(problems) == (message is not None)
    assert all(str(message) in sentence for _, sentence in problems)
    assert helm_accepts(of) == (message is None)


@settings(max_examples=200)
@given(st.from_regex(DNS_LABEL, fullmatch=True) | st.from_regex(r"[0-9][-a-z0-9]{0,20}[a-z0-9]", fullmatch=True))
def test_the_schema_of_the_chart_and_the_check_accept_the_same_names(name: str) -> None:
    schema = json.loads((CHART / "values.schema.json").read_text("utf-8"))
    service = schema["definitions"]["skill"]["properties"]["serviceName"]
    of = fleet(skills={"view": {"serviceName": name}})
    refused = [message for _, message in name_problems(of) if "begin with a letter" in message]
    assert bool(refused) == (not Draft7Validator(service).is_valid(name))


def test_a_fleet_whose_name_is_too_long_for_a_release_is_told_its_way_out() -> None:
    of = fleet()
    long = of.model_copy(update={"metadata": of.metadata.model_copy(update={"name": "x" * 41})})
    ((place, message),) = name_problems(long)
    assert place == ("metadata", "name")
    assert message.endswith("Set `spec.deploy.release`.")
