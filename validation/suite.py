"""Suites: run the rules as expectations of Great Expectations, and turn the results into findings."""

import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from validation.findings import Finding, Severity
from validation.rule import Outcome, Rule

if TYPE_CHECKING:
    import pandas as pd

_RECORDED = 20  # unexpected values per expectation that the record keeps
_LISTS = ("partial_unexpected_list", "partial_unexpected_counts", "partial_unexpected_index_list")


@dataclass(frozen=True, kw_only=True)
class SuiteRun:
    """Results of the suites.

    Attributes:
        findings: One per broken rule, or one per skill if the rule is about skills; in the order of the rules.
        record: The results of Great Expectations as JSON values, by suite.
    """

    findings: tuple[Finding, ...]
    record: Mapping[str, Any]


def run_suite(name: str, rules: Sequence[Rule], tables: "Mapping[str, pd.DataFrame]") -> SuiteRun:
    """Validate the tables by the rules: one suite per table, named `<name>.<table>`.

    Args:
        name: Name of the fleet.
        rules: The rules.
        tables: The tables of the rules, by name.
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
        frame = tables[table].reset_index(drop=True)  # results name unexpected rows by their position
        suite = context.suites.add(
            gx.ExpectationSuite(
                name=f"{name}.{table}", expectations=[_expectation(rule, index) for index, rule in enumerate(own)]
            )
        )
        batch = (
            source.add_dataframe_asset(table)
            .add_batch_definition_whole_dataframe("whole")
            .get_batch(batch_parameters={"dataframe": frame})
        )
        outcome = batch.validate(suite, result_format={"result_format": "COMPLETE"})
        results = sorted((result.to_json_dict() for result in outcome.results), key=_position)
        for rule, result in zip(own, results, strict=True):
            if not result["success"]:
                findings.extend(_findings(rule, result, frame))
        suites[suite.name] = {
            "success": bool(outcome.success),
            "statistics": dict(outcome.statistics),
            "results": [_recorded(rule, result) for rule, result in zip(own, results, strict=True)],
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
        meta={"position": position, "check": rule.check, "title": rule.title},
        severity={Severity.FAILURE: "critical", Severity.WARNING: "warning", Severity.INFO: "info"}[rule.severity],
    )


def _position(result: Mapping[str, Any]) -> int:
    return int(result["expectation_config"]["meta"]["position"])


def _findings(rule: Rule, result: Mapping[str, Any], frame: "pd.DataFrame") -> Iterator[Finding]:
    error = _exception(result["exception_info"])
    if error is not None:
        yield Finding(
            check=rule.check,
            severity=Severity.FAILURE,
            skill=None,
            message=f"The rule {rule.title!r} could not be evaluated: {error}.",
            way_out="The tables have an unexpected form; run `coachworks ingest` again.",
            count=1,
        )
        return
    unexpected = frame.loc[result["result"].get("unexpected_index_list") or []]
    evaluated = _evaluated_rows(rule, frame)
    if not rule.per_skill:
        yield _finding(rule, unexpected, len(evaluated), None)
        return
    sizes = evaluated.groupby("skill").size()
    for skill, rows in unexpected.groupby("skill", sort=False):
        yield _finding(rule, rows, int(sizes[skill]), str(skill))


def _evaluated_rows(rule: Rule, frame: "pd.DataFrame") -> "pd.DataFrame":
    """Return the rows that the expectation evaluates: filtered by `where`, and without nulls if it skips them."""
    for column, value in rule.where.items():
        frame = frame[frame[column] == value]
    if rule.expectation == "ExpectColumnValuesToNotBeNull":
        return frame
    columns = [rule.arguments[key] for key in ("column", "column_A", "column_B") if key in rule.arguments]
    return frame.dropna(subset=columns)


def _finding(rule: Rule, unexpected: "pd.DataFrame", evaluated: int, skill: str | None) -> Finding:
    rows = unexpected.to_dict("records")
    outcome = Outcome(rows=rows, share=len(rows) / evaluated if evaluated else 0.0, skill=skill)
    photo_ids = tuple(dict.fromkeys(row["photo_id"] for row in rows if row.get("photo_id")))
    concerned = set(photo_ids)
    return Finding(
        check=rule.check,
        severity=rule.tolerated_severity if rows and outcome.share <= rule.tolerated_share else rule.severity,
        skill=skill,
        message=rule.message(outcome),
        way_out=rule.way_out,
        photo_ids=photo_ids,
        pairs=tuple(pair for pair in rule.pairs if concerned.intersection(pair)),
        details=tuple(rule.details(outcome)),
        count=len(photo_ids) or len(rows) or 1,
    )


def _exception(info: Mapping[str, Any]) -> str | None:
    """Return the error of an expectation that raised; Great Expectations has two shapes of exception info."""
    details = [info] if "raised_exception" in info else [value for value in info.values() if isinstance(value, Mapping)]
    for detail in details:
        if detail.get("raised_exception"):
            return str(detail.get("exception_message") or "unknown error").strip().splitlines()[0]
    return None


def _recorded(rule: Rule, result: Mapping[str, Any]) -> dict[str, Any]:
    details = {
        key: value
        for key, value in result["result"].items()
        if key not in {"unexpected_list", "unexpected_index_list", "unexpected_index_query"}
    }
    for key in _LISTS:
        if key in details:
            details[key] = details[key][:_RECORDED]
    arguments = {key: value for key, value in result["expectation_config"]["kwargs"].items() if key != "batch_id"}
    recorded: dict[str, Any] = json.loads(
        json.dumps(
            {
                "check": rule.check,
                "title": rule.title,
                "table": rule.table,
                "success": bool(result["success"]),
                "error": _exception(result["exception_info"]),
                "expectation": result["expectation_config"]["type"],
                "arguments": arguments,
                "result": details,
            },
            default=str,
        )
    )
    return recorded


@functools.cache
def custom_expectations() -> dict[str, Any]:
    """Return our own expectations by class name; defined here because Great Expectations is imported late."""
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
        """Expect rows that agree in column A to agree in column B: a functional dependency."""

        map_metric = "column_pair_values.a_determines_b"
        ignore_row_if: str = "either_value_is_missing"
        success_keys = ("column_A", "column_B", "ignore_row_if", "mostly")

    return {ExpectColumnAToDetermineColumnB.__name__: ExpectColumnAToDetermineColumnB}
