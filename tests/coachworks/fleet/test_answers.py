"""Answers in tables, compared with the skills of the fleet file."""

from coachworks.fleet.answers import Answers, Columns, compare_with_skills
from coachworks.fleet.skill import Skill

KIND = Skill(labels=["inside", "outside", "wheel"], unsure="unsure")
VIEWS = {"inside": 10, "outside": 10, "wheel": 3, "unsure": 1}


def sentences(sources: dict[str, Answers], *, complete: bool = True, **skills: Skill) -> list[str]:
    return [sentence for _, sentence in compare_with_skills(skills or {"kind": KIND}, sources, complete=complete)]


def test_answers_that_fit_the_skills_give_no_sentence() -> None:
    assert sentences({"a.csv": Answers({"kind": VIEWS}, {"make": {"Saab": 24}})}) == []


def test_a_column_whose_values_are_the_skills_labels_is_suggested_whatever_its_name() -> None:
    assert sentences({"a.csv": Answers({}, {"make": {"Saab": 24}, "content": VIEWS})}) == [
        (
            "no photo carries an answer to 'kind'; did you rename 'content'? Then write `was: content` at the skill, "
            "or rename the column to 'kind'."
        )
    ]


def test_a_skill_without_any_column_is_to_be_added_or_removed() -> None:
    assert sentences({"a.csv": Answers({}, {"make": {"inside": 1, "Saab": 2, "Volvo": 3}})}) == [
        (
            "no photo carries an answer to 'kind'. Add a column 'kind' to a table, or remove the skill until there are "
            "answers."
        )
    ]


def test_a_column_that_is_no_name_of_a_skill_can_only_be_renamed() -> None:
    (sentence,) = sentences({"a.csv": Answers({}, {"内容": VIEWS})})
    assert sentence.endswith("did you rename '内容'? Then rename the column to 'kind'.")


def test_labels_in_another_case_still_point_to_their_column() -> None:
    assert Columns({"content": {"Inside": 1, "OUTSIDE": 2}}).likely("kind", KIND) == "content"


def test_a_column_with_nearly_the_skills_name_is_suggested_and_an_attribute_is_not() -> None:
    damage = Skill(labels=["yes", "no"])
    assert Columns({"make": {"Saab": 1}, "damaged": {"1": 1, "0": 2}}).likely("damage", damage) == "damaged"
    assert Columns({"make": {"Saab": 1}}).likely("damage", damage) is None


def test_answers_that_are_no_labels_and_labels_without_a_photo_are_named() -> None:
    assert sentences({"a.csv": Answers({"kind": {"inside": 5, "outsied": 2, "boat": 1}})}) == [
        (
            "2 answers to 'kind' not among its labels: 'outsied' on 2 photos; did you mean 'outside'?, "
            "'boat' on 1 photo. Correct them, or add to `labels`."
        ),
        "no photo has the label 'outside' or 'wheel' of 'kind'. Add photos of it.",
    ]


def test_sources_that_were_not_read_may_hold_what_is_missing() -> None:
    assert sentences({"a.csv": Answers({}, {"content": VIEWS})}, complete=False) == []
    assert sentences({"a.csv": Answers({"kind": {"inside": 1}})}, complete=False) == []


def test_a_column_renamed_in_one_of_two_tables_is_noticed() -> None:
    new, old = Answers({"kind": VIEWS}, {"make": {"Saab": 1}}), Answers({}, {"make": {"Saab": 1}, "content": VIEWS})
    assert sentences({"new.csv": new, "old.csv": old}) == [
        (
            "old.csv carries no answer to 'kind'; did you rename 'content' in other tables? Then write `was: content` "
            "at the skill, or rename the column to 'kind'."
        )
    ]


def test_a_table_about_other_skills_is_no_reason_for_a_sentence() -> None:
    damage = Skill(labels=["yes", "no"])
    first = Answers({"kind": VIEWS}, {"leather": {"yes": 1, "no": 1}})
    second = Answers({"damage": {"yes": 3, "no": 3}}, {"leather": {"yes": 1, "no": 1}})
    assert sentences({"first.csv": first, "second.csv": second}, kind=KIND, damage=damage) == []
