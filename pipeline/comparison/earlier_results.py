"""What git knows about the results before: comparisons on the same test rows, and how far seeds are apart."""

import itertools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from pipeline.comparison.revision import FILES, SHORT, Revision
from pipeline.comparison.statistics.intervals import subtract_intervals
from pipeline.comparison.statistics.looks import fresh_rows, next_level
from pipeline.repository import git
from stages.metrics.summary import MetricSummary, parse_summaries
from stages.params import parse_yaml

METRICS = (FILES.report / "metrics.json").as_posix()
TEST_ROWS = re.compile(rf"path: {re.escape(FILES.split('test').as_posix())}\s+(?:hash: md5\s+)?md5: ([0-9a-f]{{32}})")
MOST = 500  # commits that are read


@dataclass(frozen=True)
class Looks:
    """How often these test rows were used to compare two results.

    Attributes:
        earlier: Comparisons before this one.
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
    """How far the seeds of an earlier commit are apart.

    Attributes:
        commit: Its abbreviated hash.
        seeds: Number of its seeds.
        sd: Standard deviation over them, by full name of the metric.
    """

    commit: str
    seeds: int
    sd: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class EarlierResult:
    """The report of one commit."""

    commit: str
    text: str

    @cached_property
    def metrics(self) -> Mapping[str, MetricSummary]:
        return parse_summaries(_parse(self.text))


def read_results(root: Path, base: Revision, head: Revision) -> list[EarlierResult]:
    """Return the different results in the history of all branches and of both sides, oldest first."""
    revisions = [side.commit for side in (base, head) if side.commit]
    arguments = ["--topo-order", "--reverse", "--format=%H", "--all", *(revisions or ["HEAD"])]
    commits = git.run(root, "log", *arguments, "--", METRICS).splitlines()
    results: dict[str, EarlierResult] = {}
    for commit in commits[-MOST:]:
        text = git.show(root, commit, METRICS)
        if text:
            results.setdefault(text, EarlierResult(commit, text))
    return list(results.values())


def count_looks(root: Path, results: Sequence[EarlierResult], head: Revision, *, metric: str, rate: float) -> Looks:
    """Count the comparisons that used head's test rows before, and set the level of this one.

    Every result that differs from the one before it counts as one comparison with it. Its p-value is that of the two
    intervals of `metric`, which is larger than that of paired rows.

    Args:
        root: The project's folder.
        results: Of all commits, oldest first.
        head: The revision that is judged; its own result is no earlier one.
        metric: Full name of the metric that is tested first.
        rate: Largest expected share of false verdicts (0 to 1).
    """
    rows, own = head.hash(FILES.split("test").as_posix()), json.dumps(head.report, sort_keys=True)
    used = [
        result
        for result in results
        if rows and json.dumps(_parse(result.text), sort_keys=True) != own and _test_rows(root, result.commit) == rows
    ]
    pairs = itertools.pairwise(used)
    p_values = [_p_value(before.metrics.get(metric), after.metrics.get(metric), 1 - rate) for before, after in pairs]
    shallow = git.run(root, "rev-parse", "--is-shallow-repository") == "true"
    return Looks(len(p_values), next_level(p_values, rate=rate), rate, not shallow)


def find_seed_spread(root: Path, results: Sequence[EarlierResult]) -> SeedSpread | None:
    """Return how far apart the seeds of the latest result with several seeds are; None where no commit had any."""
    for result in reversed(results):
        sd = {name: metric.sd for name, metric in result.metrics.items() if metric.sd is not None}
        if sd:
            params = parse_yaml(git.show(root, result.commit, "params.yaml") or "", name="params.yaml") or {}
            seeds = params.get("seeds")
            if isinstance(seeds, list) and len(seeds) > 1:
                return SeedSpread(result.commit[:SHORT], len(seeds), sd)
    return None


def _p_value(before: MetricSummary | None, after: MetricSummary | None, confidence: float) -> float:
    if before is None or after is None:
        return 1.0
    difference = subtract_intervals(before, after, confidence=confidence)
    return difference.p_value if difference else 1.0


def _test_rows(root: Path, commit: str) -> str | None:
    """The MD5 of the positions of the test rows, as a commit's dvc.lock has it."""
    match = TEST_ROWS.search(git.show(root, commit, "dvc.lock") or "")
    return match[1] if match else None


def _parse(text: str) -> dict[str, Any]:
    try:
        report = json.loads(text)
    except ValueError:
        return {}
    return report if isinstance(report, dict) else {}
