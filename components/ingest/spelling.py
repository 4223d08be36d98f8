"""Spelling of answers as in the fleet file: Unicode has two ways to write an accented letter."""

import unicodedata
from collections.abc import Mapping

from coachworks.fleet.skill import Skill


class Spelling:
    """The fleet file's spelling of its labels.

    Args:
        skills: The skills by name.
    """

    def __init__(self, skills: Mapping[str, Skill]) -> None:
        self._vocabulary = {
            name: {_composed(label): label for label in (*skill.labels, *filter(None, [skill.unsure]))}
            for name, skill in skills.items()
        }

    def spelt(self, answers: Mapping[str, str]) -> dict[str, str]:
        """Return answers by skill as the fleet file spells them."""
        return {skill: self._vocabulary[skill].get(_composed(label), label) for skill, label in answers.items()}


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text)
