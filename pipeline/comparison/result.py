"""Everything that `retune compare` shows, as one value."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from pipeline.comparison.changes import Changes
from pipeline.comparison.earlier_results import Looks
from pipeline.comparison.flips import Flips
from pipeline.comparison.gate import RuleResult
from pipeline.comparison.metric_row import MetricRow, OverallVerdict


@dataclass(frozen=True)
class Cost:
    """Time and memory of a stage in base and in head; None where unknown."""

    stage: str
    seconds: tuple[float | None, float | None]
    memory_mb: tuple[float | None, float | None]


@dataclass(frozen=True)
class Comparison:
    """Two revisions, compared.

    Attributes:
        base: Title of the revision that is compared with.
        head: Title of the revision that is judged.
        verdict: Over all headline metrics of test.
        confidence: Of the intervals (0.5 to 1), which are those of the verdicts.
        notes: What a reader must know before trusting the verdict.
        changes: What differs.
        test_rows: Number of rows of test that were compared; None where only intervals were.
        metrics: Every metric; those with a verdict are the headline.
        flips: Rows fixed and broken; None where predictions are not available.
        calibration: Measure -> its value for base's and head's champion, lower is better.
        costs: By stage.
        model_bytes: Size of the champion's folder in base and in head.
        gate: The rules and whether head meets them.
        looks: Comparisons on these test rows before this one; None where no rows are compared.
        seeds: The seeds of base and of head; a metric of a side is their mean.
        champions: The seed of base's and of head's champion, the model that ships.
        ships: Headline metric -> its value for base's and head's champion.
        outdated: Why the results decide nothing about head: they are not of its own code, parameters and data. Empty
            where they are, or where base's are out of date in the same way.
    """

    base: str
    head: str
    verdict: OverallVerdict
    confidence: float
    notes: list[str]
    changes: Changes
    test_rows: int | None
    metrics: list[MetricRow]
    flips: Flips | None
    calibration: Mapping[str, tuple[float, float]]
    costs: list[Cost]
    model_bytes: tuple[int | None, int | None]
    gate: list[RuleResult]
    looks: Looks | None = None
    seeds: tuple[Sequence[int], Sequence[int]] = ((), ())
    champions: tuple[int | None, int | None] = (None, None)
    ships: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    outdated: str = ""

    @property
    def passed(self) -> bool:
        """Whether head meets all rules."""
        return all(result.passed for result in self.gate)

    @property
    def undecided(self) -> bool:
        """Whether no rule is broken, but the results can't decide one."""
        return not self.passed and all(result.passed or result.open for result in self.gate)

    @property
    def headline(self) -> list[MetricRow]:
        """The metrics of test that have a verdict."""
        return [row for row in self.metrics if row.verdict and row.name.startswith("test.")]

    def as_json(self) -> dict[str, Any]:
        """Return plain values for `--json`."""
        values = asdict(self)
        values["passed"], values["undecided"] = self.passed, self.undecided
        for row, plain in zip(self.metrics, values["metrics"], strict=True):
            plain["difference"] = row.difference
        return values
