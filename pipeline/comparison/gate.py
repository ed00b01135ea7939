"""Rules that a change must keep: no verdict `worse`, a floor for a metric, a drop that can be excluded."""

import operator
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.comparison.verdicts import MetricRow
from stages.errors import PipelineError

COMPARE = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}
RULE = re.compile(r"\s*((?:test|val)\.\w+?)(?:\.(low|high))?\s*(>=|<=|>|<)\s*(-?[0-9.]+(?:[eE][-+]?[0-9]+)?)\s*")
NAME = re.compile(r"(?:test|val)\.\w+")


@dataclass(frozen=True)
class Gate:
    """The rules.

    Attributes:
        fail_on: `worse`: fail where a headline metric of test is worse; `none`: never for that.
        require: Such as `test.macro_f1 >= 0.80`, of head alone; `test.macro_f1.low` is the interval's end.
        max_drop: Metric -> the largest drop (>= 0) that is accepted; a larger one must be excluded by the interval.
    """

    fail_on: str = "none"
    require: Sequence[str] = ()
    max_drop: Mapping[str, float] | None = None


@dataclass(frozen=True)
class RuleResult:
    """Whether a rule was kept, and the numbers that say so."""

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
    """Take `report.gate` of params.yaml and what the command line adds to it.

    Args:
        params: Head's params.yaml.
        fail_on: Instead of the one in params.
        require: Further rules.
        max_drop: `METRIC=DROP` each, further ones or other values.

    Raises:
        PipelineError: A rule can't be read.
    """
    stated = (params.get("report") or {}).get("gate") or {}
    drops = {**(stated.get("max_drop") or {}), **dict(map(_parse_drop, max_drop))}
    return Gate(fail_on or stated.get("fail_on", "none"), [*(stated.get("require") or ()), *require], drops)


def apply(gate: Gate, verdict: str, rows: Sequence[MetricRow], head: Mapping[str, Any]) -> list[RuleResult]:
    """Hold a comparison to the rules.

    Args:
        gate: The rules.
        verdict: Over all headline metrics.
        rows: Every metric that was compared.
        head: Head's data/report/metrics.json.

    Raises:
        PipelineError: A rule names a metric that is not there, or can't be read.
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
        raise PipelineError(f"--max-drop {text}: write METRIC=DROP with a drop of 0 or more, such as test.mcc=0.01")
    return name.strip(), drop


def _require(rule: str, head: Mapping[str, Any]) -> RuleResult:
    parts = RULE.fullmatch(rule)
    if not parts:
        raise PipelineError(f'The rule "{rule}" can\'t be read. Write it as: test.macro_f1 >= 0.80')
    name, end, sign, limit = parts.groups()
    value = _find(name, head)[end or "mean"]
    return RuleResult(
        rule.strip(), bool(COMPARE[sign](value, float(limit))), f"{name}{f'.{end}' if end else ''} is {value:g}"
    )


def _max_drop(name: str, limit: float, rows: Sequence[MetricRow], head: Mapping[str, Any]) -> RuleResult:
    row = next((row for row in rows if row.name == name), None)
    if row is None:
        _find(name, head)
        raise PipelineError(f"{name} is a metric of head alone: a drop can't be judged. Leave it out of max_drop.")
    title = f"{name} drops by no more than {limit:g}"
    if row.worst is None:
        return RuleResult(title, False, "no interval is known, so nothing can be excluded")
    if row.worst <= limit:
        return RuleResult(title, True, f"a larger drop is excluded (at most {max(0.0, row.worst):.4f})")
    return RuleResult(title, False, f"a drop of up to {row.worst:.4f} can't be excluded")


def _find(name: str, metrics: Mapping[str, Any]) -> Mapping[str, float]:
    split, _, metric = name.partition(".")
    known = {
        key: entry
        for key, entry in (metrics.get(split) or {}).items()
        if isinstance(entry, Mapping) and "mean" in entry
    }
    if metric not in known:
        raise PipelineError(
            f"{name} is no metric of head. It has: {', '.join(f'{split}.{key}' for key in known) or 'none'}."
        )
    return known[metric]
