"""Documents as JSON that readers of YAML take for the same document."""

import json

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from odd_labels import ODD_LABELS
from ruamel.yaml import YAML

from coachworks.yaml_text import yaml_text

texts = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(ODD_LABELS)


@settings(max_examples=100)
@given(texts)
def test_readers_of_json_and_of_yaml_read_the_same_text(text: str) -> None:
    document = {"labels": [text, "a"], "metrics": {"share": 0.1}}
    written = yaml_text(document)
    assert json.loads(written) == document
    assert yaml.safe_load(written) == document


@pytest.mark.parametrize("text", ODD_LABELS)
def test_ruamel_reads_it_too(text: str) -> None:
    assert YAML(typ="safe", pure=True).load(yaml_text([text])) == [text]
