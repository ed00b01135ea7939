"""Compares two revisions: what changed, and whether the metrics differ by more than chance."""

import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from pipeline.comparison.champions import (
    champion_metrics,
    compare_calibration,
    compare_champions,
    model_size,
    read_costs,
)
from pipeline.comparison.changes import find_changes
from pipeline.comparison.earlier_results import Looks, count_looks, pool_seeds, read_results
from pipeline.comparison.flips import Flips
from pipeline.comparison.gate import check_rules, read_gate
from pipeline.comparison.metric_row import MetricRow
from pipeline.comparison.notes import describe_staleness, write_notes
from pipeline.comparison.paired_rows import PairedRows
from pipeline.comparison.pairing import pair_split, predict_alike
from pipeline.comparison.result import Comparison
from pipeline.comparison.revision import Revision
from pipeline.comparison.targets import COMPARED
from pipeline.comparison.verdicts import (
    ComparisonOptions,
    compare_intervals,
    compare_paired,
    headline_names,
    overall_verdict,
    read_options,
)
from stages.errors import PipelineError, UnavailableError
from stages.metrics.names import SPLITS, metric_name

MOST_LISTED = 10  # fixed rows, and broken rows


def compare(
    root: Path,
    base: str,
    head: str | None = None,
    *,
    fail_on: str | None = None,
    require: Iterable[str] = (),
    max_drop: Iterable[str] = (),
) -> Comparison:
    """Compare two revisions without touching the workspace.

    Args:
        root: The project's folder.
        base: The git revision to compare with.
        head: The git revision that is judged; None: the workspace.
        fail_on: Replaces `report.gate.fail_on` of head's params.yaml.
        require: Rules in addition to `report.gate.require`.
        max_drop: Rules in addition to `report.gate.max_drop`, `METRIC=DROP` each.

    Raises:
        PipelineError: A revision is unknown or has no results, the label sets differ, or a rule is invalid.
    """
    with (
        tempfile.TemporaryDirectory() as scratch,
        Revision(root, base, Path(scratch)) as base_revision,
        Revision(root, head, Path(scratch)) as head_revision,
    ):
        base_revision.headline, head_revision.headline  # noqa: B018  (fail at once if a revision has no results)
        gate = read_gate(head_revision.params, fail_on=fail_on, require=require, max_drop=max_drop)
        pairs, unpaired = _pair_splits(base_revision, head_revision)
        test = pairs.get("test")
        options, looks = _choose_level(root, base_revision, head_revision, test)
        alike = not pairs and predict_alike(base_revision, head_revision)
        metrics = _compare_metrics(base_revision, head_revision, pairs, options, alike=alike)
        verdict = overall_verdict(metrics)
        champion, what = champion_metrics(head_revision)
        outdated = "" if head_revision.stale() == base_revision.stale() else describe_staleness(head_revision)
        outdated = outdated or head_revision.found_headline.unrecorded
        unknown = base_revision.found_headline.unrecorded
        return Comparison(
            base=base_revision.title,
            head=head_revision.title,
            verdict=verdict,
            confidence=1 - options.level,
            notes=write_notes(base_revision, head_revision, test, unpaired, options, looks, alike=alike),
            changes=find_changes(base_revision, head_revision),
            test_rows=len(test) if test else None,
            metrics=metrics,
            flips=_find_flips(test, base_revision, head_revision) if test else None,
            calibration=compare_calibration(test, base_revision, head_revision) if test else {},
            costs=read_costs(base_revision, head_revision),
            model_bytes=(model_size(base_revision), model_size(head_revision)),
            gate=check_rules(gate, verdict, metrics, champion, what=what, outdated=outdated, unknown=unknown),
            looks=looks,
            seeds=(base_revision.seeds, head_revision.seeds),
            champions=(base_revision.champion, head_revision.champion),
            ships=compare_champions(base_revision, head_revision, headline_names(metrics)),
            outdated=outdated,
        )


def _choose_level(
    root: Path, base: Revision, head: Revision, test: PairedRows | None
) -> tuple[ComparisonOptions, Looks | None]:
    """The options, with the level of the verdicts by what git knows of earlier comparisons."""
    options, results = read_options(head, base), read_results(root, base, head)
    options = replace(options, spread=pool_seeds(results, without=base.report))
    if test is None or test.identical:
        return options, None
    metric = metric_name("test", options.metric)
    looks = count_looks(root, results, head, metric=metric, rate=options.level)
    return replace(options, level=looks.level), looks


def _pair_splits(base: Revision, head: Revision) -> tuple[dict[str, PairedRows], str]:
    """The paired rows of each split; where there are none, the reason."""
    try:
        pairs = {split: pair_split(base, head, split) for split in SPLITS}
    except UnavailableError as error:
        how = (
            "dvc.lock records the same predictions on both sides, so nothing else has to be read"
            if predict_alike(base, head)
            else "Only the intervals of both sides are compared, which is less precise than paired rows"
        )
        return {}, f"{how}: {error}"
    if pairs["test"] is None:
        return {}, (
            "The two sides have no test row in common: only the intervals of both sides are compared, "
            "which is less precise than paired rows."
        )
    return {split: rows for split, rows in pairs.items() if rows is not None}, ""


def _compare_metrics(
    base: Revision, head: Revision, pairs: Mapping[str, PairedRows], options: ComparisonOptions, *, alike: bool
) -> list[MetricRow]:
    rows: list[MetricRow] = []
    for split in SPLITS:
        by_interval = compare_intervals(base.metrics, head.metrics, split, options, alike=alike)
        if split in pairs:
            paired = compare_paired(pairs[split], split, options)
            names = {row.name for row in paired}
            rows += [*paired, *(row.without_verdict() for row in by_interval if row.name not in names)]
        else:
            rows += by_interval
    if not any(row.name.startswith("test.") for row in rows):
        raise PipelineError(f"{base.name} and {head.name} have no metric of test in common. Run both again: retune run")
    return rows


def _find_flips(test: PairedRows, base: Revision, head: Revision) -> Flips:
    show_text = all((side.params.get("report") or {}).get("show_text") is True for side in (base, head))
    try:
        rows = head.rows()
    except UnavailableError:
        rows = None
    champions = base.champion, head.champion
    return COMPARED[test.target.kind].find_flips(test, champions, rows, show_text=show_text, most=MOST_LISTED)
