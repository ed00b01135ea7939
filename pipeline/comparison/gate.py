"""Rules that a change must meet: no verdict `worse`, a bound on a metric, a largest drop."""

import operator
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.comparison.verdicts import MetricRow
from stages.errors import PipelineError
from stages.metrics.summary import MetricSummary

OPERATORS = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}
RULE = re.compile(r"\s*((?:test|val)\.\w+?)(?:\.(low|high))?\s*(>=|<=|>|<)\s*(-?[0-9.]+(?:[eE][-+]?[0-9]+)?)\s*")
NAME = re.compile(r"(?:test|val)\.\w+")


@dataclass(frozen=True)
class Gate:
    """The rules.

    Attributes:
        fail_on: `worse`: fail if a headline metric of test is worse; `none`: don't.
        require: Bounds on head's metrics, such as `test.macro_f1 >= 0.80`; `.low` and `.high` name interval ends.
        max_drop: Metric -> the largest accepted drop (>= 0); the interval must exclude a larger one.
    """

    fail_on: str = "none"
    require: Sequence[str] = ()
    max_drop: Mapping[str, float] | None = None


@dataclass(frozen=True)
class RuleResult:
    """Whether head meets a rule, and the numbers that decide it."""

    rule: str
    passed: bool
    why: str


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
        PipelineError: An entry of `max_drop` is invalid.
    """
    section = (params.get("report") or {}).get("gate") or {}
    drops = {**(section.get("max_drop") or {}), **dict(map(_parse_drop, max_drop))}
    return Gate(fail_on or section.get("fail_on", "none"), [*(section.get("require") or ()), *require], drops)


def check_rules(
    gate: Gate, verdict: str, rows: Sequence[MetricRow], head: Mapping[str, MetricSummary]
) -> list[RuleResult]:
    """Check a comparison against the rules.

    Args:
        gate: The rules.
        verdict: Over all headline metrics.
        rows: Every metric that was compared.
        head: Head's metrics by full name.

    Raises:
        PipelineError: A rule is invalid or names a metric that head lacks.
    """
    results = []
    if gate.fail_on == "worse":
        worse = [row.name for row in rows if row.verdict == "worse" and row.name.startswith("test.")]
        why = f"worse: {', '.join(worse)}" if worse else f"the verdict is {verdict}"
        results.append(RuleResult("no headline metric is worse", not worse, why))
    results += [_require(rule, head) for rule in gate.require]
    results += [_max_drop(name, limit, rows, head) for name, limit in (gate.max_drop or {}).items()]
    return results


def _parse_drop(text: str) -> tuple[str, float]:
    name, _, limit = text.partition("=")
    try:
        drop = float(limit)
    except ValueError:
        drop = -1.0
    if not NAME.fullmatch(name.strip()) or not drop >= 0:
        raise PipelineError(f"--max-drop {text}: expected METRIC=DROP with a drop of 0 or more, such as test.mcc=0.01")
    return name.strip(), drop


def _require(rule: str, head: Mapping[str, MetricSummary]) -> RuleResult:
    parts = RULE.fullmatch(rule)
    if not parts:
        raise PipelineError(f'The rule "{rule}" is invalid. Write it like this: test.macro_f1 >= 0.80')
    name, end, sign, limit = parts.groups()
    shown = f"{name}.{end}" if end else name
    value: float | None = getattr(_find(name, head), end or "mean")
    if value is None:
        return RuleResult(rule.strip(), False, f"{name} has no interval")
    return RuleResult(rule.strip(), bool(OPERATORS[sign](value, float(limit))), f"{shown} is {value:g}")


def _max_drop(name: str, limit: float, rows: Sequence[MetricRow], head: Mapping[str, MetricSummary]) -> RuleResult:
    row = next((row for row in rows if row.name == name), None)
    if row is None:
        _find(name, head)
        raise PipelineError(f"Only head has {name}, so its drop is unknown. Remove it from max_drop.")
    title = f"{name} drops by at most {limit:g}"
    drop = row.largest_drop
    if drop is None:
        return RuleResult(title, False, f"{name} has no interval, so no drop can be excluded")
    if drop <= limit:
        return RuleResult(title, True, f"the drop is at most {max(0.0, drop):.4f}")
    return RuleResult(title, False, f"the drop may be as large as {drop:.4f}")


def _find(name: str, metrics: Mapping[str, MetricSummary]) -> MetricSummary:
    if name not in metrics:
        split = name.partition(".")[0]
        known = ", ".join(key for key in metrics if key.startswith(f"{split}."))
        raise PipelineError(f"head has no metric {name}. Its metrics of {split}: {known or 'none'}.")
    return metrics[name]
