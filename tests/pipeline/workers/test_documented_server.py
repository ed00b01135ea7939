"""The server and the units of docs/workers.md: the UI works from another machine, and stays closed to others."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import psutil
import pytest

from pipeline.local import server
from tests.pipeline.local.test_guard import ask
from tests.pipeline.processes import wait_for
from tests.pipeline.workers.documented import PAGE, SERVER, server_arguments, server_environment, units, values

LOGIN = "retune:for-the-tests-alone"
BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")


def other_address() -> str | None:
    """An address of this machine that another machine would use."""
    addresses = [each for found in psutil.net_if_addrs().values() for each in found if each.family == socket.AF_INET]
    return next((each.address for each in addresses if not each.address.startswith("127.")), None)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the UI of a server that is set up as the page says, as another machine sees it."""
    host, port = other_address(), server.free_port()
    if host is None:
        pytest.skip("this machine has no other address than 127.0.0.1")
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PREFECT")},
        **server_environment(f"{host}:{port}"),
        "PREFECT_SERVER_API_AUTH_STRING": LOGIN,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_HOME": str(tmp_path_factory.mktemp("prefect")),
    }
    command = [sys.executable, "-P", "-m", "prefect", *server_arguments(port)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: server.answers(f"http://{host}:{port}/api"), 300)
        yield f"http://{host}:{port}/"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


@pytest.mark.slow
def test_the_pages_ask_the_server_that_they_came_from(page: str) -> None:
    with urllib.request.urlopen(urljoin(page, "ui-settings"), timeout=30) as response:
        settings = json.load(response)
    api = urljoin(page, settings["api_url"])
    assert api.startswith(page), "else a browser on another machine asks itself"
    assert ask(f"{api}/health", method="GET", body=None)[0] == 200
    assert (settings["auth"], settings["csrf_enabled"]) == ("BASIC", True)


@pytest.mark.slow
def test_it_is_closed_to_other_pages_and_to_who_has_no_password(page: str) -> None:
    evil = {"Origin": "https://evil.example", "Content_Type": "application/json"}
    status, headers = ask(urljoin(page, "api/flows/filter"), body=b"{}", **evil)
    assert status in (401, 403)
    assert headers.get("access-control-allow-origin") is None
    assert ask(urljoin(page, "api/admin/settings"), method="GET", body=None)[0] == 401
    status, headers = ask(
        urljoin(page, "api/flows/"), method="OPTIONS", body=None, **evil, Access_Control_Request_Method="POST"
    )
    assert headers.get("access-control-allow-origin") is None


@pytest.mark.slow
@pytest.mark.skipif(not (BROWSER and DRIVER), reason="no chromium with its driver")
def test_a_browser_on_another_machine_logs_in_and_sees_the_runs(page: str) -> None:
    from selenium import webdriver
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    options = webdriver.ChromeOptions()
    options.binary_location = str(BROWSER)
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1200,900"):
        options.add_argument(argument)
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(str(DRIVER)))
    try:
        browser.get(page)
        (box,) = wait_for(lambda: browser.find_elements(By.CSS_SELECTOR, "input[type=password]"), 90)
        box.send_keys(LOGIN, Keys.ENTER)
        text = "Run a task or flow to get started"  # what the UI shows once its API has answered: there is no run yet
        wait_for(lambda: text in browser.find_element(By.TAG_NAME, "body").text, 90)
    finally:
        browser.quit()


def test_the_page_has_every_unit_that_its_commands_start() -> None:
    started = set(
        re.findall(r"(?:prefect-server|retune-\w+)(?:@\w+)?", " ".join(re.findall(r"systemctl enable.*", PAGE)))
    )
    assert {re.sub(r"@\w+", "@", name) + ".service" for name in started} == set(units())


@pytest.mark.parametrize("unit", units())
def test_a_unit_is_complete(unit: str) -> None:
    assert {"[Unit]", "[Service]", "[Install]"} <= set(units()[unit].splitlines())
    assert values(unit, "User") == ["retune"]
    assert values(unit, "Restart") == ["always"]
    assert "useradd --system" in PAGE
    for path in values(unit, "EnvironmentFile"):
        assert f"install -m 0600 /dev/null {path}" in PAGE, (
            "a file with passwords is made before they are written to it"
        )
    for path in values(unit, "WorkingDirectory"):
        assert re.search(rf"(?:install -d .*|--home-dir ){path}\b", PAGE), f"nothing makes {path}"


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    """With programs and a user that are there: systemd checks both."""
    names = []
    for name, text in units().items():
        here = re.sub(r"/srv/retune/\.venv/bin/\w+", "/bin/true", text).replace("User=retune", "User=root")
        names.append(name.replace("@.", "@cpu."))
        (tmp_path / name).write_text(here)
        (tmp_path / names[-1]).write_text(here)
    done = subprocess.run(
        ["systemd-analyze", "verify", *(f"./{name}" for name in names)], cwd=tmp_path, capture_output=True, text=True
    )
    own = [line for line in done.stderr.splitlines() if any(name in line for name in names)]
    assert own == []


def test_the_server_s_unit_keeps_every_lock() -> None:
    assert set(server_environment("x")) >= {
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS",
        "PREFECT_SERVER_CSRF_PROTECTION_ENABLED",
    }
    assert "PREFECT_SERVER_API_AUTH_STRING" in units()[SERVER]
    assert values(SERVER, "UMask") == ["0077"]
