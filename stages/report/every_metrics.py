"""The keys that metrics.json has whatever the kind of target."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from stages.metrics.bootstrap import Bootstrap, Estimate
from stages.metrics.summary import MetricSummary
from stages.report.baselines import BaselineScore
from stages.report.folds import FoldScore
from stages.report.seeds import AllSeeds, only_answer
from stages.report.summary import Seeds, summarise_seeds


@dataclass(frozen=True)
class Findings:
    """What the report finds beside the metrics of the seeds.

    Args:
        baselines: By baseline and metric.
        slices: The scores of each slice, by column and value.
        suspects: Rows whose label is probably wrong.
        notes: What is unusual about the splits, a sentence each.
        search: How they were searched for, where that is by confident learning: see `EveryMetrics`.
        crossfit: The models of the folds on all rows; None: there are no folds.
    """

    baselines: Mapping[str, Mapping[str, BaselineScore]]
    slices: Mapping[str, Mapping[str, Any]]
    suspects: Sequence[Any]
    notes: Sequence[str]
    search: Mapping[str, int] = field(default_factory=dict)
    crossfit: FoldScore | None = None


@dataclass(frozen=True, kw_only=True)
class EveryMetrics:
    """The keys of metrics.json, in this order; those of one kind of target alone come after them.

    Args:
        metric: That leads, and chose the champion on val (`evaluate.metric`).
        seeds: That the means are of.
        champion: The model that the report is about, which ships.
        notes: What is unusual about the splits, a sentence each.
        collapsed: By seed, what its model predicts for every row of val and test, whose labels differ; a seed whose
            model's answers differ is not there.
        val: Every metric over all seeds.
        test: Every metric over all seeds.
        seeds_share_of_variance: By metric on test (0 to 1); empty with one seed.
        baselines: By baseline and metric.
        slices: By column and value.
        suspects: `rows` of val and test, or with folds all rows, and how many suspicious labels were `found` there.
            Of classes also the rows of which the models are `confident`, and those of them that have another label
            (`contradicted`); of sets the labels for which the models are too weak (`too_weak`).
        crossfit: The models of the folds on all rows; None, and no key, without folds.
    """

    metric: str
    seeds: list[int]
    champion: Any
    notes: list[str]
    collapsed: dict[str, str]
    val: dict[str, MetricSummary]
    test: dict[str, MetricSummary]
    seeds_share_of_variance: dict[str, float]
    baselines: Mapping[str, Mapping[str, BaselineScore]]
    slices: Mapping[str, Mapping[str, Any]]
    suspects: dict[str, int]
    crossfit: FoldScore | None

    def as_json(self) -> dict[str, Any]:
        """Return the content of metrics.json."""
        content = asdict(self)
        return content if self.crossfit else {key: value for key, value in content.items() if key != "crossfit"}


def compute_shared(
    results: Seeds,
    bootstrap: Bootstrap,
    findings: Findings,
    measure_seeds: Callable[[Seeds, str, Bootstrap], Mapping[str, Estimate]],
) -> dict[str, Any]:
    """Return the fields of `EveryMetrics`, but for the champion and the collapsed seeds.

    Args:
        results: Of all seeds.
        bootstrap: Of the intervals.
        findings: What else the report says.
        measure_seeds: Returns every metric of a split, the mean over the seeds.
    """
    val, _ = summarise_seeds(results, "val", bootstrap, measure_seeds)
    test, shares = summarise_seeds(results, "test", bootstrap, measure_seeds)
    judged = sum(map(len, results.champion.predictions.values()))
    return {
        "metric": results.metric,
        "seeds": [result.seed for result in results.seeds],
        "notes": list(findings.notes),
        "val": val,
        "test": test,
        "seeds_share_of_variance": shares,
        "baselines": findings.baselines,
        "slices": findings.slices,
        "suspects": {
            "rows": findings.crossfit.rows if findings.crossfit else judged,
            "found": len(findings.suspects),
            **findings.search,
        },
        "crossfit": findings.crossfit,
    }


def collapsed_seeds(results: AllSeeds[Any], describe: Callable[[Any], str]) -> dict[str, str]:
    """Return `collapsed` of labels: the only answer of each seed that has one, as `describe` says it."""
    return {
        str(result.seed): describe(answer) for result in results.seeds if (answer := only_answer(result)) is not None
    }


def stuck_seeds(results: AllSeeds[Any]) -> dict[str, str]:
    """Return by seed the sentence on a loss that did not get below that of a constant answer."""
    return {str(result.seed): result.stuck for result in results.seeds if result.stuck}
