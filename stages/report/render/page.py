"""report.html and report.md: templates filled with what the other modules found."""

import base64
import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

TEMPLATES = Path(__file__).parent / "templates"

NAMES = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "macro_f1": "Macro F1",
    "weighted_f1": "Weighted F1",
    "micro_f1": "Micro F1",
    "mcc": "MCC",
    "kappa": "Cohen's kappa",
    "quadratic_kappa": "Quadratic kappa",
    "mean_absolute_error": "Mean absolute error",
    "auroc": "AUROC",
    "average_precision": "Average precision",
    "log_loss": "Log loss",
    "brier": "Brier score",
    "top_3_accuracy": "Top-3 accuracy",
    "ece": "Calibration error (ECE)",
    "calibrated_log_loss": "Log loss, scaled",
    "calibrated_brier": "Brier score, scaled",
    "calibrated_ece": "Calibration error, scaled",
    "precision": "Precision",
    "recall": "Recall",
    "majority": "Majority class",
    "tfidf": "TF-IDF + logistic regression",
}
MEANINGS = {
    "accuracy": "share of rows whose label is predicted right",
    "balanced_accuracy": "mean over the classes of the share predicted right; rare classes count like frequent ones",
    "macro_f1": "mean of the classes' F1; rare classes count like frequent ones",
    "weighted_f1": "mean of the classes' F1, weighted by their rows",
    "micro_f1": "F1 over all rows together; with one label per row it is the accuracy",
    "mcc": "Matthews correlation: 1 is perfect, 0 is no better than chance",
    "kappa": "agreement beyond chance: 1 is perfect, 0 is chance",
    "quadratic_kappa": "agreement beyond chance where far misses count more: 1 is perfect, 0 is chance",
    "mean_absolute_error": "how many classes off a prediction is on average; 0 is perfect",
    "auroc": "chance that a row of the class ranks above one of another class; a half is guessing",
    "average_precision": "area under the precision-recall curve, one class against the rest",
    "log_loss": "how little probability the given label gets; 0 is perfect",
    "brier": "squared error of the probabilities, summed over the classes; 0 is perfect",
    "top_3_accuracy": "share of rows whose label is among the three most probable",
    "ece": "mean gap between confidence and share right, in bins of equal size; 0 is perfect",
    "calibrated_log_loss": "log loss after temperature scaling fitted on val",
    "calibrated_brier": "Brier score after temperature scaling fitted on val",
    "calibrated_ece": "calibration error after temperature scaling fitted on val",
}


def render_html(context: dict[str, Any]) -> str:
    """Return report.html: one file without a single reference outside itself."""
    style, script = _read("report.css"), _read("report.js")
    policy = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        environment()
        .get_template("report.html.j2")
        .render(**context, style=Markup(style), script=Markup(script), script_hash=policy)
    )


def render_markdown(context: dict[str, Any]) -> str:
    """Return report.md, for GitHub."""
    return environment().get_template("report.md.j2").render(**context)


def look_up(metrics: Mapping[str, Any], *keys: str) -> str:
    """Return a number of metrics.json as people read it, with all decimals that its neighbours there have."""
    entry: Any = metrics
    for key in keys[:-1]:
        entry = entry[key]
    value = entry[keys[-1]]
    if value is None:
        return "–"
    if isinstance(value, int):
        return f"{value:,}"
    places = max(2, *(_decimals(other) for other in entry.values()))
    return f"{value:.{places}f}".replace("-", "−")


def data(metrics: Mapping[str, Any], *keys: str) -> Markup:
    """Return `look_up` as an element that says where in metrics.json the number stands."""
    value = look_up(metrics, *keys)
    return Markup('<data value="{}" data-key="{}">{}</data>').format(
        value.replace("−", "-").replace(",", ""), json.dumps(keys, ensure_ascii=False), value
    )


def markdown(text: object) -> str:
    """Return text that Markdown shows as it is, in one line."""
    one_line = " ".join(str(text).split())
    return re.sub(r"([\\`*_{}\[\]<>#|~&$!@])", lambda match: f"&#{ord(match[0])};", one_line)


def compact(value: float) -> str:
    """Return a number of the learning curve: four decimals, or four digits where it is small."""
    if not math.isfinite(value):
        return "–"
    return f"{value:.4f}".rstrip("0").rstrip(".") if abs(value) >= 0.1 or value == 0 else f"{value:.4g}"


def zip_rows(columns: Iterable[Sequence[float]]) -> list[tuple[float, ...]]:
    """Turn columns into rows."""
    return list(zip(*columns, strict=True))


def count(value: int) -> str:
    """Return a whole number with commas between thousands."""
    return f"{value:,}"


def percent(share: float) -> str:
    """Return a share (0 to 1) as a percentage; what is next to none or all is not rounded to it."""
    return f"{100 * share:.{1 if 0.0005 <= share < 0.9995 or share in (0, 1) else 3}f}%"


def environment() -> Environment:
    templates = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(["html.j2"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {"md": markdown, "compact": compact, "zip_rows": zip_rows}
    templates.globals |= {"names": NAMES, "meanings": MEANINGS, "look_up": look_up, "data": data}
    templates.globals |= {"count": count, "percent": percent}
    return templates


def _decimals(value: object) -> int:
    return len(repr(value).partition(".")[2]) if isinstance(value, float) and "e" not in repr(value) else 0


def _read(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")
