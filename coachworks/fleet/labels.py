"""Rules of a skill's labels: printable, and different to a reader."""

import unicodedata
from collections.abc import Sequence

from pydantic_core import InitErrorDetails

from coachworks.fleet.rules import broken, detail, raise_all
from coachworks.wording import did_you_mean


def fold(label: str) -> str:
    """Return a label as readers compare it: without case, surrounding or repeated space, in one Unicode form.

    >>> fold(" Close-Up ") == fold("close-up")
    True
    """
    return " ".join(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", label).casefold()).split())


def check_labels(labels: list[str]) -> list[str]:
    """Return `labels` if each is printable and no two look the same to a reader.

    Raises:
        ValidationError: with one error per bad label.
    """
    details: list[InitErrorDetails] = []
    seen: dict[str, int] = {}
    for index, label in enumerate(labels):
        first = labels[seen.setdefault(fold(label), index)]
        repeats = seen[fold(label)] != index
        if not fold(label) or any(unicodedata.category(character) == "Cc" for character in label):
            details.append(detail(f"a label must be printable text; got {label!r}", (index,), label))
        elif repeats and first == label:
            details.append(detail(f"label {label!r} must be listed once. Remove the second one.", (index,), label))
        elif repeats:
            details.append(
                detail(
                    f"labels must differ in more than case, spaces or Unicode form; got {first!r} and {label!r}. "
                    "Keep one of them, and use it in the tables too.",
                    (index,),
                    label,
                )
            )
        elif label != label.strip():
            details.append(detail(f"a label must have no space around it; got {label!r}", (index,), label))
    raise_all("labels", details)
    return labels


def check_unsure(unsure: str, labels: Sequence[str]) -> str:
    """Return `unsure` if it is not one of the labels.

    Raises:
        PydanticCustomError: it is one.
    """
    if fold(unsure) in {fold(label) for label in labels}:
        raise broken(
            f"the answer `unsure` must not be among the labels, since it never becomes a class; got {unsure!r}. "
            "Remove it from `labels`."
        )
    return unsure


def check_similar(similar: list[list[str]], labels: Sequence[str]) -> list[list[str]]:
    """Return `similar` if every group names at least two different labels of the skill.

    Raises:
        ValidationError: with one error per bad group or name.
    """
    details: list[InitErrorDetails] = []
    for index, group in enumerate(similar):
        if len(set(group)) < 2:
            details.append(
                detail(
                    f"a group of similar labels must name at least two different labels; got {group!r}", (index,), group
                )
            )
        details.extend(
            detail(
                f"`similar` must name labels of the skill; {label!r} is not among them."
                + (did_you_mean(label, labels) or f" Its labels: {', '.join(labels)}."),
                (index, place),
                label,
            )
            for place, label in enumerate(group)
            if label not in labels
        )
    raise_all("similar", details)
    return similar
