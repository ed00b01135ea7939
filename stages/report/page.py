"""report.html and report.md: templates filled with what the other modules found."""

import base64
import hashlib
import math
import re
from collections.abc import Iterable, Sequence
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
    "mcc": "MCC",
    "log_loss": "Log loss",
}
MEANINGS = {
    "accuracy": "share of rows whose label is predicted right",
    "balanced_accuracy": "mean over the classes of the share predicted right; rare classes count like frequent ones",
    "macro_f1": "mean of the classes' F1; rare classes count like frequent ones",
    "weighted_f1": "mean of the classes' F1, weighted by their rows",
    "mcc": "Matthews correlation: 1 is perfect, 0 is no better than chance",
    "log_loss": "how much probability the given label gets; lower is better, 0 is perfect",
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


def number(value: float | None, entry: dict[str, Any] | None = None) -> str:
    """Return a metric as people read it, with all decimals that its entry of metrics.json holds."""
    if value is None:
        return "–"
    places = max((_decimals(other) for other in (entry or {"": value}).values()), default=0)
    return f"{value:.{places}f}".replace("-", "−")


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


def environment() -> Environment:
    templates = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(["html.j2"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {"number": number, "md": markdown, "compact": compact, "zip_rows": zip_rows}
    templates.globals |= {"names": NAMES, "meanings": MEANINGS}
    return templates


def _decimals(value: object) -> int:
    return len(repr(value).partition(".")[2]) if isinstance(value, float) and "e" not in repr(value) else 0


def _read(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")
