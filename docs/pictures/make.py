"""Make the pictures and the example of a comment in docs/ anew, from two runs of this pipeline on the bundled sample.

Clones the last commit into a folder, runs it with two seeds under a Prefect server with its UI, then once more with
half the epochs, and compares the two. About 20 minutes on two cores; a folder that is there goes on from its cache.

Needs chromium and chromedriver, and the package selenium.

Example: python docs/pictures/make.py /tmp/retune-pictures
"""

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.support.ui import WebDriverWait

ROOT = Path(__file__).parents[2]
PAGE, EXAMPLE = ROOT / "docs/pull-requests.md", "## What the comment looks like\n"
INTRODUCTION = """
Made from the bundled reviews by `python docs/pictures/make.py FOLDER`: two seeds, with four epochs and with two.

"""
RUNS = {"four-epochs": ["seeds=[41,42]", "finetune.max_epochs=4"], "two-epochs": ["finetune.max_epochs=2"]}
PORT = 4287
FIRST_SCREEN = (1280, 860)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where to clone and run")
    folder = parser.parse_args().folder.resolve()
    clone(folder)
    with ui(folder) as address:
        run_and_commit(folder, {"PREFECT_API_URL": f"{address}/api"})
        example(folder)
        with browser() as driver:
            picture(driver, (folder / "data/report/report.html").as_uri(), ROOT / "docs/report.png")
            run_page = f"{address}/runs/flow-run/{longest_run(address)}"
            picture(driver, run_page, ROOT / "docs/pictures/prefect-run.png", wait_for="finetune")


def clone(folder: Path) -> None:
    """Bring the folder to the last commit of this repository; DVC's cache in it stays."""
    if not folder.exists():
        git(ROOT, "clone", "-q", str(ROOT), str(folder))
        git(folder, "config", "user.name", "retune")
        git(folder, "config", "user.email", "retune@example.com")
    git(folder, "fetch", "-q", str(ROOT), "HEAD")
    git(folder, "checkout", "-q", "--force", "--detach", "FETCH_HEAD")


def run_and_commit(folder: Path, environment: dict[str, str]) -> None:
    """Run the pipeline once per entry of RUNS, each from the params of the one before, and tag the results."""
    for tag, values in RUNS.items():
        retune(folder, "run", *(part for value in values for part in ("-S", value)), environment=environment)
        git(folder, "add", "-A")
        git(folder, "commit", "-q", "--allow-empty", "-m", tag.replace("-", " ").capitalize())
        git(folder, "tag", "--force", tag)


def example(folder: Path) -> None:
    """Write the comment of the second run into docs/pull-requests.md."""
    comment = retune(folder, "compare", *RUNS, "--markdown", output=True)
    before, heading, _ = PAGE.read_text(encoding="utf-8").partition(EXAMPLE)
    if not heading:
        raise SystemExit(f"{PAGE} has no heading {EXAMPLE.strip()!r}")
    PAGE.write_text(f"{before}{heading}{INTRODUCTION}{comment.strip()}\n", encoding="utf-8")


@contextlib.contextmanager
def ui(folder: Path) -> Iterator[str]:
    """Run `retune ui` with a database of its own; yield its address."""
    address = f"http://127.0.0.1:{PORT}"
    command = [sys.executable, "-m", "pipeline.cli", "ui", "--port", str(PORT)]
    process = subprocess.Popen(command, cwd=folder, env=own_environment(folder))
    try:
        deadline = time.monotonic() + 120
        while True:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/api/health", timeout=5):
                break
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit("Prefect's server did not start")
            time.sleep(1)
        yield address
    finally:
        process.terminate()
        process.wait()


def longest_run(address: str) -> str:
    """Return the id of the flow run that took longest, because it ran every stage."""
    request = urllib.request.Request(
        f"{address}/api/flow_runs/filter", data=b"{}", headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        runs: list[dict[str, Any]] = json.load(response)
    return str(max(runs, key=lambda run: run["total_run_time"])["id"])


@contextlib.contextmanager
def browser() -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for flag in ("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", "hide-scrollbars"):
        options.add_argument(f"--{flag}")
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    try:
        yield driver
    finally:
        driver.quit()


def picture(driver: webdriver.Chrome, url: str, path: Path, *, wait_for: str = "") -> None:
    """Save the first screen of a page, once it shows a text."""
    width, height = FIRST_SCREEN
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    driver.get(url)
    WebDriverWait(driver, 60).until(lambda page: wait_for in page.execute_script("return document.body.innerText"))
    time.sleep(3 if wait_for else 0)  # the graph of the run is drawn after its text
    driver.save_screenshot(str(path))


def retune(folder: Path, *arguments: str, environment: dict[str, str] | None = None, output: bool = False) -> str:
    command = [sys.executable, "-m", "pipeline.cli", *arguments]
    done = subprocess.run(
        command,
        cwd=folder,
        env=own_environment(folder) | (environment or {}),
        check=True,
        text=True,
        stdout=subprocess.PIPE if output else None,
    )
    return done.stdout or ""


def own_environment(folder: Path) -> dict[str, str]:
    """The environment in which the folder's own code runs, with a Prefect of its own."""
    return os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(folder),
        "PREFECT_HOME": str(folder / ".retune/prefect"),
        "DVC_NO_ANALYTICS": "1",
    }


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=folder, check=True)


if __name__ == "__main__":
    main()
