"""The report of classes: metrics, baselines, slices, mistakes, confusions and calibration."""

from stages.params import Params
from stages.paths import Paths
from stages.report.analysis import analyse
from stages.report.files import write_files
from stages.report.render.card import copy_model
from stages.report.render.context import build_context
from stages.report.render.page import render
from stages.report.results import read_results
from stages.report.suspects import Suspect


def write_report(params: Params, paths: Paths) -> None:
    """Write every file of data/report.

    calibration.json: `temperature` divides the logits. If the scaled probability of `positive` is at least `threshold`,
    the answer is `positive`; without a threshold it is the most probable label.
    """
    results = read_results(paths, params.seeds, params.evaluate)
    metrics, suspects = analyse(params, paths, results)
    context = build_context(params, paths, results, metrics, suspects)
    seed, rule = results.champion.seed, results.champion.rule
    calibration = {
        "temperature": rule.temperature,
        "threshold": rule.threshold,
        "positive": None if rule.threshold is None else results.labels[rule.positive],
    }
    card = render("card.md.j2", context)
    copy_model(paths, seed, calibration, params.tokenize, params.download.dataset, card=card)
    write_files(paths, results, metrics, context, template="report", columns=Suspect, suspects=suspects)
