"""The analysis of the results: baselines, slices and suspect labels, put together with the metrics."""

from stages.files import read_json
from stages.metrics.bootstrap import Bootstrap
from stages.metrics.calibration import fit_temperature, scale
from stages.metrics.estimates import measure
from stages.params import Params
from stages.paths import Paths
from stages.report.baselines import predict_baselines, score_baselines
from stages.report.every_metrics import Findings
from stages.report.folds import FoldAnswers, FoldScore, read_folds
from stages.report.judged import Judged, judged_by_seeds
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
    folds = read_folds(paths, params.crossfit)
    suspects, ranking = find_suspects(_judged(results, folds), results.labels, ordered=results.ordered)
    findings = Findings(
        baselines=score_baselines(results, baselines, bootstrap),
        slices=score_slices(slices, results.predictions, results.metric, confidence=options.confidence),
        suspects=suspects,
        search={"confident": ranking.confident, "contradicted": ranking.contradicted},
        notes=read_json(paths.split_stats)["notes"],
        crossfit=None if folds is None else _score(folds, bootstrap, ordered=results.ordered),
    )
    metrics = compute_metrics(results, bootstrap, findings)
    return metrics, suspects


def _judged(results: Results, folds: FoldAnswers | None) -> Judged:
    """The rows in which suspects are sought: all where there are folds, else those of val and test."""
    if folds is not None:
        return folds.judged(scale(folds.answers, fit_temperature(folds.labels, folds.answers)))
    splits = results.champion.predictions
    calibrated = {
        name: [seed.rule.calibrate(seed.predictions[name].probabilities) for seed in results.seeds] for name in splits
    }
    return judged_by_seeds(splits, calibrated)


def _score(folds: FoldAnswers, bootstrap: Bootstrap, *, ordered: bool) -> FoldScore:
    temperature = fit_temperature(folds.labels, folds.answers)
    estimates = measure(
        folds.labels,
        [folds.answers],
        temperatures=[temperature],
        ordered=ordered,
        groups=folds.groups,
        bootstrap=bootstrap,
    )
    return FoldScore.of(folds, estimates)
