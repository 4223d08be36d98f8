from types import SimpleNamespace

import pytest

from components.document.label_balance import label_balance

TRIALS = [
    {"policy": "balanced", "balanced_accuracy": 0.691, "standard_error": 0.031},
    {"policy": "logit-adjustment", "balanced_accuracy": 0.86, "standard_error": 0.0},
    {"policy": "focal", "balanced_accuracy": 0.684, "standard_error": 0.034},
    {"policy": "none", "balanced_accuracy": 0.583, "standard_error": 0.035},
]
ALIKE, UNLIKE = {"dent": 1.0, "sound": 1.0}, {"dent": 50.0, "sound": 0.5}


def paragraph(rare=10, of_all_skills="auto", **trained):
    record = SimpleNamespace(
        trained={"winner": "linear", "class_weights": ALIKE, **trained},
        facts=SimpleNamespace(counts={"dent": {"train": rare}, "sound": {"train": 1000}}),
        labels=["dent", "sound"],
        results={"train": SimpleNamespace(report={"class_weights": of_all_skills})},
    )
    return label_balance(record).text.replace("\xa0", " ")


def test_the_document_says_what_is_done_about_uneven_labels_against_what_and_how_sure_that_is():
    assert paragraph(imbalance={"policy": "logit-adjustment", "trials": TRIALS}) == (
        "‘sound’ has 100.0 times as many training photos as ‘dent’. What to do about that was measured on photos that "
        "were held out in turn, all labels counting alike. A simple model was right for 86.0 % with answers corrected "
        "for how frequent their labels are, which is chosen; it was right for 69.1 % with photos of rare labels "
        "counted more, 68.4 % with photos of rare labels, and those that are hard to answer, counted more and 58.3 % "
        "with nothing done about it (uncertainty of a difference: one standard error, at most 3.5 percentage points). "
        "So frequent labels are not favoured in the answers."
    )


@pytest.mark.parametrize(
    ("trained", "end"),
    [
        ({"class_weights": UNLIKE, "imbalance": {"policy": "balanced", "trials": []}}, "counts as much as 100.0 of"),
        (
            {"class_weights": UNLIKE, "winner": "svm", "imbalance": {"policy": "focal", "trials": []}},
            "100.0 of ‘sound’",
        ),
        (
            {"imbalance": {"policy": "none", "trials": []}},
            "so frequent labels are favoured",
        ),
        ({"imbalance": {"policy": "logit-adjustment", "trials": []}}, "not favoured in the answers"),
        ({"class_weights": UNLIKE}, "counts as much as 100.0 of"),  # of an earlier version
        ({"class_weights": {}, "of_all_skills": "none"}, "so frequent labels are favoured"),
    ],
)
def test_without_a_comparison_the_document_says_what_is_done(trained, end):
    text = paragraph(**trained)
    assert end in text
    assert "measured" not in text


def test_labels_with_about_as_many_photos_need_nothing():
    assert paragraph(rare=900) == "All labels have about the same number of training photos."
