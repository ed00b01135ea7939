"""What git knows about the results before: comparisons on the same test rows, and how far seeds are apart."""

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pipeline.comparison.revision import Revision
from pipeline.comparison.revision_files import FILES
from pipeline.comparison.statistics.intervals import subtract_intervals
from pipeline.comparison.statistics.looks import fresh_rows, next_level
from pipeline.repository import git
from pipeline.repository.results import IN_GIT, report_of_commit
from stages.metrics.summary import MetricSummary, parse_summaries

TEST_ROWS = re.compile(  # as the stage split wrote them: a stage that is gone may have read others
    r"^  split:\n(?:    .*\n)*?    outs:\n(?:    .*\n)*?"
    rf"    - path: {re.escape(FILES.split('test').as_posix())}\s+(?:hash: md5\s+)?md5: ([0-9a-f]{{32}})",
    re.MULTILINE,
)
MOST = 200  # commits that are read, the latest ones


@dataclass(frozen=True)
class EarlierResult:
    """The results of one commit.

    Attributes:
        report: The content of headline.json, or of an earlier version's metrics.json.
        test_rows: MD5 of the positions of the test rows; None where dvc.lock has none.
    """

    report: Mapping[str, Any]
    test_rows: str | None

    @property
    def seeds(self) -> int:
        """Number of seeds; 1 where it is unknown."""
        seeds = self.report.get("seeds")
        return len(seeds) if isinstance(seeds, list) else 1

    @cached_property
    def metrics(self) -> dict[str, MetricSummary]:
        return parse_summaries(self.report)


@dataclass(frozen=True)
class Looks:
    """How often these test rows were used to compare two results.

    Attributes:
        earlier: Comparisons besides this one.
        level: Level of this comparison's verdicts.
        rate: Largest expected share of false verdicts.
        complete: Whether git has the whole history; a shallow clone has not.
    """

    earlier: int
    level: float
    rate: float
    complete: bool = True

    def fresh_rows(self, rows: int) -> int:
        """How many rows that were never compared would detect as much as `rows` used ones now do."""
        return fresh_rows(rows, self.level, rate=self.rate)


@dataclass(frozen=True)
class SeedSpread:
    """How far the seeds of earlier results are apart.

    Attributes:
        results: Number of results with several seeds.
        degrees: Of freedom: their seeds, less one for each result.
        variance: Of the value of one seed, by full name of the metric.
    """

    results: int
    degrees: int
    variance: Mapping[str, float]


def read_results(root: Path, base: Revision, head: Revision) -> list[EarlierResult]:
    """Return the different results on head's test rows in all branches and both sides, oldest first, without head's.

    Results are the same if their metrics of test are: a report that shows other slices is no further look.
    """
    rows = head.hash(FILES.split("test").as_posix())
    revisions = [side.commit for side in (base, head) if side.commit]
    commits = git.run(root, "log", "--topo-order", "--reverse", "--format=%H", "--all", *revisions, "--", *IN_GIT)
    results: list[EarlierResult] = []
    seen: list[Any] = []
    for commit in commits.splitlines()[-MOST:]:
        found = report_of_commit(root, commit)
        report = found.metrics
        test = report.get("test")
        if report and test not in seen and not _is_of(head.report, report) and found.is_recorded:
            seen.append(test)
            match = TEST_ROWS.search(found.lock)
            results.append(EarlierResult(report, match[1] if match else None))
    return [result for result in results if rows and result.test_rows == rows]


def count_looks(root: Path, results: Sequence[EarlierResult], head: Revision, *, metric: str, rate: float) -> Looks:
    """Count the comparisons that used these test rows, and set the level of this one.

    Every result counts as one comparison with the result before it. Its p-value is that of the two intervals of
    `metric`, which is larger than that of paired rows.

    Args:
        root: The project's folder.
        results: On the same test rows, oldest first.
        head: The revision that is judged.
        metric: Full name of the metric that is tested first.
        rate: Largest expected share of false verdicts (0 to 1).
    """
    p_values = [
        _p_value(before.metrics.get(metric), after.metrics.get(metric), 1 - rate)
        for before, after in itertools.pairwise(results)
    ]
    shallow = git.run(root, "rev-parse", "--is-shallow-repository") == "true"
    return Looks(len(p_values), next_level(p_values, rate=rate), rate, not shallow)


def pool_seeds(results: Sequence[EarlierResult], *, without: Mapping[str, Any]) -> SeedSpread | None:
    """Return how far apart the seeds of a result are, pooled over all results; None where no result or metric says it.

    Args:
        results: On the same test rows.
        without: Report whose seeds are not counted, because they are compared themselves; every metric or the headline.
    """
    several = [result for result in results if result.seeds > 1 and not _is_of(without, result.report)]
    degrees = sum(result.seeds - 1 for result in several)
    variance = {
        name: sum((result.seeds - 1) * (result.metrics[name].sd or 0.0) ** 2 for result in several) / degrees
        for name in (several[0].metrics if several else ())
        if all(name in result.metrics and result.metrics[name].sd is not None for result in several)
    }
    return SeedSpread(len(several), degrees, variance) if variance else None


def _is_of(report: Mapping[str, Any], earlier: Mapping[str, Any]) -> bool:
    """Whether the metrics of test of an earlier headline.json are those of a report, which may have more metrics."""
    metrics, test = (parse_summaries({"test": of.get("test")}) for of in (report, earlier))
    return (
        bool(test)
        and report.get("seeds") == earlier.get("seeds")
        and all(name in metrics and _interval(metrics[name]) == _interval(metric) for name, metric in test.items())
    )


def _interval(metric: MetricSummary) -> tuple[float | None, ...]:
    """What both files have of a metric to the last digit."""
    return metric.mean, metric.low, metric.high


def _p_value(before: MetricSummary | None, after: MetricSummary | None, confidence: float) -> float:
    if before is None or after is None:
        return 1.0
    difference = subtract_intervals(before, after, confidence=confidence)
    return difference.p_value if difference else 1.0
