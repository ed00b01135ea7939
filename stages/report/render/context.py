"""The values that the templates of classes show."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial

from sklearn.metrics import confusion_matrix

from stages.metrics.caveats import by_reason
from stages.metrics.failures import describe_failures, weighs_classes
from stages.metrics.names import OF_ORDERED, headline_metrics
from stages.params import Params
from stages.paths import Paths
from stages.report.charts.figures import Charts, make_charts
from stages.report.metrics import Metrics
from stages.report.mistakes import Confusion, Mistake, confident_mistakes, frequent_confusions
from stages.report.render.every_context import MOST_CLASSES, EveryContext, read_shared
from stages.report.render.formats import format_shown
from stages.report.render.front_matter import HubMetric, front_matter
from stages.report.render.glossary import NAMES
from stages.report.results import Results
from stages.report.slices import SMALL, weakness
from stages.report.suspects import Suspect

HUB_METRICS: Mapping[str, HubMetric] = {"macro_f1": ("f1", {"average": "macro"}), "mcc": ("matthews_correlation", None)}
MATRIX_LABELS = 20  # a larger matrix is unreadable: only the most frequent confusions are listed
CONFUSIONS = 15


@dataclass(frozen=True, kw_only=True)
class Context(EveryContext):
    """The variables of the templates of classes.

    Args:
        results: Of all seeds.
        metrics: The contents of metrics.json.
        headline: The metric at the top of the report.
        beside: The metrics of classes in order that are shown beside another headline.
        slices: Column and value of each slice, weakest first.
        small_slice: Slices with fewer rows are marked as small.
        matrix: Rows by label and predicted label; None with many labels.
        classes: The labels that are listed with their scores: all, or the weakest of many.
        confusions: The most frequent ones.
        mistakes: The most confident ones.
        charts: Of report.html.
    """

    results: Results
    metrics: Metrics
    headline: str
    beside: list[str]
    slices: list[tuple[str, str]]
    small_slice: int
    matrix: list[list[int]] | None
    classes: list[str]
    confusions: list[Confusion]
    mistakes: list[Mistake]
    charts: Charts


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
    shown = list(suspects)[: params.report.suspects]
    shared = read_shared(params, paths, results, metrics, listed=[*mistakes, *shown], rough=partial(_rough_of, results))
    return Context(
        **shared,
        failures=describe_failures(
            asdict(metrics), NAMES, weighted=weighs_classes(params.model_dump()), show=format_shown
        ),
        headline=headline,
        beside=[name for name in OF_ORDERED if results.ordered and headline not in OF_ORDERED],
        metric_names=_metric_names(results, headline),
        slices=_weakest_first(metrics),
        small_slice=SMALL,
        matrix=matrix.tolist() if len(labels) <= MATRIX_LABELS else None,
        classes=_weakest_classes(metrics),
        confusions=frequent_confusions(matrix, labels, limit=CONFUSIONS),
        mistakes=mistakes,
        suspects=shown,
        charts=make_charts(
            paths, results, metrics, metric=metric, headline=headline, mcc_per_batch=params.report.mcc_per_batch
        ),
        front_matter=front_matter(
            params,
            results,
            shared["provenance"],
            task="Text classification",
            metrics=headline_metrics(headline, results.champion.metrics[results.split]),
            hub_metrics=HUB_METRICS,
        ),
    )


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
