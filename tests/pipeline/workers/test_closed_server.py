"""The team's server as docs/workers.md sets it up: closed to web pages and to whoever has no password.

That workers run a project on such a server: test_with_server.py.
"""

import base64
import json
import os
import re

import pytest

from tests.pipeline.local.test_guard import ask
from tests.pipeline.workers.machines import LOGIN, SETTINGS, Machines
from tests.pipeline.workers.toy_project import ROOT

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
def test_who_has_no_password_changes_and_reads_nothing(server: Machines, host: str, content_type: str) -> None:
    named = {"Host": host.replace("PORT", str(server.port)), "Origin": PAGE, "Content_Type": content_type}
    status, headers = ask(f"{server.url}/flows/", body=BODY, **named)
    assert status in (401, 403)
    assert headers.get("access-control-allow-origin") != PAGE
    assert ask(f"{server.url}/logs/filter", body=b"{}", **named)[0] in (401, 403)
    for path in ("csrf-token?client=page", "admin/settings", "deployments/name/coordinate/coordinate"):
        assert ask(f"{server.url}/{path}", method="GET", body=None, **named)[0] == 401


def test_a_page_in_a_browser_that_knows_the_password_still_needs_a_token(server: Machines) -> None:
    named = {"Origin": PAGE, "Content_Type": "application/json", "Authorization": AUTHORIZATION}
    assert ask(f"{server.url}/flows/", body=BODY, **named)[0] == 403
    _, headers = ask(f"{server.url}/csrf-token?client=page", method="GET", body=None, **named)
    assert headers.get("access-control-allow-origin") is None, "so its script can't read the token"
