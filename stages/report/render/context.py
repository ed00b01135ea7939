"""Everything that the templates show, gathered in one dictionary of plain values."""

from collections.abc import Sequence
from typing import Any

from stages.files import read_json
from stages.metrics.estimates import are_ordered
from stages.paths import Paths
from stages.report import data_summary
from stages.report.charts import figures
from stages.report.mistakes import confident_mistakes, confusion_matrix, confusion_pairs
from stages.report.numbers import is_imbalanced, measured_split
from stages.report.results import SeedResult
from stages.report.rows import read_texts
from stages.report.slices import SMALL
from stages.report.suspects import Suspect

MATRIX_LABELS = 20  # a larger matrix is no longer readable: its confusions are listed instead
CONFUSIONS = 15


def describe(
    params: dict[str, Any],
    paths: Paths,
    *,
    results: Sequence[SeedResult],
    champion: SeedResult,
    metrics: dict[str, Any],
    suspects: Sequence[Suspect],
    labels: list[str],
) -> dict[str, Any]:
    """Gather what report.html, report.md and the model card show.

    Args:
        params: All parameters, as nested plain values.
        paths: Of the project.
        results: One per seed.
        champion: The best of them on val.
        metrics: What metrics.json of this stage holds.
        suspects: Rows whose label looks wrong, most suspicious first.
        labels: Names of the classes.
    """
    split = measured_split(champion)
    imbalanced = is_imbalanced(champion.splits[split])
    metric = params["evaluate"]["metric"]
    lead = "mcc" if imbalanced and metric == "accuracy" else metric
    slices = [(one["value"], column, name) for column, part in metrics["slices"].items() for name, one in part.items()]
    return {
        "title": params["report"]["title"],
        "metric": lead,
        "order": _order(list(metrics["champion"][split]), lead, imbalanced),
        "imbalanced": imbalanced,
        "confidence": f"{round(100 * params['evaluate']['confidence'], 2):g}%",
        "split": split,
        "labels": labels,
        "ordered": are_ordered(labels, params["evaluate"]["ordered"]),
        "seeds": [result.seed for result in results],
        "metrics": metrics,
        "show_text": params["report"]["show_text"],
        "small": SMALL,
        "slice_metric": metric,
        "slices": [(column, name) for _, column, name in sorted(slices)],
        "monitor": params["finetune"]["monitor"],
        "own_head": params["finetune"]["head"]["hidden"] is not None,
        "curves": results,
        **_rows(params, paths, champion, split, suspects, labels),
        **figures.draw(paths, results, champion, metrics, metric=metric, lead=lead, split=split),
        **data_summary.read_data(paths, labels),
        **_making(params, paths, results, champion),
    }


def _order(names: list[str], lead: str, imbalanced: bool) -> list[str]:
    """The headline first; accuracy after what it flatters less where one label has most of the rows."""
    first = [lead, *(["mcc", "macro_f1", "balanced_accuracy"] if imbalanced else ["accuracy", "macro_f1", "mcc"])]
    return list(dict.fromkeys([*first, *names]))


def _rows(
    params: dict[str, Any],
    paths: Paths,
    champion: SeedResult,
    split: str,
    suspects: Sequence[Suspect],
    labels: list[str],
) -> dict[str, Any]:
    rows, options = champion.splits[split], params["report"]
    mistakes = confident_mistakes(rows, labels, limit=options["mistakes"])
    shown = list(suspects)[: options["suspects"]]
    positions = sorted({one.position for one in mistakes} | {one.position for one in shown})
    texts = (
        dict(zip(positions, read_texts(paths, positions), strict=True)) if options["show_text"] and positions else {}
    )
    matrix = confusion_matrix(rows, len(labels))
    return {
        "mistakes": mistakes,
        "suspects": shown,
        "texts": texts,
        "matrix": matrix.tolist() if len(labels) <= MATRIX_LABELS else None,
        "confusions": confusion_pairs(matrix, labels, limit=CONFUSIONS),
    }


def _making(
    params: dict[str, Any], paths: Paths, results: Sequence[SeedResult], champion: SeedResult
) -> dict[str, Any]:
    weights = paths.finetuned(champion.seed) / "model.safetensors"
    return {
        "encoder": read_json(paths.encoder / "source.json"),
        "finetune_stats": data_summary.flatten(champion.stats),
        "weights_mb": round(weights.stat().st_size / 1e6, 1) if weights.is_file() else 0.0,
        "params": data_summary.flatten(params),
        "timing": data_summary.read_timing(paths, [result.seed for result in results]),
        "versions": data_summary.read_versions(paths.root / "constraints.txt"),
    }
