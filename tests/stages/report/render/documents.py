"""Reading report.html: its elements and tables."""

import html
import re
from html.parser import HTMLParser


class Elements(HTMLParser):
    """Collects the start tags with their attributes, and checks that the elements are closed in order."""

    VOID = frozenset({"meta", "br", "link", "input", "img", "hr"})

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(attrs) == len(dict(attrs)), f"<{tag}> has an attribute twice"
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes nothing"


def elements(page: str) -> list[tuple[str, dict[str, str | None]]]:
    """Return every tag of a page with its attributes; every element must be closed."""
    parser = Elements()
    parser.feed(page)
    assert parser.open == []
    return parser.tags


def tables(page: str, caption: str) -> list[list[str]]:
    """Return the cells of the table with this caption, row by row, headings included."""
    table = re.search(rf"<table[^>]*>\s*<caption>{caption}.*?</table>", page, re.DOTALL)
    assert table, caption
    return cells(table[0])


def cells(table: str) -> list[list[str]]:
    """Return the text of a table's cells, row by row."""
    rows = re.findall(r"<tr.*?</tr>", table, re.DOTALL)
    return [
        [html.unescape(re.sub(r"<[^>]*>", "", cell)).strip() for cell in re.findall(r"<t[hd].*?</t[hd]>", row)]
        for row in rows
    ]
