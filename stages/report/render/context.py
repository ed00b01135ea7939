"""The values that the templates show."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from sklearn.metrics import confusion_matrix

from stages.metrics.caveats import by_reason
from stages.metrics.failures import describe_failures, weighs_classes
from stages.metrics.names import OF_ORDERED, SPLITS, headline_metrics
from stages.params import Params
from stages.paths import Paths
from stages.report.charts.figures import Charts, make_charts
from stages.report.data_summary import DataSummary, read_data_summary
from stages.report.growth import Growth, read_growth
from stages.report.metrics import Metrics
from stages.report.mistakes import Confusion, Mistake, confident_mistakes, frequent_confusions
from stages.report.provenance import Provenance, read_provenance
from stages.report.render.front_matter import HubMetric, front_matter
from stages.report.render.glossary import NAMES
from stages.report.results import Results
from stages.report.rows import read_texts
from stages.report.slices import SMALL, weakness
from stages.report.suspects import Suspect

HUB_METRICS: Mapping[str, HubMetric] = {"macro_f1": ("f1", {"average": "macro"}), "mcc": ("matthews_correlation", None)}
MATRIX_LABELS = 20  # a larger matrix is unreadable: only the most frequent confusions are listed
CONFUSIONS = 15
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


@dataclass(frozen=True)
class Context:
    """The variables of report.html, report.md and the model card.

    Args:
        params: Of the project.
        results: Of all seeds.
        metrics: The contents of metrics.json.
        failures: What makes the model useless, a sentence each.
        target: Where the labels come from.
        headline: The metric at the top of the report.
        beside: The metrics of classes in order that are shown beside another headline.
        metric_names: All metrics, the headline first.
        rough: Why intervals are rough, each reason once.
        slices: Column and value of each slice, weakest first.
        small_slice: Slices with fewer rows are marked as small.
        matrix: Rows by label and predicted label; None with many labels.
        classes: The labels that are listed with their scores: all, or the weakest of many.
        confusions: The most frequent ones.
        mistakes: The most confident ones.
        suspects: The most suspicious ones.
        texts: Texts of the mistakes and suspects by position; empty if the report must not show texts.
        charts: Of report.html.
        data: The rows from the source files to the splits.
        provenance: How the champion was made.
        growth: What more labels would bring; None where extrapolate is off.
        front_matter: Of the model card.
    """

    params: Params
    results: Results
    metrics: Metrics
    failures: list[str]
    target: str
    headline: str
    beside: list[str]
    metric_names: list[str]
    rough: list[Rough]
    slices: list[tuple[str, str]]
    small_slice: int
    matrix: list[list[int]] | None
    classes: list[str]
    confusions: list[Confusion]
    mistakes: list[Mistake]
    suspects: list[Suspect]
    texts: dict[int, str]
    charts: Charts
    data: DataSummary
    provenance: Provenance
    growth: Growth | None
    front_matter: str


def build_context(
    params: Params, paths: Paths, results: Results, metrics: Metrics, suspects: Sequence[Suspect]
) -> Context:
    """Gather the values that the templates show.

    Args:
        params: Of the project.
        paths: Of the project.
        results: Of all seeds.
        metrics: The contents of metrics.json.
        suspects: Rows whose label is probably wrong, most suspicious first.
    """
    metric, labels, predictions = results.metric, results.labels, results.predictions
    headline = "mcc" if results.imbalanced and metric == "accuracy" else metric
    matrix = confusion_matrix(predictions.labels, predictions.preds, labels=range(len(labels)))
    mistakes = confident_mistakes(predictions, labels, results.champion.rule, limit=params.report.mistakes)
    top_suspects = list(suspects)[: params.report.suspects]
    positions = {mistake.position for mistake in mistakes} | {suspect.position for suspect in top_suspects}
    provenance = read_provenance(paths, params, results.champion.seed)
    return Context(
        params=params,
        results=results,
        metrics=metrics,
        failures=describe_failures(asdict(metrics), NAMES, weighted=weighs_classes(params.model_dump())),
        target=describe_target(params),
        headline=headline,
        beside=[name for name in OF_ORDERED if results.ordered and headline not in OF_ORDERED],
        metric_names=_metric_names(results, headline),
        rough=mark_rough({split: _rough_of(results, split) for split in SPLITS}),
        slices=_weakest_first(metrics),
        small_slice=SMALL,
        matrix=matrix.tolist() if len(labels) <= MATRIX_LABELS else None,
        classes=_weakest_classes(metrics),
        confusions=frequent_confusions(matrix, labels, limit=CONFUSIONS),
        mistakes=mistakes,
        suspects=top_suspects,
        texts=read_shown_texts(paths, sorted(positions)) if params.report.show_text and positions else {},
        charts=make_charts(
            paths, results, metrics, metric=metric, headline=headline, mcc_per_batch=params.report.mcc_per_batch
        ),
        data=read_data_summary(paths, labels, most_classes=MOST_CLASSES),
        provenance=provenance,
        growth=read_growth(paths, params),
        front_matter=front_matter(
            params,
            results,
            provenance,
            task="Text classification",
            metrics=headline_metrics(headline, results.champion.metrics[results.split]),
            hub_metrics=HUB_METRICS,
        ),
    )


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


def _rough_of(results: Results, split: str) -> dict[str, list[str]]:
    predictions = results.champion.predictions[split]
    return by_reason(results.champion.metrics[split], predictions.labels, [predictions.preds], predictions.groups)


def _metric_names(results: Results, headline: str) -> list[str]:
    """Return all metrics, the headline first; accuracy comes late if most rows have the same label."""
    measured = results.champion.metrics[results.split]
    first = ["mcc", "macro_f1", "balanced_accuracy"] if results.imbalanced else headline_metrics(headline, measured)
    in_order = OF_ORDERED if results.ordered else ()
    return list(dict.fromkeys([headline, *in_order, *first, *measured]))


def _weakest_classes(metrics: Metrics) -> list[str]:
    """Return all labels in class order, or those of many with the lowest F1, weakest first, among those with rows."""
    scores = metrics.per_class
    if len(scores) <= MOST_CLASSES:
        return list(scores)
    return sorted(scores, key=lambda label: (not scores[label].support, scores[label].f1))[:MOST_CLASSES]


def _weakest_first(metrics: Metrics) -> list[tuple[str, str]]:
    scores = {(column, name): part for column, parts in metrics.slices.items() for name, part in parts.items()}
    return sorted(scores, key=lambda key: (*weakness(scores[key]), *key))


def read_shown_texts(paths: Paths, positions: list[int]) -> dict[int, str]:
    """Return the texts at some positions as a report shows them: very long ones are cut."""
    texts = read_texts(paths, positions)
    cut = [text if len(text) <= MOST_CHARACTERS else text[:MOST_CHARACTERS] + "…" for text in texts]
    return dict(zip(positions, cut, strict=True))
