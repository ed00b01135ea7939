"""Reads the metrics of a git revision or of the workspace that its dvc.lock records: headline.json and metrics.json."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pipeline.comparison.revision_files import FILES, RevisionFiles
from pipeline.repository.results import IN_GIT, damage_of, parse_report
from stages.errors import PipelineError, UnavailableError
from stages.metrics.summary import MetricSummary, parse_summaries


@dataclass(frozen=True)
class Headline:
    """The headline metrics.

    Attributes:
        content: Of headline.json.
        note: Where they are not what git or the workspace has in that file; empty where they are.
        unrecorded: Why they may be of another run than the other results; empty where dvc.lock records them.
    """

    content: dict[str, Any]
    note: str = ""
    unrecorded: str = ""


class RevisionMetrics(RevisionFiles):
    """The metrics of a git revision or of the workspace."""

    @property
    def headline(self) -> dict[str, Any]:
        """The content of headline.json; in a revision of an earlier version that of metrics.json, which git kept.

        Raises:
            PipelineError: The file is missing or damaged.
        """
        return self.found_headline.content

    @cached_property
    def found_headline(self) -> Headline:
        """The headline that dvc.lock records; where nobody has that, the one that git or the workspace has.

        Raises:
            PipelineError: There is none, or it is damaged.
        """
        name, text = next(((name, text) for name in IN_GIT if (text := self.text(name)) is not None), (IN_GIT[0], None))
        content = None if text is None else parse_report(text)
        if text is not None and content is None:
            raise PipelineError(damage_of(f"{name} of {self.name}", text))
        if content is not None and self.is_recorded(name):
            return Headline(content)
        recorded = self.recorded(name)
        where = "is missing" if content is None else "is not the one that its dvc.lock records"
        problem = f"{name} of {self.name} {where if recorded else 'is not recorded by its dvc.lock'}"
        if self._all_metrics is not None:
            return Headline(self._all_metrics, f"{problem}: metrics.json is read instead. Write it again: retune run")
        former = self.project.former_content(name, recorded.md5) if recorded else None
        if former is not None and (restored := parse_report(former.decode(errors="replace"))) is not None:
            return Headline(restored, f"{problem}, which an earlier commit has. Write it again: retune run")
        if content is None:
            hint = "Run it: retune run" if self.rev is None else "Choose a revision that has some: retune log"
            raise PipelineError(f"{self.name} has no results ({name} is missing). {hint}")
        return Headline(content, unrecorded=f"{problem}, so its metrics may be of another run. Update them: retune run")

    @cached_property
    def report(self) -> dict[str, Any]:
        """The content of metrics.json, or of headline.json where that is not available; raises as `headline`."""
        headline = self.headline
        return self._all_metrics or headline

    @cached_property
    def _all_metrics(self) -> dict[str, Any] | None:
        return self.json(FILES.all_metrics)

    @cached_property
    def why_incomplete(self) -> str:
        """Why the headline metrics alone are known; empty where every metric is."""
        if self._all_metrics is not None:
            return ""
        try:
            self.fetch(FILES.all_metrics)
        except UnavailableError as error:
            return str(error)
        return ""

    @cached_property
    def metrics(self) -> dict[str, MetricSummary]:
        """Every metric by its full name, such as `test.macro_f1`; raises as `report`."""
        return parse_summaries(self.report)
