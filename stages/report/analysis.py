"""The analysis of the results: baselines, slices and suspect labels, put together with the metrics."""

from stages.files import read_json
from stages.metrics.bootstrap import Bootstrap
from stages.params import Params
from stages.paths import Paths
from stages.report.baselines import predict_baselines, score_baselines
from stages.report.metrics import Metrics, compute_metrics
from stages.report.results import Results
from stages.report.rows import read_slices
from stages.report.slices import score_slices
from stages.report.suspects import Suspect, find_suspects


def analyse(params: Params, paths: Paths, results: Results) -> tuple[Metrics, list[Suspect]]:
    """Return the contents of metrics.json, and the rows whose label is probably wrong, most suspicious first."""
    options = params.evaluate
    bootstrap = Bootstrap(options.resamples, options.confidence, options.seed)
    baselines = predict_baselines(paths, results, max_train_rows=params.report.baseline_rows)
    slices = read_slices(paths, results.predictions)
    suspects = find_suspects(results)
    metrics = compute_metrics(
        results,
        bootstrap,
        metric=results.metric,
        baselines=score_baselines(results, baselines, bootstrap),
        slices=score_slices(slices, results.predictions, results.metric, confidence=options.confidence),
        suspects=suspects,
        notes=read_json(paths.split_stats)["notes"],
    )
    return metrics, suspects
