"""Rules of a skill's question and labels: printable, and labels different to a reader."""

import unicodedata
from collections.abc import Sequence

from pydantic_core import InitErrorDetails

from coachworks.fleet.look_alikes import difference, fold, unreadable
from coachworks.fleet.rules import broken, detail, raise_all
from coachworks.visible_text import quoted
from coachworks.wording import Suggestions


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
        hidden = unreadable(label)
        if hidden is not None:
            details.append(
                detail(
                    f"a label must be printable text without hidden characters; got {quoted(label)}, with {hidden}. "
                    "Remove it.",
                    (index,),
                    label,
                )
            )
        elif not fold(label):
            details.append(detail(f"a label must be printable text; got {quoted(label)}", (index,), label))
        elif repeats and first == label:
            details.append(
                detail(f"label {quoted(label)} must be listed once. Remove the second one.", (index,), label)
            )
        elif repeats and (unlike := difference(label, first)) is not None:
            details.append(
                detail(
                    "labels must look different, and differ in more than case, spaces or Unicode form; got "
                    f"{quoted(first)} and {quoted(label)}, with {unlike}. "
                    "Keep one of them, and use it in the tables too.",
                    (index,),
                    label,
                )
            )
        elif repeats:
            details.append(
                detail(
                    f"labels must differ in more than case, spaces or Unicode form; got {quoted(first)} and "
                    f"{quoted(label)}. Keep one of them, and use it in the tables too.",
                    (index,),
                    label,
                )
            )
        elif label != label.strip():
            details.append(detail(f"a label must have no space around it; got {quoted(label)}", (index,), label))
    raise_all("labels", details)
    return labels


def check_question(question: str) -> str:
    """Return a skill's question if it holds no control characters but line breaks and tabs.

    Raises:
        PydanticCustomError: it does.
    """
    for position, character in enumerate(question, start=1):
        if unicodedata.category(character) == "Cc" and character not in "\n\r\t":
            raise broken(
                f"`question` must be text without control characters; got {quoted(question)}, with "
                f"U+{ord(character):04X} at position {position}. Remove it."
            )
    return question


def check_unsure(unsure: str, labels: Sequence[str]) -> str:
    """Return `unsure` if it is not one of the labels.

    Raises:
        PydanticCustomError: it is one.
    """
    hidden = unreadable(unsure)
    if hidden is not None:
        raise broken(
            "`unsure` must be printable text without hidden characters; "
            f"got {quoted(unsure)}, with {hidden}. Remove it."
        )
    if fold(unsure) in {fold(label) for label in labels}:
        raise broken(
            f"the answer `unsure` must not be among the labels, since it never becomes a class; got {quoted(unsure)}. "
            "Remove it from `labels`."
        )
    return unsure


def check_similar(similar: list[list[str]], labels: Sequence[str]) -> list[list[str]]:
    """Return `similar` if every group names at least two different labels of the skill.

    Raises:
        ValidationError: with one error per bad group or name.
    """
    details: list[InitErrorDetails] = []
    known, suggestions = set(labels), Suggestions(labels)
    for index, group in enumerate(similar):
        if len(set(group)) < 2:
            details.append(
                detail(
                    f"a group of similar labels must name at least two different labels; got {group!r}", (index,), group
                )
            )
        details.extend(
            detail(
                f"`similar` must name labels of the skill; {quoted(label)} is not among them."
                + suggestions.did_you_mean(label, "Its labels"),
                (index, place),
                label,
            )
            for place, label in enumerate(group)
            if label not in known
        )
    raise_all("similar", details)
    return similar
