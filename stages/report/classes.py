"""The report of classes: metrics, baselines, slices, mistakes, confusions and calibration."""

import logging

from stages.files import write_json, write_text
from stages.params import Params
from stages.paths import Paths
from stages.report.analysis import analyse
from stages.report.folds import metrics_json
from stages.report.headline import headline
from stages.report.render.card import render_card, write_model
from stages.report.render.context import build_context
from stages.report.render.page import render_html, render_markdown
from stages.report.results import read_results
from stages.report.suspects import suspects_csv

log = logging.getLogger(__name__)


def write_report(params: Params, paths: Paths) -> None:
    """Write every file of data/report."""
    results = read_results(paths, params.seeds, params.evaluate)
    metrics, suspects = analyse(params, paths, results)
    context = build_context(params, paths, results, metrics, suspects)
    write_model(paths, results, params.tokenize, params.download.dataset, card=render_card(context))
    write_text(paths.report / "report.html", render_html(context))
    write_text(paths.report / "report.md", render_markdown(context))
    write_text(paths.report / "suspects.csv", suspects_csv(suspects))
    write_json(paths.all_metrics, metrics_json(metrics))
    write_json(paths.headline, headline(metrics, results))
    log.info("best seed on val: %s; report: %s", results.champion.seed, paths.report / "report.html")
