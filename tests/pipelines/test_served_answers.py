"""What is served is what was evaluated: the same photo, the same probabilities."""

import json
from pathlib import Path

import numpy as np
import pytest

pytestmark = [pytest.mark.xdist_group("pipeline"), pytest.mark.timeout(600)]


def test_the_packaged_models_answer_as_evaluate_recorded(toys) -> None:
    import pandas as pd

    from coachworks.results import ancestor, latest, load
    from coachworks.store import FolderStore
    from serving.bundle import load_bundle
    from serving.predictor import Predictor

    store = FolderStore(toys.folder / "store")
    packaged = load(store, "package", latest(store, "package"))
    evaluated = ancestor(store, packaged, "evaluate")
    uris = pd.read_parquet(ancestor(store, packaged, "ingest").path / "catalogue.parquet").set_index("photo_id")["uri"]
    predictor = Predictor(load_bundle(packaged.path / "bundle"))
    assert json.loads((packaged.path / "bento.json").read_text())["tag"].startswith("toys:")
    for skill in packaged.report["skills"]:
        recorded = pd.read_parquet(evaluated.path / skill / "predictions.parquet")
        assert len(recorded) > 5
        photos = [Path(store.fetch(uris[photo_id])).read_bytes() for photo_id in recorded["photo_id"]]
        answers = [each[skill] for each in predictor.answer(photos, [skill], probabilities=True)]
        assert [answer.label for answer in answers] == recorded["predicted"].tolist()
        served = np.array([list((answer.probabilities or {}).values()) for answer in answers])
        np.testing.assert_allclose(served, np.stack(recorded["probabilities"].to_list()), atol=1e-4)
