"""Sections of a skill's document on its quality: measures with intervals, mistakes, calibration and examples."""

from collections.abc import Sequence

from components.document.conclusions import accuracy_bar, gates
from components.document.content import (
    Bar,
    Block,
    Column,
    Gallery,
    Paragraph,
    Row,
    Section,
    Shade,
    Table,
    Text,
)
from components.document.phrases import NOT_MEASURED, count, decimal, interval, percent, percents, quoted, sentence
from components.document.pictures import Pictures
from components.document.run_records import Estimate, SkillRecord, estimate, number, part, whole, words

_MATRIX_LABELS = 12  # with more, the cells are too small to read on paper
_PAIRS = 10
_WELL_CALIBRATED = 0.05  # expected calibration error that is negligible in use


def quality(record: SkillRecord, pictures: Pictures) -> Section:
    """Return the section on the quality on the test photos."""
    if estimate(record.evaluated, "balanced_accuracy").value is None:
        return Section("quality", "Quality", (Paragraph("Its quality was not measured in this run."),))
    blocks: list[Block] = [_overall(record)]
    judged = gates(record)
    if judged:
        rows = tuple(
            Row(
                (
                    Text(gate.name),
                    Text(gate.texts[0]),
                    Text(gate.texts[1]),
                    Text(
                        *{True: ("passed", "good"), False: ("missed", "bad"), None: (NOT_MEASURED, "muted")}[
                            gate.passed
                        ]
                    ),
                )
            )
            for gate in judged
        )
        columns = (Column("Gate", share=2.4), *(Column(t, "right") for t in ("Limit", "Reached", "Outcome")))
        blocks.append(Table(columns, rows, "Gates of the fleet for this skill"))
    warnings = record.evaluated.get("warnings")
    if isinstance(warnings, list) and warnings:
        blocks.append(Paragraph(" ".join(sentence(str(warning)) for warning in warnings), lead="Warnings."))
    blocks += _against(record)
    per_label = part(record.evaluated, "per_label")
    if per_label:
        blocks += [
            _per_label(record),
            Paragraph(
                "Recall: of the photos that show this label, the share that the skill finds. Precision: of the photos "
                "to which the skill gives this label, the share that show it. "
                f"Each bar shows the figure as a mark and its {percent(record.confidence)} interval as a band, on a "
                "line from 0 to 100\u00a0%."
            ),
        ]
    blocks += _confusion(record, pictures)
    blocks += _calibration(record, pictures)
    return Section("quality", "Quality and certainty", tuple(blocks))


def _against(record: SkillRecord) -> list[Block]:
    """Compare this version with the other one that register compared it with, on the same photos."""
    champion, challenger = number(record.registered, "champion_metric"), number(record.registered, "challenger_metric")
    if champion is None or challenger is None:
        return []
    won = words(record.registered, "status") != "challenger"
    this, other = percents(champion, challenger) if won else percents(challenger, champion)
    text = f"On the same test photos, this version reaches {this} balanced accuracy, the other one {other}."
    why = sentence(words(record.registered, "reason"))
    return [Paragraph(f"{text} {why}".strip(), lead="Comparison with the other version.")]


def _overall(record: SkillRecord) -> Table:
    bar = accuracy_bar(record)
    rows = [_measure("Balanced accuracy", estimate(record.evaluated, "balanced_accuracy"), bar.limit)]
    rows += [
        _measure(name, estimate(record.evaluated, key), None)
        for name, key in (("Macro F1", "macro_f1"), ("Accuracy", "accuracy"))
    ]
    return Table(
        (
            Column("Measure", share=1.4),
            Column("Value", "right", 0.7),
            Column(f"{percent(record.confidence)} interval", "right", 1.2),
            Column("", "bar", 1.6),
        ),
        tuple(rows),
        f"Measured on {count(whole(record.evaluated, 'photos'), 'test photo')}",
    )


def _measure(name: str, measured: Estimate, limit: float | None) -> Row:
    return Row(
        (Text(name), Text(percent(measured.value)), Text(interval(measured.low, measured.high)), _bar(measured, limit))
    )


def _bar(measured: Estimate, limit: float | None = None) -> Bar:
    return Bar(measured.value, measured.low, measured.high, limit, percent(measured.value))


def _per_label(record: SkillRecord) -> Table:
    per_label = part(record.evaluated, "per_label")
    rows = []
    for label in record.answer_labels:
        own = part(per_label, label)
        recall, precision = estimate(own, "recall"), estimate(own, "precision")
        rows.append(
            Row(
                (
                    Text(label),
                    Text(count(whole(own, "support"))),
                    Text(percent(recall.value)),
                    _bar(recall),
                    Text(percent(precision.value)),
                    _bar(precision),
                )
            )
        )
    columns = (
        Column("Label", share=1.9),
        Column("Photos", "right", 0.7),
        Column("Recall", "right", 0.7),
        Column("", "bar", 1.3),
        Column("Precision", "right", 0.7),
        Column("", "bar", 1.3),
    )
    return Table(columns, tuple(rows), "Label by label")


def _matrix(record: SkillRecord) -> list[list[int]]:
    labels = record.answer_labels
    raw = record.evaluated.get("confusion")
    if not isinstance(raw, list) or len(raw) != len(labels) or any(len(row or ()) != len(labels) for row in raw):
        return []
    return [[int(n or 0) for n in row] for row in raw]


def _confusion(record: SkillRecord, pictures: Pictures) -> list[Block]:
    matrix, labels = _matrix(record), record.answer_labels
    if not matrix:
        return [Paragraph("Confusions between labels were not measured.")]
    blocks: list[Block] = []
    if len(labels) <= _MATRIX_LABELS:
        rows = tuple(
            Row(
                (
                    Text(f"{index + 1}  {label}"),
                    *(
                        Shade(count(n) if n else "·", n / max(1, sum(matrix[index])), index == other)
                        for other, n in enumerate(matrix[index])
                    ),
                )
            )
            for index, label in enumerate(labels)
        )
        columns = (
            Column("True label", share=2.6),
            *(Column(str(index + 1), "center", 0.6) for index in range(len(labels))),
        )
        caption = "Number of photos by true label (rows) and answer of the skill (columns, by number)"
        blocks.append(Table(columns, rows, caption, dense=True))
    else:
        chart = record.evaluation_file("confusion.png")
        picture = (
            pictures.chart(chart, "confusion", "True labels (rows) and the skill's answers (columns)")
            if chart
            else None
        )
        blocks += [picture] if picture else []
    blocks += _confused(matrix, labels)
    sensible, silly = whole(record.evaluated, "sensible_mistakes"), whole(record.evaluated, "silly_mistakes")
    if sensible is not None and silly is not None:
        text = f"Of {count(sensible + silly, 'mistake')}, {count(sensible)} confuse labels that the fleet file lists"
        text += f" as similar. The other {count(silly)} are mistakes that are hard to accept."
        if not record.similar:
            text = f"{count(sensible + silly, 'mistake')} in all. The fleet file lists no labels as similar."
        blocks.append(Paragraph(text, lead="Sensible and silly mistakes."))
    return blocks


def _confused(matrix: list[list[int]], labels: Sequence[str]) -> list[Block]:
    pairs = [
        (n, labels[i], labels[j], n / max(1, sum(row)))
        for i, row in enumerate(matrix)
        for j, n in enumerate(row)
        if i != j and n
    ]
    if not pairs:
        return [Paragraph("It made no mistake on the test photos.")]
    if len(labels) <= 3:
        return []
    pairs.sort(key=lambda pair: (-pair[0], pair[1], pair[2]))
    rows = tuple(
        Row((Text(true), Text(answer), Text(count(n)), Text(f"{percent(share)} of {quoted(true)}", "muted")))
        for n, true, answer, share in pairs[: _PAIRS if len(labels) > _MATRIX_LABELS else 5]
    )
    columns = (
        Column("True label", share=1.5),
        Column("Answer", share=1.5),
        Column("Photos", "right", 0.6),
        Column("Share", "right", 1.5),
    )
    return [Table(columns, rows, "The most frequent mistakes")]


def _calibration(record: SkillRecord, pictures: Pictures) -> list[Block]:
    before, after = number(record.evaluated, "ece_before"), number(record.evaluated, "ece_after")
    text = (
        "Each answer has a probability. It is calibrated if 80 % of all answers with a probability of 80 % are right. "
        f"The average difference between the two (expected calibration error) {_correction(record, before, after)}."
    )
    calibration = part(record.trained, "calibration")
    photos = whole(calibration, "photos")
    if photos:
        text += (
            f" The correction was fitted on {count(photos, 'photo')} other than the test photos, each answered by a "
            f"copy of the skill that was trained without it. Choice: {words(calibration, 'why')}."
        )
    if after is not None:
        text += (
            " The probabilities are reliable."
            if after <= _WELL_CALIBRATED
            else " The probabilities rank the answers, but their values are not reliable."
        )
    chart = record.evaluation_file("calibration.png")
    picture = (
        pictures.chart(chart, "calibration", "Stated probability and share of right answers", 0.6) if chart else None
    )
    return [Paragraph(text, lead="Probabilities."), *([picture] if picture else [])]


def _correction(record: SkillRecord, before: float | None, after: float | None) -> str:
    if words(part(record.trained, "calibration"), "method") == "vector":
        return f"is {_gap(after)} after correction by two numbers per label, a factor and a summand (vector scaling)"
    temperature = f"one number, the temperature ({decimal(number(record.evaluated, 'temperature'), 2)})"
    return f"was {_gap(before)} before and is {_gap(after)} after correction by {temperature}"


def _gap(error: float | None) -> str:
    return NOT_MEASURED if error is None else f"{100 * error:.1f} percentage points"


def examples(record: SkillRecord, pictures: Pictures, most: int) -> Section:
    """Return the section with photos of right and of wrong answers."""
    right, wrong = pictures.examples(record, most)
    blocks: list[Block] = []
    if wrong:
        blocks.append(Gallery(tuple(wrong), "Wrong.", "The mistakes with the highest probability."))
    if right:
        blocks.append(Gallery(tuple(right), "Right.", "Photos of each label in turn, by highest probability."))
    return Section("examples", "Examples", tuple(blocks))
