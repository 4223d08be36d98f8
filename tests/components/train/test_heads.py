import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal
from safetensors.numpy import save_file

from coachworks.digests import digest_file
from coachworks.errors import DataError
from coachworks.models.head import ARRAYS, Head, load_head, softmax

KINDS = tuple(kind for kind in ARRAYS if kind != "fine-tune")


def points(count=50, dimensions=20, seed=1):
    return np.random.default_rng(seed).normal(size=(count, dimensions)).astype(np.float32) * 3


def linear_head(**changes):
    settings = {
        "kind": "linear",
        "labels": ("a", "b"),
        "arrays": {"weight": np.eye(2, 3, dtype=np.float32), "bias": np.zeros(2, np.float32)},
        "backbone_digest": "b" * 64,
    }
    return Head(**{**settings, **changes})


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_head_comes_back_with_every_bit(trained_head, tmp_path, kind):
    head = trained_head(kind, temperature=1.7)
    head.save(tmp_path / "head.safetensors")
    again = load_head(tmp_path / "head.safetensors")
    assert (again.kind, again.labels, again.temperature) == (kind, head.labels, 1.7)
    assert again.backbone_digest == head.backbone_digest
    assert dict(again.parameters) == json.loads(json.dumps(dict(head.parameters)))
    assert_array_equal(again.logits(points()), head.logits(points()))
    assert_array_equal(again.probabilities(points()), head.probabilities(points()))


@pytest.mark.parametrize("kind", KINDS)
def test_equal_heads_give_equal_bytes(trained_head, tmp_path, kind):
    for name in ("one", "two"):
        trained_head(kind).save(tmp_path / name)
    load_head(tmp_path / "two").save(tmp_path / "three")
    assert len({digest_file(tmp_path / name) for name in ("one", "two", "three")}) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_head_gives_the_logits_of_training_from_raw_features(trained_head, lane_and_reduction, outcomes, kind):
    lane, reduction = lane_and_reduction
    # undo the reduction: with as many components as dimensions nothing is lost
    raw = lane.validation @ np.linalg.pinv(reduction.projection) + reduction.offset
    expected = outcomes["three"].entries[kind].candidate.logits
    assert_allclose(trained_head(kind).logits(raw), expected, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_probabilities_sum_to_one_and_do_not_depend_on_the_batch(trained_head, kind):
    head, photos = trained_head(kind), points(2100)
    together = head.probabilities(photos)
    assert together.dtype == np.float32
    assert together.shape == (2100, 3)
    assert_allclose(together.sum(1), 1, atol=1e-5)
    alone = np.concatenate([head.probabilities(photos[row : row + 1]) for row in (0, 1023, 1024, 2099)])
    assert_allclose(alone, together[[0, 1023, 1024, 2099]], atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_no_photos_give_no_answers(trained_head, kind):
    assert trained_head(kind).probabilities(np.zeros((0, 20), np.float32)).shape == (0, 3)


@pytest.mark.parametrize("kind", KINDS)
def test_the_temperature_changes_confidence_but_no_answer(trained_head, kind):
    cold, hot = trained_head(kind, temperature=0.5), trained_head(kind, temperature=4.0)
    assert_array_equal(cold.probabilities(points()).argmax(1), cold.logits(points()).argmax(1))
    assert_array_equal(cold.logits(points()), hot.logits(points()))
    assert (hot.probabilities(points()).max(1) <= cold.probabilities(points()).max(1) + 1e-6).all()


@pytest.mark.parametrize("shape", [(20,), (4, 19), (4, 21), (1, 1, 20)])
def test_features_of_another_shape_are_refused(trained_head, shape):
    with pytest.raises(DataError, match=r"features must have the shape \(photos, 20\); got"):
        trained_head("linear").logits(np.zeros(shape, np.float32))


def test_naive_bayes_answers_as_scikit_learn_does():
    from sklearn.naive_bayes import GaussianNB

    rng = np.random.default_rng(0)
    answers = rng.integers(0, 4, 300)
    photos = rng.normal(size=(300, 6)) + answers[:, None] * np.array([1, 0.5, 0, 0, -1, 2])
    reference = GaussianNB().fit(photos, answers)
    head = Head(
        kind="naive-bayes",
        labels=tuple("abcd"),
        arrays={
            "offset": np.zeros(6, np.float32),
            "projection": np.eye(6, dtype=np.float32),
            "means": reference.theta_.astype(np.float32),
            "variances": reference.var_.astype(np.float32),
            "log_priors": np.log(reference.class_prior_).astype(np.float32),
        },
        backbone_digest="",
    )
    assert_allclose(head.logits(photos), reference.predict_joint_log_proba(photos), rtol=1e-4, atol=1e-4)
    assert_allclose(head.probabilities(photos), reference.predict_proba(photos), atol=1e-4)


def test_knn_votes_as_scikit_learn_does():
    from sklearn.neighbors import KNeighborsClassifier

    rng = np.random.default_rng(0)
    answers = rng.integers(0, 3, 200)
    photos = (rng.normal(size=(200, 8)) + np.eye(3, 8)[answers] * 2).astype(np.float32)
    reference = KNeighborsClassifier(7, metric="cosine", algorithm="brute").fit(photos, answers)
    head = Head(
        kind="knn",
        labels=("a", "b", "c"),
        arrays={
            "offset": np.zeros(8, np.float32),
            "projection": np.eye(8, dtype=np.float32),
            "references": photos / np.linalg.norm(photos, axis=1, keepdims=True),
            "reference_labels": answers,
            "label_weights": np.ones(3, np.float32),
        },
        backbone_digest="",
        parameters={"neighbours": 7, "smoothing": 0.5},
    )
    asked = rng.normal(size=(60, 8))
    smoothed = (reference.predict_proba(asked) * 7 + 0.5) / (7 + 3 * 0.5)
    assert_allclose(head.probabilities(asked), smoothed, atol=1e-5)


def test_svm_decides_as_scikit_learn_does():
    from sklearn.svm import SVC

    rng = np.random.default_rng(0)
    photos = rng.normal(size=(150, 5)).astype(np.float32)
    answers = (photos[:, 0] ** 2 + photos[:, 1] > 0.7).astype(np.int64)
    reference = SVC(C=2.0, gamma=0.3).fit(photos, answers)
    head = Head(
        kind="svm",
        labels=("no", "yes"),
        arrays={
            "offset": np.zeros(5, np.float32),
            "projection": np.eye(5, dtype=np.float32),
            "landmarks": reference.support_vectors_.astype(np.float32),
            "weight": np.vstack([-reference.dual_coef_, reference.dual_coef_]).astype(np.float32),
            "bias": np.concatenate([-reference.intercept_, reference.intercept_]).astype(np.float32),
        },
        backbone_digest="",
        parameters={"gamma": 0.3},
    )
    asked = rng.normal(size=(80, 5))
    assert_allclose(head.logits(asked)[:, 1], reference.decision_function(asked), rtol=1e-4, atol=1e-4)


@pytest.mark.filterwarnings("ignore:lbfgs failed to converge")  # two iterations are enough to compare
def test_mlp_answers_as_scikit_learn_does():
    from sklearn.neural_network import MLPClassifier

    rng = np.random.default_rng(0)
    photos = rng.normal(size=(200, 5))
    answers = rng.integers(0, 3, 200)
    reference = MLPClassifier((7,), max_iter=2, random_state=0, solver="lbfgs").fit(photos, answers)
    (hidden, weight), (hidden_bias, bias) = reference.coefs_, reference.intercepts_
    head = Head(
        kind="mlp",
        labels=("a", "b", "c"),
        arrays={
            "hidden_weight": hidden.T.astype(np.float32),
            "hidden_bias": hidden_bias.astype(np.float32),
            "weight": weight.T.astype(np.float32),
            "bias": bias.astype(np.float32),
        },
        backbone_digest="",
    )
    assert_allclose(head.probabilities(photos), reference.predict_proba(photos), atol=1e-5)


@given(
    arrays(np.float64, (5, 4), elements=st.floats(-1e4, 1e4)),
    st.floats(-1e4, 1e4),
    st.floats(0.05, 20),
)
def test_softmax_is_a_distribution_and_ignores_a_shift(logits, shift, temperature):
    probabilities = softmax(logits, temperature)
    assert np.isfinite(probabilities).all()
    assert_allclose(probabilities.sum(1), 1, atol=1e-5)
    assert_allclose(softmax(logits + shift, temperature), probabilities, atol=1e-5)


def test_a_file_other_than_safetensors_is_refused(tmp_path):
    (tmp_path / "head.safetensors").write_bytes(b"\x80\x04cos\nsystem\n")
    with pytest.raises(DataError, match=r"head must be a readable safetensors file; 'head.safetensors' is not"):
        load_head(tmp_path / "head.safetensors")


def test_a_truncated_head_is_refused(tmp_path):
    path = tmp_path / "head.safetensors"
    linear_head().save(path)
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(DataError, match="must be a readable safetensors file"):
        load_head(path)


def test_a_missing_head_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"must be a readable safetensors file; 'none.safetensors' is not"):
        load_head(tmp_path / "none.safetensors")


def test_safetensors_without_a_head_are_refused(tmp_path):
    save_file({"weight": np.ones(3, np.float32)}, tmp_path / "other.safetensors")
    with pytest.raises(
        DataError, match=r"head must carry 'coachworks.head' in its header; 'other.safetensors' does not"
    ):
        load_head(tmp_path / "other.safetensors")


def test_a_header_other_than_json_is_refused(tmp_path):
    save_file({"weight": np.ones(3, np.float32)}, tmp_path / "odd", metadata={"coachworks.head": "{"})
    with pytest.raises(DataError, match="header of the head 'odd' must be JSON"):
        load_head(tmp_path / "odd")


@pytest.mark.parametrize("header", [{"version": 99}, {}, [], "text", None])
def test_another_format_version_is_refused(tmp_path, header):
    save_file({"weight": np.ones(3, np.float32)}, tmp_path / "new", metadata={"coachworks.head": json.dumps(header)})
    with pytest.raises(DataError, match=r"format version of the head 'new' must be 1; got .* Train it again"):
        load_head(tmp_path / "new")


def test_a_header_that_lacks_a_field_is_refused(tmp_path):
    header = json.dumps({"version": 1, "kind": "linear"})
    save_file({"weight": np.ones(3, np.float32)}, tmp_path / "bare", metadata={"coachworks.head": header})
    with pytest.raises(DataError, match="header of the head 'bare' must hold every field of a head"):
        load_head(tmp_path / "bare")


WEIGHT, BIAS = np.eye(2, 3, dtype=np.float32), np.zeros(2, np.float32)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"kind": "oracle"},
            "kind of a head must be one of linear, naive-bayes, knn, svm, mlp, fine-tune; got 'oracle'",
        ),
        ({"labels": ("a",)}, r"labels of a head must be two or more different strings; got \['a'\]"),
        ({"labels": ("a", "a")}, "two or more different strings"),
        ({"labels": (1, 2)}, "two or more different strings"),
        (
            {"labels": ("a", "b", "c")},
            r"shapes of a linear head must fit together; 'weight' has \(2, 3\), where K is 3",
        ),
        ({"temperature": 0.0}, "temperature of a head must be a positive number; got 0.0"),
        ({"temperature": float("nan")}, "temperature of a head must be a positive number; got nan"),
        ({"temperature": "1"}, "temperature of a head must be a positive number; got '1'"),
        ({"backbone_digest": None}, "backbone_digest of a head must be a string; got None"),
        ({"arrays": {"weight": WEIGHT}}, r"arrays of a linear head must be \['bias', 'weight'\]; got \['weight'\]"),
        ({"arrays": {"weight": WEIGHT, "bias": BIAS, "code": BIAS}}, "arrays of a linear head must be"),
        ({"arrays": {"weight": WEIGHT.astype(float), "bias": BIAS}}, "'weight' of a linear head must be float32"),
        ({"arrays": {"weight": BIAS, "bias": BIAS}}, r"must be float32 with 2 axes; got float32 of shape \(2,\)"),
        ({"arrays": {"weight": WEIGHT[:, :0], "bias": BIAS}}, "shapes of a linear head must fit together"),
        ({"arrays": {"weight": WEIGHT * np.nan, "bias": BIAS}}, "'weight' of a linear head must be finite"),
        ({"arrays": {"weight": WEIGHT, "bias": BIAS + np.inf}}, "'bias' of a linear head must be finite"),
    ],
)
def test_parts_that_do_not_fit_together_are_refused(changes, message):
    with pytest.raises(DataError, match=message):
        linear_head(**changes)


@pytest.mark.parametrize(
    ("kind", "parameters", "message"),
    [
        ("knn", {"neighbours": 0, "smoothing": 1}, "neighbours of a knn head must be a positive number; got 0"),
        ("knn", {"neighbours": 2.5, "smoothing": 1}, "neighbours of a knn head must be an integer of at most"),
        ("knn", {"neighbours": 10**6, "smoothing": 1}, "neighbours of a knn head must be an integer of at most"),
        ("knn", {"neighbours": 3}, "smoothing of a knn head must be a positive number; got None"),
        ("svm", {"gamma": -1}, "gamma of a svm head must be a positive number; got -1"),
    ],
)
def test_numbers_that_inference_needs_are_checked(trained_head, kind, parameters, message):
    with pytest.raises(DataError, match=message):
        trained_head(kind, parameters=parameters)


def test_a_reference_with_a_label_that_does_not_exist_is_refused(trained_head):
    arrays = dict(trained_head("knn").arrays)
    arrays["reference_labels"] = arrays["reference_labels"] + 1
    with pytest.raises(DataError, match=r"reference_labels of a knn head must be in \[0, 3\)"):
        trained_head("knn", arrays=arrays)


def test_a_variance_of_zero_is_refused(trained_head):
    arrays = dict(trained_head("naive-bayes").arrays)
    arrays["variances"] = arrays["variances"] * 0
    with pytest.raises(DataError, match="variances of a naive-bayes head must be positive"):
        trained_head("naive-bayes", arrays=arrays)


def test_answering_needs_neither_torch_nor_scikit_learn(trained_head, tmp_path):
    for kind in KINDS:
        trained_head(kind).save(tmp_path / kind)
    script = (
        "import sys, pathlib, numpy\n"
        "from coachworks.models.head import load_head\n"
        f"for path in pathlib.Path({str(tmp_path)!r}).iterdir():\n"
        "    load_head(path).probabilities(numpy.zeros((2, 20), numpy.float32))\n"
        "heavy = {'torch', 'sklearn', 'scipy', 'pandas', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
