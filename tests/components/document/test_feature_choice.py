from types import SimpleNamespace

from components.document.feature_choice import feature_choice

TRIALS = [
    {"groups": ["last"], "balanced_accuracy": 0.857, "standard_error": 0.008},
    {"groups": ["last", "blocks-mean"], "balanced_accuracy": 0.893, "standard_error": 0.007},
    {"groups": ["last", "blocks-mean", "blocks-std"], "balanced_accuracy": 0.899, "standard_error": 0.0068},
]


def paragraph(**trained):
    return feature_choice(SimpleNamespace(trained=trained))


def test_the_document_says_what_a_skill_reads_against_what_and_how_sure_that_is():
    actual = paragraph(feature_groups=["last", "blocks-mean"], feature_trials=TRIALS)
    assert actual is not None
    assert actual.text.replace("\xa0", " ") == (
        "The network describes a photo by several kinds of number, and this skill reads the result of its last layer "
        "and how strongly each pattern of every layer occurs on average. A simple model of these was right for 89.3 % "
        "of the photos that were held out in turn, all labels counting alike (uncertainty: one standard error, 0.7 "
        "percentage points); it was right for 85.7 % with the last layer alone and 89.9 % with 3 kinds of number. Of "
        "the choices within one standard error of the best, that with the fewest numbers is taken."
    )


def test_without_a_choice_the_document_says_nothing_about_it():
    assert paragraph() is None  # of an earlier version
    assert paragraph(feature_groups=["last"], feature_trials=TRIALS[:1]) is None
