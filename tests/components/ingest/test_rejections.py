"""Rejections in `rejected.json`: millions are written without the overhead of `json`, and as `json` writes them."""

import json
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from components.ingest.build_tables import write_rejections
from components.ingest.report import Aside, Rejection

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
REJECTIONS = st.builds(
    Rejection, TEXT, TEXT, st.sampled_from(Aside), TEXT, same_as=st.none() | TEXT, set_id=st.none() | TEXT
)


@given(st.lists(REJECTIONS, max_size=4))
def test_rejections_are_written_as_json_would_write_them(rejections: list[Rejection]):
    with TemporaryDirectory() as folder:
        file = Path(folder, "rejected.json")
        write_rejections(rejections, file)
        text = file.read_bytes().decode("utf-8")
    entries = [{name: value for name, value in asdict(each).items() if value is not None} for each in rejections]
    lines = [json.dumps(entry, ensure_ascii=False) for entry in entries]
    assert text == ("[\n " + ",\n ".join(lines) + "\n]" if lines else "[]")
    assert json.loads(text) == entries
