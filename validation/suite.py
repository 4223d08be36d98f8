"""The suite: Great Expectations judges the tables, and every verdict is its verdict."""

import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from validation.findings import Finding, Severity
from validation.rule import Outcome, Rule

if TYPE_CHECKING:
    import pandas as pd

# Columns that come with each unexpected row, so that messages can name what is wrong.
_INDEX = {
    "schema": ["table", "column", "expected", "found"],
    "catalogue": ["photo_id"],
    "labels": ["photo_id", "label"],
    "answers": ["photo_id", "annotator", "label"],
    "coverage": ["label", "photos", "needed", "missing", "sets", "train", "validation", "test"],
    "skills": ["skill"],
}
_RECORDED = 20  # unexpected values kept per expectation in the record
_LISTS = ("partial_unexpected_list", "partial_unexpected_counts", "partial_unexpected_index_list")


@dataclass(frozen=True, kw_only=True)
class SuiteRun:
    """What Great Expectations said.

    Attributes:
        findings: One for each rule that does not hold.
        record: The results as JSON values: by suite, what was expected and what was found.
    """

    findings: tuple[Finding, ...]
    record: Mapping[str, Any]


def run_suite(name: str, rules: Sequence[Rule], tables: "Mapping[str, pd.DataFrame]") -> SuiteRun:
    """Judge the tables by the rules: one suite per table, named `<name>.<table>`.

    Args:
        name: Name of the fleet.
        rules: What must hold.
        tables: The tables that the rules name.
    """
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    source = context.data_sources.add_pandas("tables")
    findings: list[Finding] = []
    suites: dict[str, Any] = {}
    for table in dict.fromkeys(rule.table for rule in rules):
        own = [rule for rule in rules if rule.table == table]
        suite = context.suites.add(
            gx.ExpectationSuite(
                name=f"{name}.{table}", expectations=[_expectation(rule, index) for index, rule in enumerate(own)]
            )
        )
        batch = (
            source.add_dataframe_asset(table)
            .add_batch_definition_whole_dataframe("whole")
            .get_batch(batch_parameters={"dataframe": tables[table]})
        )
        said = batch.validate(
            suite, result_format={"result_format": "COMPLETE", "unexpected_index_column_names": _INDEX[table]}
        )
        results = sorted((result.to_json_dict() for result in said.results), key=_position)
        findings.extend(_findings(own, results))
        suites[suite.name] = {
            "success": bool(said.success),
            "statistics": dict(said.statistics),
            "results": [_recorded(own[_position(result)], result) for result in results],
        }
    return SuiteRun(findings=tuple(findings), record={"great_expectations": str(gx.__version__), "suites": suites})


def _expectation(rule: Rule, position: int) -> Any:
    import great_expectations as gx
    from great_expectations.expectations.row_conditions import Column

    kind = custom_expectations().get(rule.expectation) or getattr(gx.expectations, rule.expectation)
    conditions = [Column(column) == value for column, value in rule.where.items()]
    where = functools.reduce(lambda first, second: first & second, conditions) if conditions else None
    return kind(
        **rule.arguments,
        **({"row_condition": where} if where is not None else {}),
        meta={"position": position, "check": rule.check, "title": rule.title, "skill": rule.skill},
        severity={Severity.FAILURE: "critical", Severity.WARNING: "warning", Severity.INFO: "info"}[rule.severity],
    )


def _position(result: Mapping[str, Any]) -> int:
    return int(result["expectation_config"]["meta"]["position"])


def _findings(rules: Sequence[Rule], results: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    for result in results:
        if not result["success"]:
            yield _finding(rules[_position(result)], result)


def _finding(rule: Rule, result: Mapping[str, Any]) -> Finding:
    error = _exception(result["exception_info"])
    if error is not None:
        return Finding(
            check=rule.check,
            severity=Severity.FAILURE,
            skill=rule.skill,
            message=f"The check {rule.title!r} could not be made: {error}.",
            way_out="The tables are not as expected; run `coachworks ingest` again.",
            count=1,
        )
    found = result["result"]
    rows = list(found.get("unexpected_index_list") or ())
    share = float(found.get("unexpected_percent_nonmissing") or found.get("unexpected_percent") or 0.0) / 100
    outcome = Outcome(rows=rows, share=share, observed=found.get("observed_value"))
    photo_ids = tuple(dict.fromkeys(str(row["photo_id"]) for row in rows if row.get("photo_id")))
    concerned = set(photo_ids)
    pairs = tuple(pair for pair in rule.pairs if concerned.intersection(pair))
    return Finding(
        check=rule.check,
        severity=rule.mild if rows and share <= rule.tolerated else rule.severity,
        skill=rule.skill,
        message=rule.says(outcome),
        way_out=rule.way_out,
        photo_ids=photo_ids,
        pairs=pairs,
        details=tuple(rule.details(outcome)),
        count=len(photo_ids) or len(rows) or 1,
    )


def _exception(info: Mapping[str, Any]) -> str | None:
    """The error of an expectation that could not be evaluated, in either shape that Great Expectations gives it."""
    details = [info] if "raised_exception" in info else [value for value in info.values() if isinstance(value, Mapping)]
    for detail in details:
        if detail.get("raised_exception"):
            return str(detail.get("exception_message") or "unknown error").strip().splitlines()[0]
    return None


def _recorded(rule: Rule, result: Mapping[str, Any]) -> dict[str, Any]:
    found = {
        key: value
        for key, value in result["result"].items()
        if key not in {"unexpected_list", "unexpected_index_list", "unexpected_index_query"}
    }
    for key in _LISTS:
        if key in found:
            found[key] = found[key][:_RECORDED]
    arguments = {key: value for key, value in result["expectation_config"]["kwargs"].items() if key != "batch_id"}
    recorded: dict[str, Any] = json.loads(
        json.dumps(
            {
                "check": rule.check,
                "title": rule.title,
                "skill": rule.skill,
                "table": rule.table,
                "success": bool(result["success"]),
                "error": _exception(result["exception_info"]),
                "expectation": result["expectation_config"]["type"],
                "arguments": arguments,
                "result": found,
            },
            default=str,
        )
    )
    return recorded


@functools.cache
def custom_expectations() -> dict[str, Any]:
    """Expectations that Great Expectations does not have, by class name."""
    from great_expectations.execution_engine import PandasExecutionEngine
    from great_expectations.expectations.expectation import ColumnPairMapExpectation
    from great_expectations.expectations.metrics.map_metric_provider import (
        ColumnPairMapMetricProvider,
        column_pair_condition_partial,
    )

    class ColumnADeterminesColumnB(ColumnPairMapMetricProvider):  # type: ignore[misc]
        condition_metric_name = "column_pair_values.a_determines_b"
        condition_domain_keys = (
            "batch_id",
            "table",
            "column_A",
            "column_B",
            "row_condition",
            "condition_parser",
            "ignore_row_if",
        )
        condition_value_keys = ()

        @column_pair_condition_partial(engine=PandasExecutionEngine)  # type: ignore[untyped-decorator]
        def _pandas(cls, column_a: Any, column_b: Any, **_: Any) -> Any:  # noqa: N805
            return column_b.groupby(column_a).transform("nunique") <= 1

    class ExpectColumnAToDetermineColumnB(ColumnPairMapExpectation):  # type: ignore[misc]
        """Rows that agree in column A agree in column B: a functional dependency."""

        map_metric = "column_pair_values.a_determines_b"
        ignore_row_if: str = "either_value_is_missing"
        success_keys = ("column_A", "column_B", "ignore_row_if", "mostly")

    return {ExpectColumnAToDetermineColumnB.__name__: ExpectColumnAToDetermineColumnB}
