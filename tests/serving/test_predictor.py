import subprocess
import sys
from types import ModuleType

import numpy as np
import pytest

from coachworks.errors import PhotoError
from coachworks.models.preprocess import features_input
from coachworks.models.session import open_session, run_session
from serving.predictor import Predictor, Query


@pytest.mark.parametrize("colour", ["red", "green", "blue"])
def test_a_photo_gets_every_skills_answer(predictor: Predictor, fabricated: ModuleType, colour: str):
    [answers] = predictor.answer([fabricated.photo(colour)])
    assert list(answers) == ["colour", "light"]
    assert answers["colour"].label == colour
    assert answers["colour"].probability > 0.5
    assert answers["colour"].runner_up.label != colour
    assert answers["colour"].runner_up.probability <= answers["colour"].probability
    assert answers["colour"].model_version == "3"


def test_probabilities_are_returned_on_request_and_sum_to_one(predictor: Predictor, fabricated: ModuleType):
    [answers] = predictor.answer([fabricated.photo("red")], ["colour"], probabilities=True)
    probabilities = answers["colour"].probabilities
    assert probabilities is not None
    assert sum(probabilities.values()) == pytest.approx(1, abs=1e-6)
    assert probabilities["red"] == answers["colour"].probability
    assert predictor.answer([fabricated.photo("red")])[0]["colour"].probabilities is None


def test_answers_are_those_of_the_heads_on_the_features_that_embed_computes(
    predictor: Predictor, fabricated: ModuleType
):
    photos = [fabricated.photo((40 * i, 200 - 30 * i, 17 * i), size=(50 + i, 90)) for i in range(6)]
    bundle = predictor.bundle
    session = open_session(bundle.backbone_path, 1)
    features = run_session(session, np.stack([features_input(photo, bundle.backbone) for photo in photos]))
    expected = bundle.skills["colour"].head.probabilities(features)
    answered = predictor.answer(photos, probabilities=True)
    actual = [list((answers["colour"].probabilities or {}).values()) for answers in answered]
    np.testing.assert_allclose(actual, expected, atol=1e-6)


def test_a_photo_gets_the_same_answer_alone_and_in_a_batch(predictor: Predictor, fabricated: ModuleType):
    photos = [fabricated.photo((i * 5, 255 - i * 5, i), kind="PNG") for i in range(40)]
    together = predictor.answer(photos)
    for photo, answers in zip(photos, together, strict=True):
        [alone] = predictor.answer([photo])
        assert alone["colour"].label == answers["colour"].label
        assert alone["colour"].probability == pytest.approx(answers["colour"].probability, abs=1e-5)


def test_each_photo_of_a_batch_gets_its_requested_skills(predictor: Predictor, fabricated: ModuleType):
    pixels = predictor.prepare(fabricated.photo("blue"))
    answers = predictor.answer_queries([Query(pixels, ("light",)), Query(pixels, ("colour",), probabilities=True)])
    assert [list(each) for each in answers] == [["light"], ["colour"]]
    assert answers[1]["colour"].probabilities is not None


def test_a_broken_photo_is_refused_with_its_reason(predictor: Predictor, fabricated: ModuleType):
    with pytest.raises(PhotoError, match="truncated") as caught:
        predictor.answer([fabricated.photo("red")[:300]])
    assert caught.value.reason == "truncated"


def test_no_photos_give_no_answers(predictor: Predictor):
    assert predictor.answer([]) == []


def test_predicting_needs_neither_torch_nor_pandas_nor_mlflow_nor_bentoml():
    code = (
        "import sys, serving.predictor, serving.bundle, onnxruntime, safetensors.numpy\n"
        "heavy = {'torch', 'pandas', 'mlflow', 'bentoml', 'kfp', 'sklearn', 'fastapi', 'pyarrow'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
