"""Requests to this machine go through no proxy, whatever the environment says of others or of proxies."""

import os
import urllib.request
from pathlib import Path

import httpx
import pytest

from pipeline.commands.loopback import bypass_proxies
from pipeline.execution import proxies
from pipeline.execution.stage_process import stage_environment
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


UNUSABLE = {
    "ALL_PROXY": ("socks5://127.0.0.1:9", "socks5h://127.0.0.1:9", "socks4://127.0.0.1:9", "socks://127.0.0.1:9/"),
    "all_proxy": ("socks://127.0.0.1:9/",),
    "HTTP_PROXY": ("ftp://proxy:9", "http://proxy:port", "http://user:secret@proxy:port"),
    "https_proxy": ("http://[::1",),
}
USABLE = ("http://proxy:9", "proxy:9", "https://user:secret@proxy:9", "HTTP://[::1]:9", "")


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in UNUSABLE.items() for value in values])
def test_a_proxy_that_httpx_can_not_use_is_left_to_the_stages(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, tmp_path: Path
) -> None:
    for other in PROXIES:
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setattr(proxies, "_set_aside", {})
    monkeypatch.setenv(name, value)
    with pytest.raises((ImportError, ValueError, httpx.InvalidURL)):
        httpx.Client()
    bypass_proxies()
    httpx.Client().close()
    assert name not in os.environ
    assert stage_environment(tmp_path)[name] == value


@pytest.mark.parametrize("value", USABLE)
def test_a_proxy_that_can_be_used_stays(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("HTTPS_PROXY", value)
    bypass_proxies()
    httpx.Client().close()
    assert os.environ["HTTPS_PROXY"] == value


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
