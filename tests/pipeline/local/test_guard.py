"""Web pages and the server on this machine: a page of another address drives nothing and reads nothing."""

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Mapping

import pytest
import websockets

BODY = json.dumps({"name": "from-a-page"}).encode()


def ask(url: str, *, method: str = "POST", body: bytes | None = BODY, **headers: str) -> tuple[int, Mapping[str, str]]:
    """The status and the headers of the answer."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, body, named, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, {name.lower(): value for name, value in response.headers.items()}
    except urllib.error.HTTPError as error:
        return error.code, {name.lower(): value for name, value in error.headers.items()}


def flows(api: str) -> int:
    request = urllib.request.Request(f"{api}/flows/count", b"{}", {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as response:
        return int(json.load(response))


def test_a_preflight_of_another_page_is_refused(prefect_api: str) -> None:
    status, headers = ask(
        f"{prefect_api}/flows/",
        method="OPTIONS",
        body=None,
        Origin="https://evil.example",
        Access_Control_Request_Method="POST",
        Access_Control_Request_Headers="content-type",
    )
    assert status == 403
    assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize("content_type", ["application/json", "text/plain"])  # text/plain needs no preflight
@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1"])
def test_a_request_of_another_page_changes_nothing(prefect_api: str, origin: str, content_type: str) -> None:
    before = flows(prefect_api)
    status, headers = ask(f"{prefect_api}/flows/", Origin=origin, Content_Type=content_type)
    assert status == 403
    assert "access-control-allow-origin" not in headers
    assert flows(prefect_api) == before


def test_a_name_that_leads_to_this_machine_is_no_key(prefect_api: str) -> None:
    """DNS rebinding: the page's own host name now has the address 127.0.0.1, so that the browser sees one origin."""
    host = f"evil.example:{prefect_api.split(':')[2].split('/')[0]}"
    assert ask(f"{prefect_api}/health", method="GET", body=None, Host=host)[0] == 403
    assert ask(f"{prefect_api}/flows/", Host=host, Origin=f"http://{host}", Content_Type="application/json")[0] == 403


def test_the_logs_are_not_streamed_to_another_page(prefect_api: str) -> None:
    async def connect(origin: str | None) -> None:
        url = f"{prefect_api.replace('http', 'ws', 1)}/logs/out"
        async with websockets.connect(url, origin=origin, subprotocols=["prefect"]):  # type: ignore[arg-type, list-item]
            pass

    asyncio.run(connect(None))
    with pytest.raises(websockets.InvalidStatus, match="403"):
        asyncio.run(connect("https://evil.example"))


def test_the_own_pages_and_programs_are_answered(prefect_api: str) -> None:
    page = prefect_api.removesuffix("/api")
    status, headers = ask(f"{prefect_api}/health", method="GET", body=None, Origin=page)
    assert (status, headers["access-control-allow-origin"]) == (200, page)
    assert ask(f"{prefect_api}/health", method="GET", body=None)[0] == 200
    local = page.replace("127.0.0.1", "localhost")
    assert ask(f"{prefect_api}/health", method="GET", body=None, Origin=local)[0] == 200


ELSEWHERE = {  # what a browser sends for other pages without an Origin: an image, a script, a form, a frame, a link
    "a fetch without CORS": ("cross-site", "no-cors", "empty", "/api/admin/settings"),
    "an image": ("cross-site", "no-cors", "image", "/api/admin/settings"),
    "a script": ("cross-site", "no-cors", "script", "/api/health"),
    "a page on another port": ("same-site", "no-cors", "empty", "/api/admin/settings"),
    "a frame": ("cross-site", "navigate", "iframe", "/"),
    "an object": ("cross-site", "navigate", "object", "/"),
    "a frame of a page on another port": ("same-site", "navigate", "iframe", "/"),
    "a link to the API": ("cross-site", "navigate", "document", "/api/admin/settings"),
}
OWN = {
    "a program": {},
    "its own page": {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"},
    "an address that was typed": {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},
}


@pytest.mark.parametrize("case", ELSEWHERE)
def test_another_page_reads_and_frames_nothing(prefect_api: str, case: str) -> None:
    site, mode, dest, path = ELSEWHERE[case]
    url = prefect_api.removesuffix("/api") + path
    sent = {"Sec_Fetch_Site": site, "Sec_Fetch_Mode": mode, "Sec_Fetch_Dest": dest}
    assert ask(url, method="GET", body=None, **sent)[0] == 403


@pytest.mark.parametrize("case", OWN)
def test_own_requests_are_answered_and_can_not_be_framed(prefect_api: str, case: str) -> None:
    status, headers = ask(f"{prefect_api}/health", method="GET", body=None, **OWN[case])
    assert status == 200
    assert headers["x-frame-options"] == "DENY"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]


def test_a_link_to_the_ui_opens_it(prefect_api: str) -> None:
    sent = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"}
    status, headers = ask(prefect_api.removesuffix("/api"), method="GET", body=None, **sent)
    assert status != 403
    assert headers["x-frame-options"] == "DENY"
    assert ask(prefect_api.removesuffix("/api"), **sent)[0] == 403, "a form sends no link"
