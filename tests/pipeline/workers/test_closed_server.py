"""The team's server as docs/workers.md sets it up: closed to web pages and to whoever has no password; workers work."""

import base64
import json
import os
import re

import pytest

from tests.pipeline.local.test_guard import ask
from tests.pipeline.processes import wait_for
from tests.pipeline.workers.api import Api
from tests.pipeline.workers.machines import LOGIN, SETTINGS, Machines
from tests.pipeline.workers.toy_project import ROOT, ToyProject

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        int(os.environ.get("RETUNE_TEST_WORKERS", "0")) < 1,
        reason="minutes long: RETUNE_TEST_WORKERS=1 runs it, as .ci/run does",
    ),
]
BODY = json.dumps({"name": "from-a-page"}).encode()
AUTHORIZATION = f"Basic {base64.b64encode(LOGIN.encode()).decode()}"
PAGE = "https://evil.example"


def test_the_document_names_every_setting_that_these_tests_use() -> None:
    text = (ROOT / "docs/workers.md").read_text(encoding="utf-8")
    for name in SETTINGS:
        if re.search(r"AUTH|CSRF|CORS|LEASE", name):
            assert name in text


@pytest.mark.parametrize("content_type", ["application/json", "text/plain"])
@pytest.mark.parametrize("host", ["127.0.0.1:PORT", "evil.example:PORT"])
def test_who_has_no_password_changes_and_reads_nothing(machines: Machines, host: str, content_type: str) -> None:
    named = {"Host": host.replace("PORT", str(machines.port)), "Origin": PAGE, "Content_Type": content_type}
    status, headers = ask(f"{machines.url}/flows/", body=BODY, **named)
    assert status in (401, 403)
    assert headers.get("access-control-allow-origin") != PAGE
    assert ask(f"{machines.url}/logs/filter", body=b"{}", **named)[0] in (401, 403)
    for path in ("csrf-token?client=page", "admin/settings", "deployments/name/coordinate/coordinate"):
        assert ask(f"{machines.url}/{path}", method="GET", body=None, **named)[0] == 401


def test_a_page_in_a_browser_that_knows_the_password_still_needs_a_token(machines: Machines) -> None:
    named = {"Origin": PAGE, "Content_Type": "application/json", "Authorization": AUTHORIZATION}
    assert ask(f"{machines.url}/flows/", body=BODY, **named)[0] == 403
    _, headers = ask(f"{machines.url}/csrf-token?client=page", method="GET", body=None, **named)
    assert headers.get("access-control-allow-origin") is None, "so its script can't read the token"


def test_workers_run_a_project_on_it(deployed: ToyProject, api: Api) -> None:
    deployed.create()
    run_id = api.coordinate(deployed)
    state = api.end(run_id)
    assert state.is_completed(), state.message
    assert deployed.ran() == ["download", "finetune@1", "evaluate@1", "report"]
    assert api.client.read_flow_run(run_id).name == f"main at {deployed.head('main')[:12]}"
    stages = {run.name: run for run in api.children(run_id)}
    assert set(stages) == set(deployed.ran()), "the runs of the stages are subflow runs"
    lines = wait_for(lambda: [line for line in api.logs(run_id) if "submitted to the pool" in line], 60)
    assert [line.split()[0] for line in lines] == deployed.ran()
    assert all(str(stages[line.split()[0]].id) in line for line in lines)
