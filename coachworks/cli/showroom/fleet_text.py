"""The showroom's `fleet.yaml`, with comments for people who change it."""

from collections.abc import Mapping

from coachworks.cli.showroom.car import body_types, paints
from coachworks.cli.showroom.damage import QUALITIES
from coachworks.cli.showroom.plan import SKILLS
from coachworks.cli.showroom.surroundings import PLACES
from coachworks.cli.starter import scalar

LABELS: dict[str, list[str]] = {
    "image-content": [
        "interior", "exterior", "close-up", "close-up-with-text", "obstructed", "opening-mechanism", "wheel",
    ],
    "image-quality": list(QUALITIES),
    "body-type": body_types(),
    "paint-colour": paints(),
    "surroundings": list(PLACES),
}  # fmt: skip
_FURTHER = {
    "image-content": """\
      unsure: unsure  # annotators may answer it; it never becomes a class
      similar: [[close-up, close-up-with-text]]  # confusing these is a "sensible" mistake
""",
    "image-quality": """\
      tier: critical  # strict: every warning about its data is a failure
      serving: {layout: dedicated, port: 9722, serviceName: ai-image-quality}
""",
    "body-type": """\
      similar: [[hatchback, estate], [estate, suv]]
""",
    "paint-colour": """\
      similar: [[red, yellow], [blue, green]]
""",
    "surroundings": """\
      similar: [[street, street-at-night]]
""",
}


def fleet_text(counts: Mapping[str, Mapping[str, int]]) -> str:
    """Return the text of the fleet file.

    Args:
        counts: Photos per label, by skill.
    """
    fewest = min(counts[skill].get(label, 0) for skill, labels in LABELS.items() for label in labels)
    gate = max(1, fewest // 10 * 10)
    skills = "".join(_skill(skill, labels) for skill, labels in LABELS.items())
    return f"""\
# The showroom: five classifiers that learn from drawn photos of invented cars.
# Change something and run again: `coachworks check`, then `coachworks run`. Only steps that a change affects run again.
apiVersion: coachworks.dev/v1
kind: Fleet
metadata:
  name: showroom
spec:
  store: ./store  # all results
  sources:
    # The table names each photo's car (set_id), so that no car is in both the training and the test split.
    - {{photos: ./photos, table: ./photos.csv}}
  backbone: efficientnet-lite0  # pre-trained on real photos; comes with the installation
  augment:
    views: 1  # augmented copies of each training photo; 1 instead of 2, to finish sooner
  defaults:
    candidates: [linear, knn, svm, naive-bayes]  # they compete; the simplest of the best wins
    gates:
      # A fleet for real use needs 1,000 photos per label, 0.85 and 0.05 here. This demonstration is drawn and
      # trained within minutes: its rarest label has {fewest} photos, and so few test photos measure accuracy and
      # calibration only roughly. Raise these values for your own photos.
      minPhotosPerLabel: {gate}
      minBalancedAccuracy: 0.8
      maxExpectedCalibrationError: 0.15
  skills:
{skills}"""


def _skill(name: str, labels: list[str]) -> str:
    listed = ", ".join(scalar(label) for label in labels)
    return f"    {name}:\n      question: {SKILLS[name]}\n      labels: [{listed}]\n{_FURTHER[name]}"
