"""Sentences about a comparison that a reader must know before trusting its verdict."""

from dataclasses import replace

from pipeline.comparison.earlier_results import Looks
from pipeline.comparison.paired_rows import PairedRows
from pipeline.comparison.revision import Revision
from pipeline.comparison.targets import COMPARED
from pipeline.comparison.verdicts import ComparisonOptions
from pipeline.repository.checked_out import how_to_check_out
from stages.metrics.failures import describe_collapse, weighs_classes
from stages.metrics.names import headline_metrics, metric_name
from stages.metrics.summary import format_value

MOST_STAGES, MOST_METRICS = 3, 5  # that a note names
PRECISIONS = {"bf16": "bf16", "32": "float32"}
WORN = 0.5  # of its rows: a test set is worn out if as many fresh ones would detect as much


def write_notes(
    base: Revision,
    head: Revision,
    test: PairedRows | None,
    unpaired: str,
    options: ComparisonOptions,
    looks: Looks | None,
    *,
    alike: bool = False,
) -> list[str]:
    """Return the notes.

    Args:
        base: The revision that is compared with.
        head: The revision that is judged.
        test: The rows of test that are compared; None where only intervals are.
        unpaired: Why the rows are not paired; empty where they are.
        options: Of the comparison.
        looks: Comparisons on these test rows before this one; None where they do not count.
        alike: Both sides predict the same for every row, although the rows are not paired.
    """
    notes = [describe_staleness(side) for side in (base, head)]
    for side in (base, head):
        notes += [side.found_headline.unrecorded, side.found_headline.note, _about_replaced(side)]
    for side in (base, head):
        sentences = describe_collapse(side.report, weighted=weighs_classes(side.params_of_results))
        notes += [f"{side.name}: {sentence}" for sentence in sentences if sentence]
    notes.append(unpaired)
    if test:
        notes += _about_rows(base, head, test, options)
        notes.append(_about_groups(test))
    if not (alike or (test and test.identical)):
        notes += [_about_precision(base, head), _about_seeds(base, head, options)]
    if test and looks:
        notes += _about_looks(looks, len(test))
    incomplete = [_headline_alone(side) for side in (base, head)]
    notes += incomplete if any(incomplete) else [_only(base, head), _only(head, base)]
    return [note for note in notes if note]


def describe_staleness(side: Revision) -> str:
    """Return which stages must run before the results are those of a side; empty where they are."""
    stages = list(side.stale())
    if not stages:
        return ""
    more = f" and {len(stages) - MOST_STAGES} more" if len(stages) > MOST_STAGES else ""
    return (
        f"{side.name}: its results are out of date: {', '.join(stages[:MOST_STAGES])}{more} did not run with its "
        "command, code, parameters and data. Update them: retune run"
    )


def _about_precision(base: Revision, head: Revision) -> str:
    """Where machines of different kinds computed the two sides: rounding alone then changes predictions."""
    taken = [{str(side.evaluation(seed).get("precision")) for seed in side.seeds} for side in (base, head)]
    if taken[0] == taken[1] or not all(found <= PRECISIONS.keys() for found in taken):
        return ""
    before, after = (" and ".join(PRECISIONS[key] for key in sorted(found, reverse=True)) for found in taken)
    return (
        f"{base.name} was predicted in {before}, {head.name} in {after}: that alone changes about one label in a "
        "thousand. Set evaluate.precision to 32 on both sides to rule this out."
    )


def _about_rows(base: Revision, head: Revision, test: PairedRows, options: ComparisonOptions) -> list[str]:
    notes = []
    if not test.same_rows:
        notes.append(
            f"The test rows differ ({test.split_rows[0]:,} in {base.name}, {test.split_rows[1]:,} in {head.name}): "
            f"only the {len(test):,} common rows are compared."
        )
    if test.relabelled:
        notes.append(
            f"{test.relabelled:,} of the compared rows have another label in {head.name}: "
            f"both sides are measured with that label.{_with_former_labels(base, test, options)}"
        )
    if test.head.tokens is None:
        notes.append(
            f"{head.name} was evaluated by an older version, which did not record how many tokens a row has: "
            "there are no slices by length."
        )
    return notes


def _with_former_labels(base: Revision, test: PairedRows, options: ComparisonOptions) -> str:
    """The first headline metric of both sides, measured with the labels that the rows have in base."""
    former = replace(test, labels=test.base.labels)
    measured = {values.name: values for values in COMPARED[test.target.kind].metric_values(former)}
    for name in headline_metrics(options.metric, measured)[:1]:
        values = measured[name]
        before, after = (format_value(float(side.mean()) * values.unit) for side in (values.base, values.head))
        return f" With the labels of {base.name}, {metric_name('test', name)} is {before} -> {after}."
    return ""


def _about_groups(test: PairedRows) -> str:
    if test.identical or test.units is None:
        return ""
    return (
        f"Rows that belong together count as one: the {len(test):,} compared rows are {test.units.max() + 1:,} "
        "independent groups."
    )


def _about_seeds(base: Revision, head: Revision, options: ComparisonOptions) -> str:
    """Where the chance of training runs is known from, if not from both sides."""
    if min(options.seeds) > 1:
        return ""
    advice = "Train at least two seeds per side (seeds in params.yaml)"
    if max(options.seeds) > 1:
        many, few = (base, head) if len(base.seeds) > len(head.seeds) else (head, base)
        return (
            f"{few.name} has one seed: its variation between seeds is estimated from the {len(many.seeds)} seeds of "
            f"{many.name}. {advice} to measure both."
        )
    if options.spread:
        results = "1 earlier result" if options.spread.results == 1 else f"{options.spread.results} earlier results"
        return (
            f"One seed per side: the variation between seeds is estimated from {results} with several seeds on these "
            f"test rows. {advice} to measure it here."
        )
    return (
        "One seed per side: this compares two models, not the two configurations that made them, because another seed "
        f"might give another result. {advice}."
    )


def _about_looks(looks: Looks, rows: int) -> list[str]:
    notes = []
    if looks.earlier:
        again = "1 comparison" if looks.earlier == 1 else f"{looks.earlier:,} comparisons"
        notes.append(
            f"Besides this one, git has {again} on these test rows. Each comparison is another chance to mistake luck "
            f"for progress, so this verdict needs stronger evidence: p <= {looks.level:.2g}. This keeps the share of "
            f"false verdicts (better or worse) at {looks.rate:.0%} or less in the long run."
        )
    as_good = looks.fresh_rows(rows)
    if as_good <= WORN * rows:
        notes.append(
            f"The test set is worn out: after so many comparisons its {rows:,} rows detect no more than {as_good:,} "
            f"fresh ones would. {rows:,} fresh rows would restore its power."
        )
    if not looks.complete:
        notes.append(
            "The clone is shallow, so earlier comparisons on these test rows may be missing from their number. "
            "Run first: git fetch --unshallow"
        )
    return notes


def _about_replaced(side: Revision) -> str:
    """Where files of the workspace are not those of dvc.lock, as after `git checkout` without `dvc checkout`."""
    if not side.replaced:
        return ""
    first, more = next(iter(side.replaced)), len(side.replaced) - 1
    return (
        f"The workspace's {first}{f' and {more} more files are' if more else ' is'} not what its dvc.lock records: "
        f"what dvc.lock records is compared. {how_to_check_out(side.project.store, side.replaced)}"
    )


def _headline_alone(side: Revision) -> str:
    if not side.why_incomplete:
        return ""
    return f"Of {side.name}, the headline metrics alone are known: {side.why_incomplete}"


def _only(side: Revision, other_side: Revision) -> str:
    """Names the metrics that only one side has."""
    names = sorted(set(side.metrics) - set(other_side.metrics))
    more = " and more" if len(names) > MOST_METRICS else ""
    return f"Only {side.name} has {', '.join(names[:MOST_METRICS])}{more}." if names else ""
