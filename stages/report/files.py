"""The files of data/report that every kind of target has, but for the model."""

import logging
from collections.abc import Sequence
from typing import Any

from stages.files import write_json, write_text
from stages.paths import Paths
from stages.report.every_metrics import EveryMetrics
from stages.report.headline import headline
from stages.report.render.page import render
from stages.report.seeds import AllSeeds
from stages.report.suspects import Line, suspects_csv

log = logging.getLogger(__name__)


def write_files(
    paths: Paths,
    results: AllSeeds[Any],
    metrics: EveryMetrics,
    context: object,
    *,
    template: str,
    columns: type[Line],
    suspects: Sequence[Line],
) -> None:
    """Write report.html, report.md, suspects.csv, metrics.json and headline.json.

    Args:
        paths: Of the project.
        results: Of all seeds.
        metrics: The content of metrics.json.
        context: The variables of the templates.
        template: Their name before the ending.
        columns: The dataclass of a suspect.
        suspects: Most suspicious first.
    """
    write_text(paths.report / "report.html", render(f"{template}.html.j2", context))
    write_text(paths.report / "report.md", render(f"{template}.md.j2", context))
    write_text(paths.report / "suspects.csv", suspects_csv(columns, suspects))
    write_json(paths.all_metrics, metrics.as_json())
    write_json(paths.headline, headline(metrics, results))
    log.info("best seed on val: %s; report: %s", results.champion.seed, paths.report / "report.html")
