"""The review page in a real browser: keys decide, texts stay texts, two tabs lose nothing, and it fits a phone."""

import errno
import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import uvicorn
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from pipeline.review.app import make_app
from pipeline.review.rows import read_suspects
from tests.pipeline.review import reviewing

pytestmark = pytest.mark.slow
DESKTOP, PHONE = (1280, 1000), (390, 844)
TOKEN = "a-token"


class Served(NamedTuple):
    """A project, the address of its review page, and what ends its server."""

    root: Path
    address: str
    end: Callable[[], None]


@pytest.fixture
def serve() -> Iterator[Callable[..., Served]]:
    served: list[Served] = []

    def start(root: Path, port: int = 0) -> Served:
        data, decisions = reviewing.opened(root)
        app = make_app(data, read_suspects(data), decisions, token=TOKEN)
        listener = socket.create_server(("127.0.0.1", port))
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()

        def end() -> None:
            server.should_exit = True
            thread.join(10)
            listener.close()

        served.append(Served(root, f"http://127.0.0.1:{listener.getsockname()[1]}/#{TOKEN}", end))
        return served[-1]

    yield start
    for each in served:
        each.end()


@pytest.fixture
def stars(tmp_path: Path, serve: Callable[[Path], Served]) -> Served:
    root = reviewing.create(tmp_path / "project")
    reviewing.suspects_of_classes(root)
    return serve(root)


def open_page(browser: webdriver.Chrome, served: Served) -> webdriver.Chrome:
    browser.set_window_size(*DESKTOP)
    browser.get("about:blank")  # else only the part behind # changes, and the page stays
    browser.get(served.address)
    wait(browser, lambda: shown(browser, "progress"))
    return browser


def wait(browser: webdriver.Chrome, condition: Callable[[], object]) -> None:
    WebDriverWait(browser, 20).until(lambda _: condition())


def shown(browser: webdriver.Chrome, element: str) -> str:
    return str(browser.find_element(By.ID, element).text)


def press(browser: webdriver.Chrome, *keys: str) -> None:
    for key in keys:
        browser.find_element(By.TAG_NAME, "body").send_keys(key)


def test_keys_decide_and_each_decision_is_in_the_file_at_once(browser: webdriver.Chrome, stars: Served) -> None:
    open_page(browser, stars)
    assert (shown(browser, "id"), shown(browser, "text")) == ("r2", "never works")
    press(browser, "1")
    wait(browser, lambda: shown(browser, "id") == "r0")
    assert reviewing.decided(stars.root) == {"r2": ("relabel", "1")}
    press(browser, "5")  # its own label
    wait(browser, lambda: shown(browser, "id") == "r3")
    press(browser, "x")
    wait(browser, lambda: shown(browser, "progress") == "3 of 3 decided")
    assert reviewing.decided(stars.root) == {"r2": ("relabel", "1"), "r0": ("keep", ""), "r3": ("set_aside", "")}
    assert "All rows are decided" in shown(browser, "done")


def test_skip_unclear_and_undo(browser: webdriver.Chrome, stars: Served) -> None:
    open_page(browser, stars)
    press(browser, "s")
    wait(browser, lambda: shown(browser, "id") == "r0")
    press(browser, "u")
    wait(browser, lambda: shown(browser, "id") == "r3")
    assert reviewing.decided(stars.root) == {"r0": ("unclear", "")}
    press(browser, "z")
    wait(browser, lambda: shown(browser, "id") == "r0")
    assert reviewing.decided(stars.root) == {}
    press(browser, "z")
    wait(browser, lambda: shown(browser, "message") == "Nothing to undo on this page.")


def press_at_once(browser: webdriver.Chrome, keys: str) -> None:
    """Press keys before the page has worked off the first of them."""
    script = "for (const key of arguments[0]) document.dispatchEvent(new KeyboardEvent('keydown', {key}))"
    browser.execute_script(script, keys)


def full_disk(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("how", ["the server has ended", "the disk is full"])
def test_what_was_not_saved_is_not_lost(
    browser: webdriver.Chrome, stars: Served, how: str, serve: Callable[..., Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Undo forgot the decision before the server had answered, so the next one undid an earlier one."""
    press(open_page(browser, stars), "1")
    wait(browser, lambda: shown(browser, "id") == "r0")
    press(browser, "2")
    wait(browser, lambda: shown(browser, "id") == "r3")
    press(browser, "n")
    browser.switch_to.active_element.send_keys("a note", Keys.ESCAPE)
    with monkeypatch.context() as patch:
        if how == "the disk is full":
            patch.setattr("pipeline.review.decisions.write_corrections", full_disk)
        else:
            stars.end()
        for key in "z4":
            press(browser, key)
            wait(browser, lambda: browser.find_element(By.CSS_SELECTOR, "#message.wrong").text)
            assert reviewing.decided(stars.root) == {"r2": ("relabel", "1"), "r0": ("relabel", "2")}
            assert (shown(browser, "id"), shown(browser, "progress")) == ("r3", "2 of 3 decided")
            assert browser.find_element(By.ID, "note").get_attribute("value") == "a note"
    if how == "the server has ended":
        serve(stars.root, int(stars.address.partition("/#")[0].rpartition(":")[2]))
    press(browser, "z")
    wait(browser, lambda: shown(browser, "message") == "Undone: r0")
    assert reviewing.decided(stars.root) == {"r2": ("relabel", "1")}
    press(browser, "z")
    wait(browser, lambda: shown(browser, "message") == "Undone: r2")
    assert reviewing.decided(stars.root) == {}


def test_undo_of_a_decision_that_has_changed_shows_the_row_first(browser: webdriver.Chrome, stars: Served) -> None:
    press(open_page(browser, stars), "1")
    wait(browser, lambda: shown(browser, "id") == "r0")
    press(browser, "2")
    wait(browser, lambda: shown(browser, "id") == "r3")
    data, decisions = reviewing.opened(stars.root)
    decisions.decide(data.row("r0"), "unclear", seen=("relabel", "2"))
    press_at_once(browser, "zz")
    wait(browser, lambda: "has changed meanwhile" in shown(browser, "message"))
    assert (shown(browser, "id"), shown(browser, "decided")) == ("r0", "unclear")
    press(browser, "n")  # after whatever is left of the keys
    wait(browser, lambda: browser.switch_to.active_element.get_attribute("id") == "note")
    assert reviewing.decided(stars.root) == {"r2": ("relabel", "1"), "r0": ("unclear", "")}
    browser.switch_to.active_element.send_keys(Keys.ESCAPE)
    press(browser, "z")
    wait(browser, lambda: shown(browser, "message") == "Undone: r0")
    assert reviewing.decided(stars.root) == {"r2": ("relabel", "1")}


def test_keys_that_were_pressed_before_a_refusal_decide_about_no_other_row(
    browser: webdriver.Chrome, stars: Served
) -> None:
    open_page(browser, stars)
    data, decisions = reviewing.opened(stars.root)
    decisions.decide(data.row("r2"), "unclear", seen=None)
    press_at_once(browser, "12")  # the second is meant for r0
    wait(browser, lambda: "has changed meanwhile" in shown(browser, "message"))
    press(browser, "n")
    wait(browser, lambda: browser.switch_to.active_element.get_attribute("id") == "note")
    assert reviewing.decided(stars.root) == {"r2": ("unclear", "")}


def test_keys_pressed_faster_than_decisions_are_written_are_not_lost(browser: webdriver.Chrome, stars: Served) -> None:
    press(open_page(browser, stars), "123")
    wait(browser, lambda: shown(browser, "progress") == "3 of 3 decided")
    assert [label for _, label in reviewing.decided(stars.root).values()] == ["1", "2", "3"]


def test_a_page_that_is_opened_again_goes_on_where_it_ended(browser: webdriver.Chrome, stars: Served) -> None:
    press(open_page(browser, stars), "1")
    wait(browser, lambda: shown(browser, "id") == "r0")
    browser.refresh()  # the address bar has no token any more
    wait(browser, lambda: shown(browser, "id") == "r0")
    assert shown(browser, "progress") == "1 of 3 decided"
    assert TOKEN not in browser.current_url
    press(browser, Keys.ARROW_LEFT)
    wait(browser, lambda: shown(browser, "id") == "r2")
    assert shown(browser, "decided") == "→ 1"


def test_two_tabs_lose_no_decision(browser: webdriver.Chrome, stars: Served) -> None:
    open_page(browser, stars)
    first = browser.current_window_handle
    browser.switch_to.new_window("tab")
    open_page(browser, stars)
    press(browser, "1")
    wait(browser, lambda: shown(browser, "id") == "r0")
    browser.close()
    browser.switch_to.window(first)
    press(browser, "4")  # about r2, on a page that does not know that it is decided
    wait(browser, lambda: "has changed meanwhile" in shown(browser, "message"))
    assert (shown(browser, "id"), shown(browser, "decided")) == ("r2", "→ 1")
    press(browser, "4")  # now it does
    wait(browser, lambda: shown(browser, "id") == "r0")
    press(browser, "2")
    wait(browser, lambda: shown(browser, "id") == "r3")
    assert reviewing.decided(stars.root) == {"r2": ("relabel", "4"), "r0": ("relabel", "2")}


def test_a_note_goes_with_the_decision(browser: webdriver.Chrome, stars: Served) -> None:
    press(open_page(browser, stars), "n")
    wait(browser, lambda: browser.switch_to.active_element.get_attribute("id") == "note")
    browser.switch_to.active_element.send_keys("says 1 plainly", Keys.ESCAPE)
    press(browser, "1")
    wait(browser, lambda: shown(browser, "id") == "r0")
    assert [correction.note for correction in reviewing.corrections(stars.root)] == ["says 1 plainly"]
    assert browser.find_element(By.ID, "note").get_attribute("value") == ""


def test_texts_are_shown_and_not_run_and_no_request_leaves_the_page(browser: webdriver.Chrome, stars: Served) -> None:
    browser.get_log("browser")
    browser.get_log("performance")
    press(open_page(browser, stars), "s")
    wait(browser, lambda: shown(browser, "id") == "r0")
    assert shown(browser, "text") == reviewing.HOSTILE
    assert browser.title == "Review of labels"
    assert browser.find_elements(By.TAG_NAME, "img") == []
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = {event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"}
    own = stars.address.partition("#")[0]
    assert {url for url in urls if not url.startswith((own, "about:"))} == set()
    assert [entry for entry in browser.get_log("browser") if "favicon" not in entry["message"]] == []


def test_a_near_duplicate_with_another_label_is_shown(browser: webdriver.Chrome, stars: Served) -> None:
    open_page(browser, stars)
    assert shown(browser, "neighbours").splitlines()[1:] == ["1never   WORKS"] or "never" in shown(
        browser, "neighbours"
    )


def test_without_the_token_the_page_says_what_to_do(browser: webdriver.Chrome, stars: Served) -> None:
    browser.get("about:blank")
    browser.get(stars.address.partition("#")[0])
    wait(browser, lambda: "Open the address" in shown(browser, "message"))
    assert not browser.find_element(By.ID, "main").is_displayed()


def test_a_set_of_labels_is_chosen_by_keys(
    browser: webdriver.Chrome, tmp_path: Path, serve: Callable[[Path], Served]
) -> None:
    root = reviewing.create(tmp_path / "project", labels=reviewing.SETS, target="label_set")
    columns = ("id", "position", "split", "label", "given", "suggested", "probability", "labels")
    lines = [("r2", 2, "test", "app", "yes", "no", 0.1, "app, pay"), ("r1", 1, "val", "pay", "no", "yes", 0.8, "none")]
    reviewing.write_suspects(root, columns, lines)
    open_page(browser, serve(root))
    assert shown(browser, "question") == "Given: app, pay. Suggested: pay."
    press(browser, "1", Keys.ENTER)
    wait(browser, lambda: shown(browser, "id") == "r1")
    press(browser, "1", "2", Keys.ENTER)
    wait(browser, lambda: shown(browser, "progress") == "2 of 2 decided")
    assert reviewing.decided(root) == {"r2": ("relabel", '["pay"]'), "r1": ("relabel", '["app", "pay"]')}


def test_classes_named_like_what_every_object_has_are_classes(
    browser: webdriver.Chrome, tmp_path: Path, serve: Callable[[Path], Served]
) -> None:
    """Rows of train have no probabilities: those of `constructor` were then a function of JavaScript's."""
    labels = ["constructor", "toString", "valueOf", "constructor"]
    root = reviewing.create(tmp_path / "project", labels=labels, target="classes")
    columns = ("id", "position", "split", "label", "suggested", "given_probability", "suggested_probability")
    reviewing.write_suspects(root, columns, [("r1", 1, "train", "toString", "valueOf", 0.1, 0.8)])
    open_page(browser, serve(root))
    wait(browser, lambda: len(browser.find_elements(By.CSS_SELECTOR, "#choices button")) == 3)
    press(browser, "1")
    wait(browser, lambda: shown(browser, "message").startswith("Saved: r1"))
    assert reviewing.decided(root) == {"r1": ("relabel", "constructor")}


def test_a_number_is_typed(browser: webdriver.Chrome, tmp_path: Path, serve: Callable[[Path], Served]) -> None:
    root = reviewing.create(tmp_path / "project", labels=reviewing.NUMBERS, target="number")
    columns = ("id", "position", "split", "label", "predicted", "residual", "size")
    reviewing.write_suspects(root, columns, [("r1", 1, "test", 20.5, 80.1234, -60, -5), ("r3", 3, "val", 40, 9, 31, 4)])
    open_page(browser, serve(root))
    value = browser.find_element(By.ID, "value")
    value.clear()
    value.send_keys("many", Keys.ENTER)
    wait(browser, lambda: "is a label that" in shown(browser, "message"))
    value.clear()
    value.send_keys("80.0", Keys.ENTER)
    wait(browser, lambda: shown(browser, "id") == "r3")
    assert reviewing.decided(root) == {"r1": ("relabel", "80")}


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_the_screen(
    browser: webdriver.Chrome, stars: Served, size: tuple[int, int], scheme: str, tmp_path: Path
) -> None:
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    )
    metrics = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size == PHONE}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        open_page(browser, stars)
        assert browser.execute_script("return document.documentElement.scrollWidth") <= size[0]
        buttons = browser.find_elements(By.TAG_NAME, "button")
        heights = [button.size["height"] for button in buttons if button.is_displayed()]
        assert heights
        assert min(heights) >= 44  # a finger's width
        picture = tmp_path / f"{scheme}.png"
        assert browser.save_screenshot(str(picture))
        assert picture.stat().st_size > 10_000
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
