"""The report of a number: metrics, baselines, residuals, slices of them, and suspect labels."""

import numpy as np

from stages.files import read_json
from stages.metrics.bootstrap import Bootstrap
from stages.metrics.number_intervals import measure_numbers
from stages.params import Params
from stages.paths import Paths
from stages.report.every_metrics import Findings
from stages.report.files import write_files
from stages.report.folds import FoldAnswers, FoldScore, read_folds
from stages.report.judged import judged_by_seeds
from stages.report.numbers.baselines import predict_baselines, score_baselines
from stages.report.numbers.metrics import compute_metrics
from stages.report.numbers.page import build_context
from stages.report.numbers.residuals import Residual, ranked_residuals, score_slices, suspects_of
from stages.report.numbers.results import read_results
from stages.report.render.card import copy_model
from stages.report.render.page import render
from stages.report.rows import read_slices


def write_report(params: Params, paths: Paths) -> None:
    """Write every file of data/report."""
    options = params.evaluate
    results = read_results(paths, params.seeds, options)
    bootstrap = Bootstrap(options.resamples, options.confidence, options.seed)
    folds, splits = read_folds(paths, params.crossfit), results.champion.predictions
    preds = {name: [seed.predictions[name].preds for seed in results.seeds] for name in splits}
    ranked = ranked_residuals(judged_by_seeds(splits, preds))
    suspects = suspects_of(ranked if folds is None else ranked_residuals(folds.judged(folds.answers[:, 0])))
    baselines = predict_baselines(paths, results, max_train_rows=params.report.baseline_rows)
    slices = score_slices(
        read_slices(paths, results.predictions),
        results.champion.residuals(results.split),
        results.predictions.groups,
        confidence=options.confidence,
    )
    findings = Findings(
        baselines=score_baselines(results, baselines, confidence=options.confidence),
        slices=slices,
        suspects=suspects,
        notes=read_json(paths.split_stats)["notes"],
        crossfit=None if folds is None else _score(folds, options.confidence),
    )
    metrics = compute_metrics(results, bootstrap, findings)
    context = build_context(params, paths, results, metrics, ranked=ranked, suspects=suspects)
    champion = results.champion
    calibration = {
        "half_width": champion.half_width,
        "confidence": options.confidence,
    }
    card = render("number.card.md.j2", context)
    copy_model(paths, champion.seed, calibration, params.tokenize, params.download.dataset, card=card)
    write_files(paths, results, metrics, context, template="number", columns=Residual, suspects=suspects)


def _score(folds: FoldAnswers, confidence: float) -> FoldScore:
    numbers, preds = folds.labels.astype(np.float64), folds.answers[:, 0].astype(np.float64)
    return FoldScore.of(folds, measure_numbers(numbers, [preds], groups=folds.groups, confidence=confidence))
