"""The report of label sets: metrics, baselines, each label, calibration, slices, mistakes and suspect labels."""

from stages.files import read_json
from stages.metrics.bootstrap import Bootstrap
from stages.metrics.label_set_intervals import SetModel, measure_sets
from stages.metrics.set_rule import SetRule, fit_set_temperature
from stages.params import Params
from stages.paths import Paths
from stages.report.every_metrics import Findings
from stages.report.files import write_files
from stages.report.folds import FoldAnswers, FoldScore, read_folds
from stages.report.judged import Judged, judged_by_seeds
from stages.report.label_sets.answers import Suspect, find_suspects
from stages.report.label_sets.baselines import predict_baselines, score_baselines
from stages.report.label_sets.metrics import compute_metrics
from stages.report.label_sets.page import build_context
from stages.report.label_sets.results import Results, read_results
from stages.report.label_sets.slices import score_slices
from stages.report.render.card import copy_model
from stages.report.render.page import render
from stages.report.rows import read_slices


def write_report(params: Params, paths: Paths) -> None:
    """Write every file of data/report."""
    options = params.evaluate
    results = read_results(paths, params.seeds, options)
    bootstrap = Bootstrap(options.resamples, options.confidence, options.seed)
    folds = read_folds(paths, params.crossfit)
    suspects, too_weak = find_suspects(_judged(results, folds), results.labels)
    baselines = predict_baselines(paths, results, max_train_rows=params.report.baseline_rows)
    findings = Findings(
        baselines=score_baselines(results, baselines, bootstrap),
        slices=score_slices(
            read_slices(paths, results.predictions), results.predictions, confidence=options.confidence
        ),
        suspects=suspects,
        notes=read_json(paths.split_stats)["notes"],
        search={"too_weak": too_weak},
        crossfit=None if folds is None else _score(folds, bootstrap),
    )
    metrics = compute_metrics(results, bootstrap, findings)
    context = build_context(params, paths, results, metrics, suspects)
    calibration = {
        "temperature": metrics.champion.temperature,
        "thresholds": metrics.champion.thresholds,
    }
    card = render("label_set.card.md.j2", context)
    copy_model(paths, results.champion.seed, calibration, params.tokenize, params.download.dataset, card=card)
    write_files(paths, results, metrics, context, template="label_set", columns=Suspect, suspects=suspects)


def _judged(results: Results, folds: FoldAnswers | None) -> Judged:
    """The rows in which suspects are sought: all where there are folds, else those of val and test."""
    if folds is not None:
        return folds.judged(_rule(folds).calibrate(folds.answers))
    splits = results.champion.predictions
    return judged_by_seeds(splits, {name: [seed.calibrated(name) for seed in results.seeds] for name in splits})


def _rule(folds: FoldAnswers) -> SetRule:
    """The temperature of all folds together, and no tuned threshold."""
    return SetRule(fit_set_temperature(folds.labels, folds.answers), [None] * folds.answers.shape[1])


def _score(folds: FoldAnswers, bootstrap: Bootstrap) -> FoldScore:
    rule = _rule(folds)
    calibrated = rule.calibrate(folds.answers)
    model = SetModel(folds.answers, calibrated, rule.decide(calibrated))
    return FoldScore.of(folds, measure_sets(folds.labels, [model], groups=folds.groups, bootstrap=bootstrap))
