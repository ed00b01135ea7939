"""The report of label sets: metrics, baselines, each label, calibration, slices, mistakes and suspect labels."""

import dataclasses
import logging

from stages.files import read_json, write_json, write_text
from stages.metrics.bootstrap import Bootstrap
from stages.params import Params
from stages.paths import Paths
from stages.report.headline import headline
from stages.report.label_sets.answers import find_suspects, suspects_csv
from stages.report.label_sets.baselines import predict_baselines, score_baselines
from stages.report.label_sets.metrics import compute_metrics
from stages.report.label_sets.page import build_context
from stages.report.label_sets.results import read_results
from stages.report.label_sets.slices import score_slices
from stages.report.render.card import copy_model
from stages.report.render.page import render
from stages.report.rows import read_slices

log = logging.getLogger(__name__)


def write_report(params: Params, paths: Paths) -> None:
    """Write every file of data/report."""
    options = params.evaluate
    results = read_results(paths, params.seeds, options)
    bootstrap = Bootstrap(options.resamples, options.confidence, options.seed)
    suspects = find_suspects(results)
    baselines = predict_baselines(paths, results, max_train_rows=params.report.baseline_rows)
    metrics = compute_metrics(
        results,
        bootstrap,
        metric=results.metric,
        baselines=score_baselines(results, baselines, bootstrap),
        slices=score_slices(
            read_slices(paths, results.predictions), results.predictions, confidence=options.confidence
        ),
        suspects=suspects,
        notes=read_json(paths.split_stats)["notes"],
    )
    context = build_context(params, paths, results, metrics, suspects)
    calibration = {
        "temperature": metrics.champion.temperature,
        "thresholds": metrics.champion.thresholds,
        "max_length": params.tokenize.max_length,
        "truncation": params.tokenize.truncation,
    }
    card = render("label_set.card.md.j2", context)
    copy_model(paths, results.champion.seed, calibration, params.tokenize, params.download.dataset, card=card)
    write_text(paths.report / "report.html", render("label_set.html.j2", context))
    write_text(paths.report / "report.md", render("label_set.md.j2", context))
    write_text(paths.report / "suspects.csv", suspects_csv(suspects))
    write_json(paths.all_metrics, dataclasses.asdict(metrics))
    write_json(paths.headline, headline(metrics, results))
    log.info("best seed on val: %s; report: %s", results.champion.seed, paths.report / "report.html")
