"""Compares the champions: how sure they are, the time and memory to make them, and their size."""

from collections.abc import Iterable, Mapping

from pipeline.comparison.paired_rows import PairedRows
from pipeline.comparison.result import Cost
from pipeline.comparison.revision import Revision
from pipeline.comparison.revision_files import FILES
from pipeline.comparison.targets import COMPARED
from stages.metrics.names import SPLITS, metric_name
from stages.metrics.summary import MetricSummary, read_number


def compare_calibration(test: PairedRows, base: Revision, head: Revision) -> dict[str, tuple[float, float]]:
    """Return measures of how sure the champions are, on the common rows of test: base's and head's; lower is better."""
    champions = base.champion, head.champion
    evaluations = base.evaluation(base.champion), head.evaluation(head.champion)
    return COMPARED[test.target.kind].calibration(test, champions, evaluations)


def compare_champions(base: Revision, head: Revision, names: Iterable[str]) -> dict[str, tuple[float, float]]:
    """Return these metrics of the two models that ship, as each was evaluated; empty where one of them is unknown."""
    if not (base.evaluation(base.champion) and head.evaluation(head.champion)):
        return {}
    before, after = (champion_metrics(side)[0] for side in (base, head))
    return {name: (before[name].mean, after[name].mean) for name in names if name in before and name in after}


def champion_metrics(side: Revision) -> tuple[dict[str, MetricSummary], str]:
    """Return the metrics of the model that ships by full name, not rounded, and what they are metrics of."""
    measured = side.evaluation(side.champion)
    metrics = {
        metric_name(split, name): MetricSummary(value, low=read_number(entry, "low"), high=read_number(entry, "high"))
        for split in SPLITS
        for name, entry in (measured.get(split) or {}).items()
        if isinstance(entry, Mapping) and (value := read_number(entry, "value")) is not None
    }
    if metrics:
        return metrics, f"the champion (seed {side.champion})"
    return side.metrics, "the mean over the seeds"  # results of which only the report is there


def read_costs(base: Revision, head: Revision) -> list[Cost]:
    """Return the time and the memory of each stage that one of the two sides has a record of."""
    costs = []
    for stage in dict.fromkeys([*head.lock, *base.lock]):
        before, after = base.timing(stage), head.timing(stage)
        if before or after:
            seconds, memory = (
                (read_number(before, key), read_number(after, key)) for key in ("seconds", "peak_memory_mb")
            )
            costs.append(Cost(stage, seconds, memory))
    return costs


def model_size(side: Revision) -> int | None:
    """Return the size of the champion's folder in bytes."""
    return side.size(FILES.finetuned(side.champion).as_posix())
