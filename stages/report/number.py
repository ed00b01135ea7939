"""The report of a number: metrics, baselines, residuals, slices of them, and suspect labels."""

import logging

import numpy as np

from stages.files import read_json, write_json, write_text
from stages.metrics.bootstrap import Bootstrap
from stages.metrics.regression import measure_numbers
from stages.params import Params
from stages.paths import Paths
from stages.report.folds import FoldAnswers, FoldScore, metrics_json, read_folds
from stages.report.headline import headline
from stages.report.judged import judged_by_seeds
from stages.report.numbers.baselines import predict_baselines, score_baselines
from stages.report.numbers.metrics import compute_metrics
from stages.report.numbers.page import build_context
from stages.report.numbers.residuals import ranked_residuals, score_slices, suspects_csv, suspects_of
from stages.report.numbers.results import read_results
from stages.report.render.card import copy_model
from stages.report.render.page import render
from stages.report.rows import read_slices

log = logging.getLogger(__name__)


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
    metrics = compute_metrics(
        results,
        bootstrap,
        metric=results.metric,
        baselines=score_baselines(results, baselines, bootstrap),
        slices=slices,
        suspects=suspects,
        notes=read_json(paths.split_stats)["notes"],
        crossfit=None if folds is None else _score(folds, bootstrap),
    )
    context = build_context(params, paths, results, metrics, ranked=ranked, suspects=suspects)
    champion = results.champion
    calibration = {
        "half_width": champion.half_width,
        "confidence": options.confidence,
        "max_length": params.tokenize.max_length,
        "truncation": params.tokenize.truncation,
    }
    card = render("number.card.md.j2", context)
    copy_model(paths, champion.seed, calibration, params.tokenize, params.download.dataset, card=card)
    write_text(paths.report / "report.html", render("number.html.j2", context))
    write_text(paths.report / "report.md", render("number.md.j2", context))
    write_text(paths.report / "suspects.csv", suspects_csv(suspects))
    write_json(paths.all_metrics, metrics_json(metrics))
    write_json(paths.headline, headline(metrics, results))
    log.info("best seed on val: %s; report: %s", champion.seed, paths.report / "report.html")


def _score(folds: FoldAnswers, bootstrap: Bootstrap) -> FoldScore:
    numbers, preds = folds.labels.astype(np.float64), folds.answers[:, 0].astype(np.float64)
    return FoldScore.of(folds, measure_numbers(numbers, [preds], groups=folds.groups, bootstrap=bootstrap))
