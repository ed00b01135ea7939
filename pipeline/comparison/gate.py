"""Rules that a change must meet: no verdict `worse`, a bound on a metric, a largest drop."""

import operator
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from pipeline.comparison.metric_row import MetricRow
from stages.errors import PipelineError
from stages.metrics.names import lower_is_better
from stages.metrics.summary import MetricSummary
from stages.schema import Gate as GateParams
from stages.schema_types import RULE

OPERATORS = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}
NAME = re.compile(r"(?:test|val)\.\w+")


@dataclass(frozen=True)
class Gate:
    """The rules.

    Attributes:
        fail_on: `worse`: fail if a headline metric of test is worse; `none`: don't.
        require: Bounds on the metrics of head's champion, the model that ships, such as `test.macro_f1 >= 0.80`;
            `.low` and `.high` name interval ends.
        max_drop: Metric -> the largest accepted loss (>= 0), a rise where lower is better; the interval must exclude a
            larger one.
    """

    fail_on: str = "none"
    require: Sequence[str] = ()
    max_drop: Mapping[str, float] | None = None


@dataclass(frozen=True)
class RuleResult:
    """Whether head meets a rule, and the numbers that decide it.

    Attributes:
        rule: The rule, in words.
        passed: Whether head meets it.
        why: The numbers.
        open: Not met only because the results can't decide it.
    """

    rule: str
    passed: bool
    why: str
    open: bool = False


def read_gate(
    params: Mapping[str, Any],
    *,
    fail_on: str | None = None,
    require: Iterable[str] = (),
    max_drop: Iterable[str] = (),
) -> Gate:
    """Read the rules from `report.gate` in params.yaml and from the command line.

    Args:
        params: Head's params.yaml.
        fail_on: Replaces the value in params.
        require: Rules in addition to those in params.
        max_drop: `METRIC=DROP` each, in addition to those in params or to replace their value.

    Raises:
        PipelineError: An entry of `max_drop`, or the section in params, is invalid.
    """
    found = _section(params)
    drops = {**found.max_drop, **dict(map(_parse_drop, max_drop))}
    return Gate(fail_on or found.fail_on, [*found.require, *require], drops)


def _section(params: Mapping[str, Any]) -> GateParams:
    """Return `report.gate` of any commit's params.yaml, whose other keys may be of an older schema."""
    given = {"gate": {}, **(params.get("report") or {})}["gate"]
    # a commit may be from before there was such a rule
    none: dict[str, Any] = {"fail_on": "none", "require": [], "max_drop": {}}
    values = {**none, **given} if isinstance(given, Mapping) else given
    try:
        return GateParams.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, ("report", "gate", *first["loc"])))
        raise PipelineError(
            f"{place} of head's params.yaml is invalid ({first['msg']}). Correct it: recipes/default.yaml explains it."
        ) from error


def check_rules(
    gate: Gate,
    verdict: str,
    rows: Sequence[MetricRow],
    head: Mapping[str, MetricSummary],
    *,
    what: str,
    outdated: str = "",
    unknown: str = "",
) -> list[RuleResult]:
    """Check a comparison against the rules.

    Args:
        gate: The rules.
        verdict: Over all headline metrics.
        rows: Every metric that was compared.
        head: The metrics of head's champion by full name, not rounded.
        what: What those are metrics of: `the champion, seed 42`.
        outdated: Why the results are not head's own, which leaves every rule open; empty where they are.
        unknown: Why base's results may not be its own, which leaves the rules about a change open; empty where they
            are.

    Raises:
        PipelineError: A rule is invalid or names a metric that head lacks.
    """
    of_test = [row for row in rows if row.name.startswith("test.")]
    worse = [_not_worse(verdict, of_test)] if gate.fail_on == "worse" else []
    bounds = [_require(rule, head, what) for rule in gate.require]
    drops = [_max_drop(name, limit, rows, head) for name, limit in (gate.max_drop or {}).items()]
    return _leave_open([*_leave_open(worse, unknown), *bounds, *_leave_open(drops, unknown)], outdated)


def _leave_open(results: list[RuleResult], why: str) -> list[RuleResult]:
    return [RuleResult(result.rule, False, why, open=True) for result in results] if why else results


def _parse_drop(text: str) -> tuple[str, float]:
    name, _, limit = text.partition("=")
    try:
        drop = float(limit)
    except ValueError:
        drop = -1.0
    if not NAME.fullmatch(name.strip()) or not drop >= 0:
        raise PipelineError(f"--max-drop {text}: expected METRIC=DROP with a drop of 0 or more, such as test.mcc=0.01")
    return name.strip(), drop


def _not_worse(verdict: str, rows: Sequence[MetricRow]) -> RuleResult:
    worse = [row.name for row in rows if row.verdict == "worse"]
    lower = [row.name for row in rows if row.verdict == "differ" and not row.gained]
    if lower and not worse:
        why = (
            f"undecided: head's model is worse in {', '.join(lower)}, but with another seed it might not be. "
            "Train at least two seeds per side, such as seeds: [1, 2]"
        )
        return RuleResult("no headline metric is worse", False, why, open=True)
    return RuleResult(
        "no headline metric is worse", not worse, f"worse: {', '.join(worse)}" if worse else f"the verdict is {verdict}"
    )


def _require(rule: str, head: Mapping[str, MetricSummary], what: str) -> RuleResult:
    parts = re.fullmatch(RULE, rule)
    if not parts:
        raise PipelineError(f'The rule "{rule}" is invalid. Write it like this: test.macro_f1 >= 0.80')
    name, end, sign, limit = parts.group("name", "end", "sign", "limit")
    shown = f"{name}.{end}" if end else name
    value: float | None = getattr(_find(name, head), end or "mean")
    if value is None:
        return RuleResult(rule.strip(), False, f"{name} has no interval")
    return RuleResult(
        rule.strip(), bool(OPERATORS[sign](value, float(limit))), f"{shown} of {what} is {_exact(value, limit)}"
    )


def _max_drop(name: str, limit: float, rows: Sequence[MetricRow], head: Mapping[str, MetricSummary]) -> RuleResult:
    row = next((row for row in rows if row.name == name), None)
    if row is None:
        _find(name, head)
        raise PipelineError(f"Only head has {name}, so its drop is unknown. Remove it from max_drop.")
    change, changes = ("rise", "rises") if lower_is_better(name) else ("drop", "drops")
    title = f"{name} {changes} by at most {limit:g}"
    unpaired = "" if row.paired else ", from two separate intervals, because its rows are not paired"
    drop = row.largest_drop
    if drop is None:
        return RuleResult(title, False, f"{name} has no interval, so no {change} can be excluded")
    if drop <= limit and row.biased:
        why = (
            "undecided: with so few test rows per class this metric is biased upwards, and more so for the weaker "
            "side. Use another metric, or more test rows"
        )
        return RuleResult(title, False, why, open=True)
    if drop <= limit:
        return RuleResult(title, True, f"the {change} is at most {max(0.0, drop):.4f}{unpaired}")
    return RuleResult(title, False, f"the {change} may be as large as {drop:.4f}{unpaired}")


def _exact(value: float, limit: str) -> str:
    """The value with 4 decimals, or with all of them where 4 would hide on which side of the limit it is."""
    short = f"{value:.4f}"
    return f"{value:.10g}" if float(short) == float(limit) != value else f"{float(short):g}"


def _find(name: str, metrics: Mapping[str, MetricSummary]) -> MetricSummary:
    if name not in metrics:
        split = name.partition(".")[0]
        known = ", ".join(key for key in metrics if key.startswith(f"{split}."))
        raise PipelineError(f"head has no metric {name}. Its metrics of {split}: {known or 'none'}.")
    return metrics[name]
