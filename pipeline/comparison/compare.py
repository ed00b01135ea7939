"""Two revisions -> what changed, and is it more than noise?"""

import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pipeline.comparison import changes, flips, verdicts
from pipeline.comparison.changes import Changes
from pipeline.comparison.flips import Moved
from pipeline.comparison.gate import RuleResult, apply, read_gate
from pipeline.comparison.pairing import Pairs, pair
from pipeline.comparison.revision import FILES, Revision
from pipeline.comparison.verdicts import MetricRow, Options
from stages.errors import PipelineError, UnavailableError
from stages.metrics.calibration import expected_calibration_error
from stages.metrics.classification import proper_scores

EXAMPLES = 10  # of rows fixed and of rows broken
SPLITS = ("test", "val")


@dataclass(frozen=True)
class Cost:
    """What a stage took in base and in head; None where it is not known."""

    stage: str
    seconds: tuple[float | None, float | None]
    memory_mb: tuple[float | None, float | None]


@dataclass(frozen=True)
class Comparison:
    """Everything that `retune compare` says.

    Attributes:
        base: Title of the revision that is compared with.
        head: Title of the revision that is judged.
        verdict: Over all headline metrics of test.
        confidence: Of the intervals (0.5 to 1).
        notes: What a reader must know before trusting the verdict.
        changes: What differs.
        test_rows: Rows of test that were compared.
        metrics: Every metric; those with a verdict are the headline.
        moved: Rows fixed and broken; None where predictions can't be had.
        calibration: Measure -> base and head, of the champions, smaller is better.
        costs: By stage.
        model_bytes: Size of the champion's folder.
        gate: The rules and whether they were kept.
    """

    base: str
    head: str
    verdict: str
    confidence: float
    notes: list[str]
    changes: Changes
    test_rows: int | None
    metrics: list[MetricRow]
    moved: Moved | None
    calibration: Mapping[str, tuple[float, float]]
    costs: list[Cost]
    model_bytes: tuple[int | None, int | None]
    gate: list[RuleResult] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Were all rules kept?"""
        return all(result.passed for result in self.gate)

    @property
    def headline(self) -> list[MetricRow]:
        return [row for row in self.metrics if row.verdict and row.name.startswith("test.")]

    def as_json(self) -> dict[str, Any]:
        """Plain values for `--json`."""
        values = asdict(self)
        values["passed"] = self.passed
        for row, plain in zip(self.metrics, values["metrics"], strict=True):
            plain["difference"] = row.difference
        return values


def compare(
    root: Path,
    base: str,
    head: str | None = None,
    *,
    fail_on: str | None = None,
    require: Iterable[str] = (),
    max_drop: Iterable[str] = (),
) -> Comparison:
    """Compare two revisions without touching the workspace.

    Args:
        root: The project's folder.
        base: The git revision to compare with.
        head: The git revision that is judged; None: the workspace.
        fail_on: Instead of head's `report.gate.fail_on`.
        require: Rules beside those of head's `report.gate`.
        max_drop: The same, `METRIC=DROP` each.

    Raises:
        PipelineError: A revision is unknown or has no results, the label sets differ, or a rule can't be read.
    """
    with (
        tempfile.TemporaryDirectory() as scratch,
        Revision(root, base, Path(scratch)) as one,
        Revision(root, head, Path(scratch)) as other,
    ):
        one.metrics, other.metrics  # noqa: B018  (a revision without results is an error at once)
        found = _compare(one, other)
        rules = read_gate(other.params, fail_on=fail_on, require=require, max_drop=max_drop)
        results = apply(rules, found.verdict, found.metrics, other.metrics)
        return Comparison(**{**vars(found), "gate": results})


def _compare(base: Revision, head: Revision) -> Comparison:
    options = verdicts.read_options(head, base)
    notes = [note for side in (base, head) for note in _staleness(side)]
    pairs, reason = _pairs(base, head)
    metrics = _metrics(base, head, pairs, options)
    test = pairs.get("test")
    notes += [reason] if reason else []
    notes += _notes(base, head, test, metrics)
    return Comparison(
        base=base.title,
        head=head.title,
        verdict=verdicts.overall(metrics),
        confidence=options.confidence,
        notes=notes,
        changes=changes.describe(base, head),
        test_rows=len(test) if test else None,
        metrics=metrics,
        moved=_moved(test, base, head) if test else None,
        calibration=_calibration(test, base, head) if test else {},
        costs=_costs(base, head),
        model_bytes=(_model_size(base), _model_size(head)),
    )


def _pairs(base: Revision, head: Revision) -> tuple[dict[str, Pairs], str]:
    """The paired rows of each split, and why there are none where there are none."""
    try:
        pairs = {split: pair(base, head, split) for split in SPLITS}
    except UnavailableError as error:
        return (
            {},
            f"Only the intervals of metrics.json are compared, which sees less than the same rows would: {error}.",
        )
    if pairs["test"] is None:
        return {}, "The two have no test row in common: only the intervals of metrics.json are compared."
    return {split: found for split, found in pairs.items() if found is not None}, ""


def _metrics(base: Revision, head: Revision, pairs: Mapping[str, Pairs], options: Options) -> list[MetricRow]:
    rows = []
    for split in SPLITS:
        intervals = verdicts.interval_rows(base.metrics.get(split) or {}, head.metrics.get(split) or {}, split, options)
        if split in pairs:
            paired = verdicts.paired_rows(pairs[split], split, options)
            names = {row.name for row in paired}
            rest = [row.without_verdict() for row in intervals if row.name not in names]
            intervals = [*paired, *rest]
        rows += intervals
    if not any(row.name.startswith("test.") for row in rows):
        raise PipelineError(f"{base.name} and {head.name} have no metric of test in common. Run both again: retune run")
    return rows


def _staleness(side: Revision) -> list[str]:
    stale = side.stale()
    if not stale:
        return []
    shown = ", ".join(stale[:3]) + (f" and {len(stale) - 3} more" if len(stale) > 3 else "")
    return [
        f"{side.name}: the results of {shown} were made with other code or parameters than it holds. "
        "Bring them up to date: retune run"
    ]


def _notes(base: Revision, head: Revision, test: Pairs | None, metrics: list[MetricRow]) -> list[str]:
    notes = []
    if test and not test.same_rows:
        notes.append(
            f"The test rows differ ({test.rows[0]:,} in {base.name}, {test.rows[1]:,} in {head.name}): "
            f"the {len(test):,} common ones are compared."
        )
    if test and test.relabelled:
        notes.append(
            f"{test.relabelled:,} of the compared rows have another label in {head.name}: both are measured by it."
        )
    if test and not test.identical and len(base.seeds) == len(head.seeds) == 1:
        notes.append(
            "One seed a side: the verdict is about these two models. What another training run would have given is "
            "not in it; several seeds would tell."
        )
    for side, other in ((base, head), (head, base)):
        mine, theirs = (_names(revision) for revision in (side, other))
        if only := sorted(mine - theirs):
            notes.append(f"Only {side.name} has {', '.join(only[:5])}{' and more' if len(only) > 5 else ''}.")
    return notes


def _names(side: Revision) -> set[str]:
    return {f"{split}.{name}" for split in SPLITS for name in side.metrics.get(split) or {}}


def _moved(test: Pairs, base: Revision, head: Revision) -> Moved:
    allowed = all((side.params.get("report") or {}).get("show_text") is True for side in (base, head))
    try:
        rows = head.rows()
    except UnavailableError:
        rows = None
    champions = base.champion, head.champion
    return flips.describe(test, champions, rows, show_text=allowed, most=EXAMPLES)


def _calibration(test: Pairs, base: Revision, head: Revision) -> dict[str, tuple[float, float]]:
    sides = test.base.probabilities[base.champion], test.head.probabilities[head.champion]
    scores = [proper_scores(test.labels, side) for side in sides]
    measures = {
        "calibration error": [expected_calibration_error(test.labels, side) for side in sides],
        "Brier score": [float(side["brier"].mean()) for side in scores],
        "log loss": [float(side["log_loss"].mean()) for side in scores],
    }
    return {name: (values[0], values[1]) for name, values in measures.items()}


def _costs(base: Revision, head: Revision) -> list[Cost]:
    names = dict.fromkeys([*head.lock, *base.lock])
    timings = {name: [side.json(FILES.timing(name)) or {} for side in (base, head)] for name in names}
    return [
        Cost(
            stage=name,
            seconds=(one.get("seconds"), other.get("seconds")),
            memory_mb=(one.get("peak_memory_mb"), other.get("peak_memory_mb")),
        )
        for name, (one, other) in timings.items()
        if one or other
    ]


def _model_size(side: Revision) -> int | None:
    return side.size(FILES.finetuned(side.champion).as_posix())
