"""report.html as a document: valid, self-contained, linked within; and its small parts."""

import re
from collections.abc import Callable
from html.parser import HTMLParser

import pytest

from stages.evaluate.__main__ import main as evaluate
from stages.params import read_params
from stages.paths import Paths
from stages.report.__main__ import main
from stages.report.render.page import look_up, markdown, percent

SHAPES = {2: ("ham", "spam"), 5: tuple("12345"), 150: tuple(f"intent <{number}>" for number in range(150))}


@pytest.fixture(scope="module", params=SHAPES, ids=lambda shape: f"{shape} classes")
def page(request: pytest.FixtureRequest, make_project: Callable[..., Paths]) -> str:
    labels = SHAPES[request.param]
    project = make_project(labels=labels, rows=max(120, 6 * len(labels)), seeds=(4,))
    params = read_params(project.params)
    evaluate(params, project, 4)
    main(params, project)
    return (project.report / "report.html").read_text()


class Elements(HTMLParser):
    """All start tags with their attributes, and a check that every element is closed in order."""

    VOID = frozenset({"meta", "br", "link", "input", "img", "hr"})

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(attrs) == len(dict(attrs)), f"<{tag}> has an attribute twice"
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes nothing"


def elements(page: str) -> list[tuple[str, dict[str, str | None]]]:
    parser = Elements()
    parser.feed(page)
    assert parser.open == []
    return parser.found


def test_a_browsers_parser_has_nothing_to_mend(page: str) -> None:
    html = pytest.importorskip("tinyhtml5.parser", reason="tinyhtml5, which parses as browsers do, is not installed")
    parser = html.HTMLParser()
    parser.parse(page)
    assert parser.errors == []


def test_every_element_is_closed_and_every_id_is_one_elements(page: str) -> None:
    ids = [attributes["id"] for _, attributes in elements(page) if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_links_stay_in_the_page_and_lead_somewhere(page: str) -> None:
    found = elements(page)
    ids = {attributes.get("id") for _, attributes in found}
    links = [attributes["href"] for tag, attributes in found if tag == "a"]
    assert len(links) >= 10
    for link in links:
        assert link is not None
        assert link.startswith("#")
        assert link[1:] in ids


def test_nothing_refers_to_another_file(page: str) -> None:
    for tag, attributes in elements(page):
        assert tag not in ("link", "img", "iframe", "object", "embed", "base")
        assert not {"src", "srcset", "action", "background", "poster", "data"} & attributes.keys(), tag
        assert not any(name.startswith("on") for name in attributes), tag
    assert not re.search(r"url\(|@import|https?://", re.search(r"<style>(.*?)</style>", page, re.DOTALL)[1])  # type: ignore[index]


def test_every_plot_has_a_name_and_every_table_cell_stands_under_a_heading(page: str) -> None:
    for tag, attributes in elements(page):
        if tag == "svg":
            assert attributes.get("aria-label") or attributes.get("aria-hidden") == "true"
    for table in re.findall(r"<table.*?</table>", page, re.DOTALL):
        heading = re.search(r"<thead>(.*?)</thead>", table, re.DOTALL)
        if heading:
            columns = heading[1].count("<th")
            for row in re.findall(r"<tr.*?</tr>", table.split("</thead>")[1], re.DOTALL):
                assert row.count("<td") + row.count("<th") == columns, row


def test_markdown_is_shown_as_it_is_written() -> None:
    assert markdown("a|b <i> *c* _d_ `e`\n# f") == ("a&#124;b &#60;i&#62; &#42;c&#42; &#95;d&#95; &#96;e&#96; &#35; f")


@pytest.mark.parametrize(
    ("share", "shown"),
    [(0, "0.0%"), (1, "100.0%"), (0.0625, "6.2%"), (0.00004, "0.004%"), (0.99996, "99.996%")],
)
def test_next_to_none_is_not_none(share: float, shown: str) -> None:
    assert percent(share) == shown


@pytest.mark.parametrize(
    ("keys", "shown"),
    [(("a", "value"), "0.70"), (("a", "low"), "−0.05"), (("a", "sd"), "–"), (("rows",), "12,345")],
)
def test_a_number_is_shown_with_the_decimals_of_its_neighbours(keys: tuple[str, ...], shown: str) -> None:
    metrics = {"a": {"value": 0.7, "low": -0.05, "sd": None}, "rows": 12345}
    assert look_up(metrics, *keys) == shown
