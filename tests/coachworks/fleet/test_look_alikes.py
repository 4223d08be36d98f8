"""Labels that look alike, and labels with characters that nobody sees."""

import unicodedata

import pytest
from odd_labels import ODD_LABELS

from coachworks.fleet.answers import Answers, compare_with_skills
from coachworks.fleet.look_alikes import fold
from coachworks.fleet.reader import examine
from coachworks.fleet.skill import Skill
from coachworks.visible_text import visible

FILE = (
    "apiVersion: coachworks.dev/v1\nkind: Fleet\nmetadata: {{name: x}}\nspec:\n  sources: [{{photos: .}}]\n"
    '  skills:\n    a:\n      labels: [bus, "{}"]\n'
)
HIDDEN = {
    "\\u200b": "U+200B (zero width space)",
    "\\u2060": "U+2060 (word joiner)",
    "\\xAD": "U+00AD (soft hyphen)",
    "\\u202e": "U+202E (right-to-left override)",
    "\\u200f": "U+200F (right-to-left mark)",
    "\\u2067": "U+2067 (right-to-left isolate)",
    "\\uFEFF": "U+FEFF (zero width no-break space)",
    "\\u3164": "U+3164 (hangul filler)",
    "\\u2028": "U+2028 (line separator)",
    "\\e": "U+001B",
    "\\n": "U+000A",
    "\\u200d": "U+200D (zero width joiner)",
}
TWINS = {
    "car\u00a0red": ("car red", "U+00A0 (no-break space) at position 4"),
    "ｃａｒ": ("car", "U+FF43 (fullwidth latin small letter c) at position 1"),
    "c\u0430r": ("car", "U+0430 (cyrillic small letter a) at position 2"),
    "\u0421AR": ("CAR", "U+0421 (cyrillic capital letter es) at position 1"),
    "❤\ufe0f": ("❤", "U+FE0F (variation selector-16) at position 2"),
    "\u039dissan": ("Nissan", "U+039D (greek capital letter nu) at position 1"),
}


@pytest.mark.parametrize(("written", "named"), HIDDEN.items())
def test_a_label_with_a_hidden_character_is_refused_and_shown_escaped(written: str, named: str) -> None:
    _, (problem,) = examine(FILE.format(f"bi{written}ke"))
    assert (problem.line, problem.column) == (8, 21)
    assert problem.message.startswith("a label must be printable text without hidden characters; got 'bi\\")
    assert problem.message.endswith(f"', with {named} at position 3. Remove it.")
    assert visible(problem.message) == problem.message


@pytest.mark.parametrize(("label", "twin", "named"), [(label, *rest) for label, rest in TWINS.items()])
def test_labels_that_look_alike_are_refused_with_their_difference(label: str, twin: str, named: str) -> None:
    _, (problem,) = examine(FILE.format(f'{twin}", "{label}'))
    assert problem.message.startswith("labels must look different")
    assert problem.message.endswith(f"with {named}. Keep one of them, and use it in the tables too.")


def test_odd_labels_are_labels() -> None:
    quoted = ", ".join('"' + label.replace("\\", "\\\\").replace('"', '\\"') + '"' for label in ODD_LABELS)
    fleet, problems = examine(FILE.replace('"{}"', "{}").format(quoted))
    assert problems == []
    assert fleet is not None
    assert fleet.spec.skills["a"].labels == ["bus", *ODD_LABELS]


@pytest.mark.parametrize("flag", ["🏴󠁧󠁢󠁥󠁮󠁧󠁿", "👩🏽‍🚒", "می‌خواهم"])
def test_joiners_of_emoji_and_letters_are_no_hidden_characters(flag: str) -> None:
    assert examine(FILE.format(flag))[1] == []


def test_two_flags_that_differ_in_their_tags_are_two_labels() -> None:
    assert examine(FILE.format('🏴󠁧󠁢󠁥󠁮󠁧󠁿", "🏴󠁧󠁢󠁳󠁣󠁴󠁿'))[1] == []


@pytest.mark.parametrize(("label", "twin", "named"), [(label, *rest) for label, rest in TWINS.items()])
def test_an_answer_that_looks_like_a_label_is_named_as_such(label: str, twin: str, named: str) -> None:
    skill = Skill(labels=[twin, "bike"])
    ((_, sentence),) = compare_with_skills({"a": skill}, {"t.csv": Answers({"a": {label: 3, twin: 1, "bike": 1}})})
    assert f"on 3 photos, which looks like {twin!r} but has {named}. Correct them" in sentence


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_both_ways_of_unicode_to_write_an_accent_are_one_label(form) -> None:
    assert fold(unicodedata.normalize(form, "Größe")) == fold("Größe")


def test_an_answer_is_hidden_nowhere() -> None:
    answers = {"t.csv": Answers({"a": {"ca\u200br": 1, "car": 1, "bike": 1}})}
    ((_, sentence),) = compare_with_skills({"a": Skill(labels=["car", "bike"])}, answers)
    assert r"'ca\u200br' on 1 photo, which looks like 'car' but has U+200B (zero width space) at position 3" in sentence
