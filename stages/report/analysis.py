"""The analysis of the results: baselines, slices and suspect labels, put together with the metrics."""

from stages.params import Params
from stages.paths import Paths
from stages.report.baselines import predict_baselines, score_baselines
from stages.report.metrics import Metrics, compute_metrics
from stages.report.results import Results
from stages.report.rows import read_slice_columns
from stages.report.slices import score_slices
from stages.report.suspects import Suspect, find_suspects


def analyse(params: Params, paths: Paths, results: Results) -> tuple[Metrics, list[Suspect]]:
    """Return the contents of metrics.json, and the rows whose label is probably wrong, most suspicious first."""
    evaluate, predictions = params.evaluate, results.predictions
    baselines = predict_baselines(paths, results, max_train_rows=params.report.baseline_rows)
    slices = score_slices(
        read_slice_columns(paths, predictions.positions),
        predictions.labels,
        predictions.preds,
        metric=evaluate.metric,
        num_labels=len(results.labels),
        resamples=evaluate.resamples,
        confidence=evaluate.confidence,
        seed=evaluate.seed,
    )
    suspects = find_suspects(results)
    metrics = compute_metrics(
        results,
        evaluate,
        baselines=score_baselines(results, baselines, evaluate),
        slices=slices,
        suspects=suspects,
    )
    return metrics, suspects
