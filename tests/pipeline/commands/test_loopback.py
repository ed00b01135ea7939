"""Requests to this machine go through no proxy, whatever the environment says of others."""

import os
import urllib.request
from pathlib import Path

import httpx
import pytest

from pipeline.commands.loopback import bypass_proxies
from tests.pipeline import toy

PROXIES = dict.fromkeys(("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY"), "http://127.0.0.1:9")
OWN = "127.0.0.1,localhost,::1"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, OWN),
        ("", OWN),
        ("example.org", f"example.org,{OWN}"),
        (" example.org , .inside,, ", f"example.org,.inside,{OWN}"),
        ("localhost", "localhost,127.0.0.1,::1"),
        (OWN, OWN),
        ("*", "*"),  # no proxy at all, which holds only as long as nothing else is named
    ],
)
def test_what_is_named_already_stays(monkeypatch: pytest.MonkeyPatch, before: str | None, after: str) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, before or "")
        if before is None:
            monkeypatch.delenv(name)
    bypass_proxies()
    assert (os.environ["NO_PROXY"], os.environ["no_proxy"]) == (after, after)


@pytest.mark.slow
@pytest.mark.parametrize("before", ["", "example.org", "*"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_server_of_this_machine_is_reached(
    monkeypatch: pytest.MonkeyPatch, prefect_api: str, before: str, host: str
) -> None:
    for name, value in {**PROXIES, "NO_PROXY": before, "no_proxy": before}.items():
        monkeypatch.setenv(name, value)
    bypass_proxies()
    health = f"{prefect_api.replace('127.0.0.1', host)}/health"
    with urllib.request.urlopen(health, timeout=10) as response:
        assert response.status == 200
    assert httpx.get(health, timeout=10).status_code == 200


@pytest.mark.slow
def test_commands_reach_it(project: Path, prefect_api: str) -> None:
    toy.edit(project, "params.yaml", "length: 5", "length: 6")
    for arguments in (["status"], ["run", "cut"]):
        done = toy.retune(project, *arguments, **PROXIES, NO_PROXY="example.org", PREFECT_API_URL=prefect_api)
        assert done.returncode == 0, done.stderr
