"""Markdown in which nothing from the data set can act: no link, no mention, no tag."""

from collections.abc import Iterable, Sequence
from typing import Any

from stages.shown import shorten, visible

NAME = 60  # characters of a name that are shown
ACTIVE = "&<>|`*_[]~\\#@!$"  # characters that can begin or end markup, a mention, a formula
LINKING = ".:"  # characters without which nothing becomes an address or an emoji


def escape(sentence: str, *, limit: int = 400) -> str:
    """Return a sentence of ours as Markdown, in which what it quotes can't become markup."""
    return visible(shorten(sentence, limit)).translate(_references(ACTIVE))


def code(text: Any, *, limit: int = NAME) -> str:
    """Return any text as code that shows it and does nothing else.

    Each character that Markdown or HTML could act on becomes a character reference, which can't begin a link, a table
    cell or a tag; in code GitHub looks for no mentions and no issue numbers. Characters that are invisible or change
    the direction of writing are shown as �.
    """
    return f"<code>{visible(shorten(str(text), limit)).translate(_references(ACTIVE + LINKING))}</code>"


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, right: Iterable[int] = ()) -> str:
    """Return a table of cells that are Markdown already; the columns `right` are right-aligned."""
    right_columns = set(right)
    rule = ["---:" if column in right_columns else "---" for column in range(len(headings))]
    return "\n".join("| " + " | ".join(row) + " |" for row in [headings, rule, *rows])


def fold(title: str, body: str) -> str:
    """Return a part that is closed until a reader opens it; nothing without a body."""
    return f"<details><summary>{title}</summary>\n\n{body}\n\n</details>" if body else ""


def _references(characters: str) -> dict[int, str]:
    return {ord(character): f"&#{ord(character)};" for character in characters}
