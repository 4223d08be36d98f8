"""Settings that would be ignored, and text that cannot be shown: refused with a way out."""

import pytest

from coachworks.fleet.reader import examine

FLEET = """apiVersion: coachworks.dev/v1
kind: Fleet
metadata: {name: cars}
spec:
  sources: [{photos: PHOTOS, table: photos.csv, followLinks: true}]
  skills:
    view: {question: QUESTION, labels: [front, rear]}
"""


def problems_of(photos: str, question: str) -> list[tuple[int, str]]:
    _, problems = examine(FLEET.replace("PHOTOS", photos).replace("QUESTION", question))
    return [(problem.line, problem.message) for problem in problems]


def test_links_of_a_bucket_cannot_be_followed():
    [(line, message)] = problems_of("s3://cars/photos", "Which side?")
    assert line == 5
    assert message == (
        "`followLinks` must not be set for photos in a bucket, which has no links; got `photos: s3://cars/photos`. "
        "Remove `followLinks`."
    )


@pytest.mark.parametrize(
    ("written", "named"),
    [(r'"side\x07?"', "U+0007 at position 5"), (r'"a\x1b[31mb"', "U+001B at position 2"), (r'"\x85"', "U+0085")],
)
def test_questions_with_control_characters_are_refused_and_named(written, named):
    [(line, message)] = problems_of("photos", written)
    assert line == 7
    assert message.startswith("`question` must be text without control characters; got '")
    assert named in message
    assert message.endswith("Remove it.")
    assert message.isprintable()


def test_questions_of_several_lines_and_links_of_folders_are_accepted():
    assert problems_of("photos", r'"Which side?\n\tFront or rear?\r\n"') == []
