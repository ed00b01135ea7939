"""The values that the templates of every kind of target show."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stages.metrics.names import SPLITS
from stages.params import Params
from stages.paths import Paths
from stages.report.data_summary import DataSummary, read_data_summary
from stages.report.every_metrics import EveryMetrics
from stages.report.growth import Growth, read_growth
from stages.report.provenance import Provenance, read_provenance
from stages.report.rows import read_texts
from stages.report.seeds import AllSeeds

MOST_CLASSES = 200  # listed in a table: of more, those with the lowest F1, and those with the fewest rows in train
MOST_CHARACTERS = 2_000  # of a text: a screen
MARKS = "†‡§¶‖#"  # of rough intervals: at most three reasons a split, of val and test


@dataclass(frozen=True)
class Rough:
    """Why intervals are rough.

    Attributes:
        mark: That stands beside them; each reason has its own.
        reason: A part of a sentence.
        metrics: Whose intervals they are, by split.
    """

    mark: str
    reason: str
    metrics: dict[str, list[str]]


@dataclass(frozen=True, kw_only=True)
class EveryContext:
    """The variables of report.html, report.md and the model card.

    Args:
        params: Of the project.
        results: Of all seeds.
        metrics: The contents of metrics.json.
        failures: What makes the model useless, a sentence each.
        target: Where the labels come from.
        metric_names: All metrics, the leading one first.
        rough: Why intervals are rough, each reason once.
        suspects: The most suspicious ones.
        texts: Texts of the rows that are listed, by position; empty if the report must not show texts.
        charts: Of report.html.
        data: The rows from the source files to the splits.
        provenance: How the champion was made.
        growth: What more labels would bring; None where extrapolate is off.
        front_matter: Of the model card.
    """

    params: Params
    results: AllSeeds[Any]
    metrics: EveryMetrics
    failures: list[str]
    target: str
    metric_names: list[str]
    rough: list[Rough]
    suspects: Sequence[Any]
    texts: dict[int, str]
    charts: Any
    data: DataSummary
    provenance: Provenance
    growth: Growth | None
    front_matter: str


def read_shared(
    params: Params,
    paths: Paths,
    results: AllSeeds[Any],
    metrics: EveryMetrics,
    *,
    listed: Iterable[Any],
    rough: Callable[[str], Mapping[str, list[str]]],
    most_classes: int = MOST_CLASSES,
) -> dict[str, Any]:
    """Return the fields of `EveryContext` that are the same for every kind.

    Args:
        params: Of the project.
        paths: Of the project.
        results: Of all seeds.
        metrics: The contents of metrics.json.
        listed: Rows that are listed with their text; each has a `position`.
        rough: Returns the metrics of a split whose intervals are rough, by the reason.
        most_classes: How many labels the table of the data has at most.
    """
    positions = sorted({row.position for row in listed}) if params.report.show_text else []
    return {
        "params": params,
        "results": results,
        "metrics": metrics,
        "target": describe_target(params),
        "rough": mark_rough({split: rough(split) for split in SPLITS}),
        "texts": read_shown_texts(paths, positions) if positions else {},
        "data": read_data_summary(paths, results.labels, most_classes=most_classes),
        "provenance": read_provenance(paths, params, results.champion.seed),
        "growth": read_growth(paths, params),
    }


def describe_target(params: Params) -> str:
    """Return where the labels come from, in words."""
    column = params.download.dataset.columns.label
    if column is None:
        return "the label of each file or folder"
    return f"column {column}" if isinstance(column, str) else f"column number {column}"


def mark_rough(reasons: Mapping[str, Mapping[str, list[str]]]) -> list[Rough]:
    """Give each reason for rough intervals a mark.

    Args:
        reasons: By split the metrics whose intervals are rough, by the reason.
    """
    found: dict[str, dict[str, list[str]]] = {}
    for split, by_cause in reasons.items():
        for reason, names in by_cause.items():
            found.setdefault(reason, {})[split] = names
    return [Rough(mark, reason, splits) for mark, (reason, splits) in zip(MARKS, found.items(), strict=False)]


def read_shown_texts(paths: Paths, positions: list[int]) -> dict[int, str]:
    """Return the texts at some positions as a report shows them: very long ones are cut."""
    texts = read_texts(paths, positions)
    cut = [text if len(text) <= MOST_CHARACTERS else text[:MOST_CHARACTERS] + "…" for text in texts]
    return dict(zip(positions, cut, strict=True))
