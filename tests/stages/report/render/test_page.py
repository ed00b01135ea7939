"""report.html as a document: valid, self-contained, with links that lead somewhere."""

import re
from collections.abc import Callable

import pytest

from stages.paths import Paths
from tests.stages.report.render.documents import elements
from tests.stages.report.reporting import make_report

SHAPES = {2: ("ham", "spam"), 5: tuple("12345"), 150: tuple(f"intent <{number}>" for number in range(150))}


@pytest.fixture(scope="module", params=SHAPES, ids=lambda shape: f"{shape} classes")
def page(request: pytest.FixtureRequest, make_project: Callable[..., Paths]) -> str:
    labels = SHAPES[request.param]
    project = make_project(labels=labels, rows=max(120, 6 * len(labels)), seeds=(4,))
    make_report(project)
    return (project.report / "report.html").read_text()


def test_a_browsers_parser_finds_no_error(page: str) -> None:
    html = pytest.importorskip("tinyhtml5.parser", reason="tinyhtml5, which parses as browsers do, is not installed")
    parser = html.HTMLParser()
    parser.parse(page)
    assert parser.errors == []


def test_every_element_is_closed_and_every_id_is_unique(page: str) -> None:
    ids = [attributes["id"] for _, attributes in elements(page) if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_links_stay_in_the_page_and_lead_somewhere(page: str) -> None:
    tags = elements(page)
    ids = {attributes.get("id") for _, attributes in tags}
    links = [attributes["href"] for tag, attributes in tags if tag == "a"]
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


def test_every_chart_has_a_name_and_every_table_cell_a_heading(page: str) -> None:
    for tag, attributes in elements(page):
        if tag == "svg":
            assert attributes.get("aria-label") or attributes.get("aria-hidden") == "true"
    for table in re.findall(r"<table.*?</table>", page, re.DOTALL):
        heading = re.search(r"<thead>(.*?)</thead>", table, re.DOTALL)
        if heading:
            columns = heading[1].count("<th")
            for row in re.findall(r"<tr.*?</tr>", table.split("</thead>")[1], re.DOTALL):
                assert row.count("<td") + row.count("<th") == columns, row
