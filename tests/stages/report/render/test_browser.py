"""report.html in a real browser: it sorts, its links lead, its scripts are its own, and it fits a phone."""

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from stages.paths import Paths
from tests.stages.report.reporting import make_report

pytestmark = pytest.mark.slow
DESKTOP, PHONE = (1280, 1000), (390, 844)


@pytest.fixture(scope="module")
def report(make_project: Callable[..., Paths]) -> Path:
    """A report whose every text tries to run a script."""
    project = make_project(labels=("ham", "spam"), rows=150, seeds=(1, 2))
    rows = pq.read_table(project.rows).to_pandas()
    rows["text"] = (
        '<script>document.title = "stolen"</script><img src=x onerror="document.title=1"> ' + rows["text"] * 9
    )
    pq.write_table(pa.Table.from_pandas(rows, preserve_index=False), project.rows)
    return make_report(project).report / "report.html"


@pytest.fixture
def page(browser: webdriver.Chrome, report: Path) -> webdriver.Chrome:
    browser.set_window_size(*DESKTOP)
    browser.get(report.as_uri())
    return browser


def _column(page: webdriver.Chrome, table: str, number: int) -> list[str]:
    return page.execute_script(  # type: ignore[no-any-return]
        "const rows = [...document.querySelectorAll(arguments[0] + ' tbody tr')];"
        "return rows.map(row => row.cells[arguments[1]].textContent)",
        table,
        number,
    )


def test_a_click_on_a_heading_sorts_by_number_and_again_backwards(page: webdriver.Chrome) -> None:
    table = "#mistakes table"
    heading = page.find_elements(By.CSS_SELECTOR, f"{table} thead th")[3]
    page.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", heading)
    before = _column(page, table, 3)
    heading.find_element(By.TAG_NAME, "button").click()
    assert heading.get_attribute("aria-sort") == "ascending"
    rising = _column(page, table, 3)
    assert [float(cell) for cell in rising] == sorted(float(cell) for cell in before)
    assert rising != before
    heading.find_element(By.TAG_NAME, "button").click()
    assert heading.get_attribute("aria-sort") == "descending"
    assert _column(page, table, 3) == rising[::-1] or len(set(rising)) < len(rising)


def test_links_of_the_page_lead_to_their_section(page: webdriver.Chrome) -> None:
    links = page.find_elements(By.CSS_SELECTOR, "nav a")
    assert len(links) >= 10
    page.execute_script("document.documentElement.style.scrollBehavior = 'auto'")
    for link in links:
        target = link.get_attribute("href").split("#")[1]
        link.click()
        top = page.execute_script("return document.getElementById(arguments[0]).getBoundingClientRect().top", target)
        bottom = page.execute_script("return innerHeight + scrollY >= document.documentElement.scrollHeight - 2")
        assert 0 <= top < 120 or bottom, target


def test_texts_are_shown_and_not_run(page: webdriver.Chrome) -> None:
    assert page.title == "App reviews, one to five stars"
    assert '<script>document.title = "stolen"</script>' in page.find_element(By.CSS_SELECTOR, "#mistakes td.text").text
    assert page.find_elements(By.TAG_NAME, "img") == []


def test_no_request_leaves_the_file_and_the_console_is_quiet(page: webdriver.Chrome, report: Path) -> None:
    events = [json.loads(entry["message"])["message"] for entry in page.get_log("performance")]
    urls = {event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"}
    assert report.as_uri() in {url.split("#")[0] for url in urls}
    assert {url.split("#")[0].rpartition("/data/")[2] for url in urls} == {"report/report.html"}  # of all tests so far
    assert page.get_log("browser") == []


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_the_screen(page: webdriver.Chrome, size: tuple[int, int], scheme: str, tmp_path: Path) -> None:
    page.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    )
    metrics = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size == PHONE}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        assert page.execute_script("return document.documentElement.scrollWidth") <= size[0]
        picture = tmp_path / "report.png"
        assert page.save_screenshot(str(picture))
        assert picture.stat().st_size > 10_000
        ink, paper = page.execute_script(
            "const style = getComputedStyle(document.body);"
            "return [style.color, style.backgroundColor].map(color => color.match(/\\d+/g).map(Number))"
        )
        assert (sum(ink) < sum(paper)) == (scheme == "light")
        small = page.execute_script(
            "const plots = [...document.querySelectorAll('figure > svg[role=img]')];"
            "return plots.map(plot => 12 * plot.clientWidth / plot.viewBox.baseVal.width)"
        )
        assert min(small) >= 9  # pixels of the plots' text
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.fixture(scope="module", params=[2, 3, 5, 20, 150], ids=lambda number: f"{number} classes")
def wide_report(request: pytest.FixtureRequest, make_project: Callable[..., Paths]) -> Path:
    """A report with many seeds, with many classes of long names, or with names that have no blank to break at."""
    number, seeds = request.param, (1, 2, 3, 4, 5) if request.param == 5 else (1,)
    labels = tuple(f"class of cards {index}" for index in range(number))
    if number == 3:
        labels = ("x" * 300, "customer_satisfaction_" * 14, "ok")
    return make_report(make_project(labels=labels, rows=max(150, 9 * number), seeds=seeds)).report / "report.html"


@pytest.mark.parametrize("width", [390, 800, 1280])
def test_a_menu_that_is_wider_than_the_page_wraps_or_fades_out(page: webdriver.Chrome, width: int) -> None:
    metrics = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width == PHONE[0]}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        page.execute_script(
            "document.querySelector('nav li')"
            ".insertAdjacentHTML('afterend', '<li><a>One more section</a></li>'.repeat(3))"
        )
        cut, mask = page.execute_script(
            "const menu = document.querySelector('nav ul');"
            "return [menu.scrollWidth > menu.clientWidth, getComputedStyle(menu).maskImage]"
        )
        assert cut == (mask != "none") == (width == PHONE[0])
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.parametrize("width", [390, 1280, 1920])
def test_no_table_has_columns_that_a_reader_can_miss(browser: webdriver.Chrome, wide_report: Path, width: int) -> None:
    metrics = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width == PHONE[0]}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        browser.get(wide_report.as_uri())
        folded = browser.execute_script("return document.documentElement.scrollHeight")
        assert width != PHONE[0] or folded < 10_000
        browser.execute_script("document.querySelectorAll('details').forEach(part => part.open = true); fit()")
        cut = browser.execute_script(
            "return [...document.querySelectorAll('.scroll')].filter(box => box.scrollWidth > box.clientWidth + 1)"
            ".map(box => box.textContent.trim().slice(0, 40))"
        )
        assert cut == []
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
        split_words = browser.execute_script(
            "const word = document.createRange();"
            "const lines = node => (word.selectNodeContents(node), word.getClientRects().length);"
            "const body = 'table:not(.matrix) tbody :is(th, td)', head = 'table:not(.matrix, .stack) thead th';"
            "return [...document.querySelectorAll(`${body}, ${head}`)].filter(cell => cell.childNodes.length == 1"
            " && /^[^ -]{1,12}$/.test(cell.textContent) && lines(cell.firstChild) > 1).map(cell => cell.textContent)"
        )
        assert split_words == []
        shown = browser.execute_script(
            "return [...document.querySelectorAll('table.matrix thead th:not(.axis)')]"
            ".filter(cell => cell.getBoundingClientRect().right <= innerWidth).length"
        )
        assert shown == browser.execute_script("return document.querySelectorAll('table.matrix tbody tr').length")
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_a_link_opens_the_folded_section_that_it_leads_to(browser: webdriver.Chrome, report: Path) -> None:
    metrics = {"width": PHONE[0], "height": PHONE[1], "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        browser.get(report.as_uri())
        closed = "return !document.querySelector('#calibration > details').open"
        assert browser.execute_script(closed)
        browser.execute_script("document.querySelector('nav a[href=\"#calibration\"]').click()")
        WebDriverWait(browser, 5).until(lambda driver: not driver.execute_script(closed))
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_it_prints_unfolded(page: webdriver.Chrome) -> None:
    assert page.execute_script("return document.querySelectorAll('details:not([open])').length") > 0
    page.execute_script("dispatchEvent(new Event('beforeprint'))")
    assert page.execute_script("return document.querySelectorAll('details:not([open])').length") == 0
