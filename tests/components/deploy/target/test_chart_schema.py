"""Values of the fleet file against the schema of the chart, compared with Helm."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

import helms
from components.deploy.target.chart_schema import value_problems
from components.deploy.target.values import chart_values
from deploy_values import fleet, manifest

CHART = Path(__file__).parents[4] / "charts" / "fleet"


@pytest.mark.parametrize(
    ("values", "place", "message"),
    [
        ({"drainSeconds": 20, "monitoring": {"alerts": {"enabled": True}}}, None, ""),
        ({"networkPolicy": {"s3": {"ports": [9000]}}, "securityContext": {"runAsUser": None}}, None, ""),
        ({"nonsense": 1}, ("nonsense",), "charts/fleet has no value `nonsense`. Known there: global, shared,"),
        ({"health": {"periodSecond": 1}}, ("health", "periodSecond"), "Did you mean `periodSeconds`?"),
        ({"drainSeconds": "long"}, ("drainSeconds",), "'long' is not of type 'integer'"),
        ({"networkPolicy": {"s3": {"ports": [0]}}}, ("networkPolicy", "s3", "ports", 0), "0 is less than the minimum"),
    ],
)
def test_what_helm_refuses_is_refused_with_its_place(values: dict[str, Any], place: Any, message: str) -> None:
    of = fleet(values=values)
    problems = list(value_problems(of))
    assert [location[3:] for location, _ in problems] == ([] if place is None else [place])
    assert all(message in sentence for _, sentence in problems)
    document = chart_values(of, manifest(view="1", wheel="1"), image="acme/serving:1").to_json()
    command = [helms.find("helm"), "template", "cars", str(CHART), "--values", "-"]
    rendered = subprocess.run(command, input=yaml.safe_dump(document), capture_output=True, text=True, check=False)
    assert (rendered.returncode == 0) == (place is None), rendered.stderr


def test_values_of_a_skill_are_checked_by_the_chart_too() -> None:
    of = fleet(skills={"wheel": {"layout": "dedicated"}, "view": {}})
    deploy = of.spec.deploy.model_copy(update={"skills": {"wheel": {"health": {"path": 3}, "imagePullSecret": []}}})
    of = of.model_copy(update={"spec": of.spec.model_copy(update={"deploy": deploy})})
    problems = dict(value_problems(of))
    assert "3 is not of type 'string'" in problems["spec", "deploy", "skills", "wheel", "health", "path"]
    assert "Did you mean `imagePullSecrets`?" in problems["spec", "deploy", "skills", "wheel", "imagePullSecret"]
