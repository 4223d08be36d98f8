"""The guide documents everything that a client can meet, and the published OpenAPI document is up to date."""

import dataclasses
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from serving import answer_format as answers
from serving.app import create_app
from serving.errors import RULES, Code
from serving.metrics import ServiceMetrics
from serving.predictor import Predictor
from serving.settings import PREFIX, ServingSettings

DOCS = Path(__file__).parents[2] / "docs"
GUIDE = (DOCS / "guide" / "serving.md").read_text("utf-8")
MODELS = [answers.Prediction, answers.Answer, answers.RunnerUp, answers.SkillList, answers.SkillCard, answers.Health]
MODELS += [answers.ErrorDocument, answers.ErrorBody]


def no_models() -> Predictor:
    raise AssertionError("the documentation needs no models")


@pytest.fixture(scope="module")
def openapi() -> dict[str, Any]:
    return create_app(no_models).openapi()


@pytest.mark.parametrize("field", sorted({name for model in MODELS for name in model.model_fields}))
def test_every_field_is_documented(field: str):
    assert f"`{field}`" in GUIDE


@pytest.mark.parametrize("code", Code)
def test_every_error_code_is_documented_with_its_status(code: Code):
    assert f"| `{code}` | {RULES[code].status} |" in GUIDE


def test_no_other_code_is_documented():
    documented = re.findall(r"^\| `([a-z-]+)` \| \d{3} \|", GUIDE, flags=re.MULTILINE)
    assert sorted(documented) == sorted(Code)


@pytest.mark.parametrize("field", dataclasses.fields(ServingSettings), ids=lambda field: field.name)
def test_every_setting_is_documented_with_its_default(field: "dataclasses.Field[int]"):
    assert f"| `{PREFIX}{field.name.upper()}` | {field.default} |" in GUIDE


def metric_names(registry: CollectorRegistry) -> Iterator[str]:
    for metric in registry.collect():
        yield metric.name + ("_total" if metric.type == "counter" else "")


@pytest.mark.parametrize("name", sorted(metric_names(ServiceMetrics().registry)))
def test_every_metric_is_documented(name: str):
    assert f"| `{name}` |" in GUIDE


def test_every_path_is_documented(openapi: dict[str, Any]):
    for path in openapi["paths"]:
        assert f" {path}`" in GUIDE


def test_every_parameter_is_documented(openapi: dict[str, Any]):
    for parameter in openapi["paths"]["/v1/predict"]["post"]["parameters"]:
        assert f"| `{parameter['name']}` |" in GUIDE


def test_openapi_describes_both_ways_to_send_a_photo_and_the_shape_of_every_error(openapi: dict[str, Any]):
    predict = openapi["paths"]["/v1/predict"]["post"]
    assert set(predict["requestBody"]["content"]) == {"image/*", "application/octet-stream", "multipart/form-data"}
    assert {"200", "400", "408", "413", "415", "422", "503"} <= set(predict["responses"])
    for status, response in predict["responses"].items():
        name = response["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        assert name == ("Prediction" if status == "200" else "ErrorDocument")


def test_the_published_openapi_document_is_up_to_date(openapi: dict[str, Any], golden: Callable[[Path, str], None]):
    golden(DOCS / "reference" / "openapi.json", json.dumps(openapi, indent=1, ensure_ascii=False) + "\n")
