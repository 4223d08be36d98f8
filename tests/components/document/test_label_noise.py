from types import SimpleNamespace

from components.document.label_noise import label_noise

NOISE = {
    "photos": 1200,
    "level": {"value": 0.06, "low": 0.045, "high": 0.081},
    "suspicious": 61,
    "transition": [[0.9, 0.1], [0.02, 0.98]],
}


def paragraph(**noise):
    record = SimpleNamespace(trained={"labels": ["good", "blurry"], "label_noise": noise or None}, labels=())
    block = label_noise(record)
    return block and block.text.replace("\xa0", " ")


def test_the_document_says_how_many_labels_are_wrong_and_that_none_was_changed():
    assert paragraph(**NOISE) == (
        "About 6 % of the labels of training and validation photos are estimated to be wrong (4 % to 8 %). Each of "
        "1,200 photos was answered by a copy of the skill that was trained without it, and a label counts as wrong "
        "where this copy was confident of another one. Labels that the skill cannot tell apart count as well, so it is "
        "an estimate. Most often, photos of ‘good’ are labelled ‘blurry’: about 10 % of them. 61 suspicious labels are "
        "listed for people to check, with the photos. No label was changed, and the labels of test photos were not "
        "judged."
    )


def test_rare_confusions_and_empty_lists_are_not_mentioned():
    text = paragraph(**NOISE | {"suspicious": 0, "transition": [[0.99, 0.01], [0, 1]]})
    assert "Most often" not in text
    assert "suspicious" not in text
    assert paragraph(**NOISE | {"suspicious": 1}).count(" 1 suspicious label is listed") == 1


def test_without_an_estimate_the_document_says_nothing():
    assert paragraph() is None


LOSSES = {"knn": 0.801, "generalised-cross-entropy": 0.83, "forward-correction": 0.82}


def test_training_that_stands_wrong_labels_is_told_with_what_it_gained():
    text = paragraph(**NOISE | {"losses": LOSSES, "loss": "generalised-cross-entropy"})
    assert (
        "So many wrong labels call for training that stands them; it is used, and was right for 83 % of photos held "
        "out, against 80 % without it."
    ) in text
    text = paragraph(**NOISE | {"losses": LOSSES, "loss": ""})
    assert "it was tried and was no better by more than chance, so it is not used." in text
