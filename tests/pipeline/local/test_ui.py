"""`retune ui`: a server, a worker with the deployment, and a picture of a run in Prefect's own UI."""

import base64
import json
import os
import shutil
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from pipeline.local import server
from tests.pipeline import prefect_states, toy
from tests.pipeline.processes import wait_for

pytestmark = pytest.mark.slow
BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")


def post(url: str, body: dict[str, object]) -> dict[str, object]:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)  # type: ignore[no-any-return]


def test_a_run_started_in_the_ui(project: Path, tmp_path: Path) -> None:
    toy.edit(project, "params.yaml", "2.0e-5", "3e-5")
    port = server.free_port()
    api = f"http://127.0.0.1:{port}/api"
    ui = subprocess.Popen(
        [sys.executable, "-P", "-m", "pipeline.cli", "ui", "--port", str(port)],
        cwd=project,
        env=toy.environment(PYTHONUNBUFFERED="1"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert ui.stdout is not None
        assert ui.stdout.readline() == "Starting Prefect's server on this machine ...\n"
        assert ui.stdout.readline() == f"Prefect's UI: http://127.0.0.1:{port}\n"
        named_local = {"deployments": {"name": {"any_": ["local"]}}}  # the database may have others, of other tests
        (deployment,) = wait_for(lambda: prefect_states.query(api, "deployments", named_local), seconds=60)
        created = post(f"{api}/deployments/{deployment['id']}/create_flow_run", {"parameters": {"jobs": 2}})

        def flow_run() -> dict[str, object]:
            return prefect_states.query(api, "flow_runs", {"flow_runs": {"id": {"any_": [created["id"]]}}})[0]

        wait_for(lambda: flow_run()["state"]["type"] in ("COMPLETED", "FAILED", "CRASHED"), seconds=240)  # type: ignore[index]
        assert flow_run()["state"]["type"] == "COMPLETED", flow_run()["state"]  # type: ignore[index]
        states = prefect_states.task_states(api, created)
        assert {stage for stage, state in states.items() if state == "Completed"} == {"train@1", "train@2", "report"}
        assert {stage for stage, state in states.items() if state == "Cached"} == {
            "download@rows", "download@model", "cut",
        }  # fmt: skip
        if BROWSER and DRIVER:
            picture = Path(os.environ.get("RETUNE_PICTURE", tmp_path / "run.png"))
            take_picture(
                f"http://127.0.0.1:{port}/v2/runs/flow-run/{created['id']}?tab=TaskRuns", picture, until="Cached"
            )
            assert picture.stat().st_size > 20_000  # an empty page has 5 kB
    finally:
        ui.terminate()
        end = ui.communicate(timeout=60)[0]
    assert "Warning" not in end
    assert "Traceback" not in end
    assert not server.answers(api, timeout=1.0)


def take_picture(url: str, picture: Path, *, until: str) -> None:
    """Save a screenshot of a page once JavaScript has drawn the text `until`."""
    port = server.free_port()
    driver = subprocess.Popen([str(DRIVER), f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    options = {
        "args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1200,1500"],
        "binary": BROWSER,
    }
    try:
        wait_for(lambda: listens(port))
        wanted = {"browserName": "chrome", "goog:chromeOptions": options}
        created = post(f"http://127.0.0.1:{port}/session", {"capabilities": {"alwaysMatch": wanted}})["value"]
        session = f"http://127.0.0.1:{port}/session/{created['sessionId']}"  # type: ignore[index]
        post(f"{session}/url", {"url": url})
        script = {"script": "return document.body.innerText", "args": []}
        wait_for(lambda: until in str(post(f"{session}/execute/sync", script)["value"]), seconds=60)
        with urllib.request.urlopen(f"{session}/screenshot", timeout=60) as response:
            picture.write_bytes(base64.b64decode(json.load(response)["value"]))
        urllib.request.urlopen(urllib.request.Request(session, method="DELETE"), timeout=30).close()
    finally:
        driver.terminate()
        driver.wait()


def listens(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0
