"""Everything that the templates show, gathered in one dictionary of plain values."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from stages.files import read_json
from stages.paths import Paths
from stages.report import account, plots
from stages.report.mistakes import confident_mistakes, confusion_matrix, confusion_pairs
from stages.report.results import SeedResult
from stages.report.summary import decimals

MATRIX_LABELS = 20  # a larger matrix is no longer readable: its confusions are listed instead


def describe(
    params: dict[str, Any],
    paths: Paths,
    *,
    results: Sequence[SeedResult],
    champion: SeedResult,
    summary: dict[str, Any],
    labels: list[str],
) -> dict[str, Any]:
    """Gather what report.html, report.md and the model card show.

    Args:
        params: All parameters, as nested plain values.
        paths: Of the project.
        results: One per seed.
        champion: The best of them on val.
        summary: What metrics.json of this stage holds.
        labels: Names of the classes.
    """
    split = "test" if len(champion.splits["test"]) else "val"
    metrics = {name: round_entries(champion.metrics[name]) for name in ("val", "test")}
    return {
        "title": params["report"]["title"],
        "metric": params["evaluate"]["metric"],
        "confidence": f"{round(100 * params['evaluate']['confidence'], 2):g}%",
        "split": split,
        "labels": labels,
        "seeds": [result.seed for result in results],
        "champion": champion.seed,
        "summary": summary,
        "metrics": metrics,
        "headline": metrics[split][params["evaluate"]["metric"]],
        "show_text": params["report"]["show_text"],
        **_mistakes(params, paths, champion, split, labels),
        **_plots(paths, results, params["evaluate"]["metric"]),
        **_account(params, paths, results, champion, labels),
    }


def round_entries(metrics: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Round each metric with an interval to what the interval supports."""
    return {
        name: {key: round(number, decimals(entry["low"], entry["high"])) for key, number in entry.items()}
        for name, entry in metrics.items()
        if "low" in entry and name != "per_class"
    }


def _mistakes(
    params: dict[str, Any], paths: Paths, champion: SeedResult, split: str, labels: list[str]
) -> dict[str, Any]:
    rows = champion.splits[split]
    found = confident_mistakes(rows, labels, limit=params["report"]["mistakes"])
    shows = params["report"]["show_text"] and found
    texts = account.read_texts(paths, [mistake.position for mistake in found]) if shows else [""] * len(found)
    matrix = confusion_matrix(rows, len(labels))
    return {
        "mistakes": list(zip(found, texts, strict=True)),
        "wrong": int((rows.preds != rows.labels).sum()),
        "measured_rows": len(rows),
        "matrix": matrix.tolist() if len(labels) <= MATRIX_LABELS else None,
        "confusions": confusion_pairs(matrix, labels, limit=15),
        "per_class": champion.metrics[split]["per_class"],
    }


def _plots(paths: Paths, results: Sequence[SeedResult], metric: str) -> dict[str, Any]:
    epochs = max((result.curve["epoch"] for result in results), key=len)
    loss = {f"{kind}, seed {one.seed}": one.curve[f"{kind}_loss"] for one in results for kind in ("train", "val")}
    score = {f"seed {one.seed}": one.curve[f"val_{metric}"] for one in results}
    lengths = account.read_lengths(paths.lengths)
    return {
        "loss_plot": plots.lines(loss, epochs, x_label="epoch", y_label="loss"),
        "score_plot": plots.lines(score, epochs, x_label="epoch", y_label=f"{metric} on val"),
        "lengths_plot": plots.histogram(lengths, x_label="tokens", y_label="rows"),
        "curves": results,
    }


def _account(
    params: dict[str, Any], paths: Paths, results: Sequence[SeedResult], champion: SeedResult, labels: list[str]
) -> dict[str, Any]:
    counts = account.split_counts(paths)
    dataset = read_json(paths.dataset / "stats.json")
    weights = paths.finetuned(champion.seed) / "model.safetensors"
    return {
        "dataset": dataset,
        "duplicates": account.flatten({"duplicates": dataset.get("duplicates", {})}),
        "monitor": params["finetune"]["monitor"],
        "sources": read_json(paths.dataset / "source.json")["files"],
        "encoder": read_json(paths.encoder / "source.json"),
        "token_stats": account.flatten(read_json(paths.token_stats)),
        "split_counts": [(label, [counts[name][label] for name in counts]) for label in labels],
        "split_rows": [Counter(counts[name]).total() for name in counts],
        "finetune_stats": account.flatten(champion.stats),
        "weights_mb": round(weights.stat().st_size / 1e6, 1) if weights.is_file() else 0.0,
        "params": account.flatten(params),
        "timing": account.read_timing(paths, [result.seed for result in results]),
    }
