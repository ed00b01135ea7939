"""Reads the results of the last run or of a commit, and formats metrics for people.

The report writes two files. headline.json is small: git keeps it, and DVC shows it. metrics.json has every number and
is in DVC's cache, like the report. Commits of earlier versions have metrics.json alone, in git.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pipeline.repository import git
from pipeline.repository.lock import recorded_md5s
from stages.errors import ParamsError, PipelineError
from stages.metrics.failures import describe_failures, weighs_classes
from stages.metrics.names import SPLITS, headline_metrics, metric_name
from stages.metrics.summary import MetricSummary, format_value, parse_champion, parse_summaries
from stages.params import parse_mapping
from stages.paths import Paths
from stages.yaml_file import conflict_line

Metrics = Mapping[str, MetricSummary]  # by full name, such as `test.macro_f1`
SECTIONS: Mapping[str, Any] = {  # of the JSON files of results, wherever one has them
    **{key: {} for key in (*SPLITS, "train", "calibration", "collapsed", "stuck")},
    "champion": {split: {} for split in SPLITS},
    "baselines": {"majority": {}},
}
HEADLINE, ALL_METRICS = Paths().headline.as_posix(), Paths().all_metrics.as_posix()
IN_GIT = (HEADLINE, ALL_METRICS)  # the first that a commit has is what git knows of its metrics


@dataclass(frozen=True)
class RunResults:
    """The results of a run: those of the model that ships, and the means over the seeds.

    Attributes:
        means: Over the seeds, by full name.
        model: Of the model that ships, by full name; empty where they are unknown.
        seed: Of the model that ships; None where it is unknown.
        seeds: That the means are of; empty where they are unknown.
        metric: That leads (`evaluate.metric`); None where it is unknown.
        failures: What makes the model useless, a sentence each.
        notes: What is unusual about the splits, a sentence each.
    """

    means: Metrics
    model: Metrics
    seed: int | None
    seeds: list[int]
    metric: str | None
    failures: list[str]
    notes: list[str]

    @classmethod
    def parse(cls, report: Mapping[str, Any], params: Mapping[str, Any] | None = None) -> "RunResults":
        """Read the content of metrics.json or headline.json, which another version of the project may have written.

        Args:
            report: The content.
            params: Those of params.yaml, for the advice of `failures`; None: unknown.
        """
        champion, seeds, notes = (report.get(key) for key in ("champion", "seeds", "notes"))
        return cls(
            means=parse_summaries(report),
            model=parse_champion(report),
            seed=champion.get("seed") if isinstance(champion, Mapping) else None,
            seeds=list(seeds) if isinstance(seeds, list) else [],
            metric=report.get("metric") or _leading(champion),
            failures=describe_failures(report, weighted=weighs_classes(params or {})),
            notes=[note for note in notes if isinstance(note, str)] if isinstance(notes, list) else [],
        )

    @property
    def headline(self) -> list[str]:
        """The full names of the metrics of test that lead, `evaluate.metric` first."""
        known = {name.removeprefix("test.") for name in self.means if name.startswith("test.")}
        return [metric_name("test", name) for name in headline_metrics(self.metric or "macro_f1", known)]


def read_results(root: Path) -> RunResults:
    """Return the results of the workspace; the headline alone if metrics.json is not here; none without a run.

    Raises:
        PipelineError: A file is damaged.
    """
    headline, report = (_read(path) for path in (Paths(root).headline, Paths(root).all_metrics))
    if report is None or not _is_of_workspace(root, report, headline):
        report = headline or {}
    return RunResults.parse(report, _read_params(root))


def is_recorded(root: Path, path: str) -> bool:
    """Whether a file of results in the workspace is the one that its dvc.lock records."""
    try:
        lock = (root / "dvc.lock").read_text(encoding="utf-8", errors="replace")
        return CommitReport(path, (root / path).read_bytes(), lock).is_recorded
    except OSError:
        return False


def read_metrics(root: Path) -> Metrics:
    """Return the means over the seeds of the workspace's results. Raises as `read_results`."""
    return read_results(root).means


def read_sound_metrics(root: Path) -> Metrics:
    """The same, but none where a file is damaged: for what a run is about to write again."""
    try:
        return read_metrics(root)
    except PipelineError:
        return {}


def report_of_commit(root: Path, commit: str) -> "CommitReport":
    """Return what git has of a commit's metrics."""
    for path in IN_GIT:
        content = git.content(root, commit, path)
        if content is not None:
            return CommitReport(path, content, git.show(root, commit, "dvc.lock") or "")
    return CommitReport(HEADLINE, b"", "")


@dataclass(frozen=True)
class CommitReport:
    """What git has of a commit's metrics.

    Attributes:
        path: headline.json, or metrics.json of an earlier version.
        content: Of that file; empty if there is none.
        lock: The text of dvc.lock.
    """

    path: str
    content: bytes
    lock: str

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """The parsed content; empty if it is missing or damaged."""
        return parse_report(self.content.decode(errors="replace")) or {}

    @cached_property
    def is_recorded(self) -> bool:
        """Whether it is the file that dvc.lock records."""
        return hashlib.md5(self.content, usedforsecurity=False).hexdigest() in recorded_md5s(self.lock, self.path)


def parse_report(text: str) -> dict[str, Any] | None:
    """Return the content of headline.json, or of another JSON file of results; None if it is damaged.

    It may come with a pull request, so its form is checked: an object, whose sections are objects, and finite numbers.
    """
    try:
        report = json.loads(text, parse_int=_integer, parse_float=_finite, parse_constant=_finite)
    except (ValueError, RecursionError, OverflowError):
        return None
    return report if _has_sections(report, SECTIONS) else None


def damage_of(name: str, text: str) -> str:
    """What is wrong with a metrics file that `parse_report` can't read, and what to do, in one line."""
    if line := conflict_line(text):
        return f"{name} line {line} is a conflict marker of a git merge. Write the file again: retune run"
    return f"{name} is damaged. Write it again: retune run"


def belongs(report: Mapping[str, Any], headline: Mapping[str, Any] | None) -> bool:
    """Whether metrics.json is of the same run as headline.json: not after `git checkout` without `dvc checkout`."""
    metrics = parse_summaries(report)
    return all(
        name in metrics and metrics[name].mean == metric.mean
        for name, metric in parse_summaries(headline or {}).items()
    )


def _is_of_workspace(root: Path, report: Mapping[str, Any], headline: Mapping[str, Any] | None) -> bool:
    """Whether metrics.json is the one that dvc.lock records; where it records none, the one of the headline's run."""
    try:
        lock = (root / "dvc.lock").read_text(encoding="utf-8", errors="replace")
    except OSError:
        lock = ""
    if headline and recorded_md5s(lock, ALL_METRICS):
        return is_recorded(root, ALL_METRICS)
    return belongs(report, headline) or is_recorded(root, ALL_METRICS)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None
    report = parse_report(text)
    if report is None:
        raise PipelineError(damage_of(str(path), text))
    return report


def _read_params(root: Path) -> dict[str, Any]:
    """The workspace's params.yaml, not validated; empty where it can't be read: results are shown all the same."""
    try:
        return parse_mapping((root / "params.yaml").read_text(encoding="utf-8", errors="replace"), name="params.yaml")
    except (OSError, ParamsError):
        return {}


def _has_sections(value: Any, sections: Mapping[str, Any]) -> bool:
    """Whether a value is an object, and each of its sections, and of theirs, is one or is empty."""
    return isinstance(value, dict) and all(_has_sections(value.get(key) or {}, sections[key]) for key in sections)


def _integer(digits: str) -> int:
    value = int(digits)
    float(value)  # raises where no float can hold it
    return value


def _finite(number: str) -> float:
    value = float(number)
    if not math.isfinite(value):
        raise ValueError(f"{number} is not finite")
    return value


def _leading(champion: Any) -> str | None:
    """The metric that headline.json has of the champion: the one that chose it."""
    names = [name for name in champion if name not in ("seed", *SPLITS)] if isinstance(champion, Mapping) else []
    return names[0] if len(names) == 1 else None


def format_metric(metric: MetricSummary) -> str:
    """Return `0.812 (0.790 to 0.833)`, or only the value where there is no interval."""
    interval = format_interval(metric)
    return f"{format_value(metric.mean)} ({interval})" if interval else format_value(metric.mean)


def format_interval(metric: MetricSummary) -> str:
    """Return `0.790 to 0.833`, or nothing where there is no interval."""
    if metric.low is None or metric.high is None:
        return ""
    return f"{format_value(metric.low)} to {format_value(metric.high)}"


def seeds_title(seeds: list[int]) -> str:
    """Return what a mean over these seeds is called: `mean over 3 seeds`, `seed 42`."""
    return f"seed {seeds[0]}" if len(seeds) == 1 else f"mean over {len(seeds) or 'the'} seeds"
