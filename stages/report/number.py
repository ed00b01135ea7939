"""The report of a number: metrics, baselines, residuals, slices of them, and suspect labels."""

import dataclasses
import logging

from stages.files import read_json, write_json, write_text
from stages.metrics.bootstrap import Bootstrap
from stages.params import Params
from stages.paths import Paths
from stages.report.headline import headline
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
    ranked = ranked_residuals(results)
    suspects = suspects_of(ranked)
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
    write_json(paths.all_metrics, dataclasses.asdict(metrics))
    write_json(paths.headline, headline(metrics, results))
    log.info("best seed on val: %s; report: %s", champion.seed, paths.report / "report.html")
