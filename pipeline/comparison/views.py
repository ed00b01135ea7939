"""A comparison, or a history, in the form that was asked for: for a terminal, a comment or a program."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.console import RenderableType

from pipeline.comparison import history, markdown, terminal

if TYPE_CHECKING:
    from pipeline.comparison.compare import Comparison


def view_comparison(found: "Comparison", *, as_markdown: bool, as_json: bool) -> RenderableType:
    """Return text (JSON or Markdown), or what rich draws."""
    if as_json:
        return _dump(found.as_json())
    return markdown.render(found) if as_markdown else terminal.render(found)


def view_history(
    points: Sequence[history.Point], names: Sequence[str], *, as_markdown: bool, as_json: bool
) -> RenderableType:
    """Return text (JSON or Markdown), or what rich draws."""
    if as_json:
        return _dump(history.as_json(points))
    return history.render_markdown(points, names) if as_markdown else history.render(points, names)


def _dump(values: Any) -> str:
    return json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False)
