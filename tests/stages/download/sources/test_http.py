"""Downloads by the real client, against a server on this machine that misbehaves on demand."""

import hashlib
import logging

import pytest

from stages.download.sources import http
from stages.errors import DataError
from tests.stages.download import servers
from tests.stages.download.servers import FileServer, serve

BODY = bytes(range(256)) * 2_000


@pytest.fixture
def server():
    with serve({"/x.csv": BODY}) as server:
        yield server


def fetch(server: FileServer, folder, script, path="/x.csv", **settings):
    server.script = script
    return http.download(server.url(path), folder / "x", **{"wait": 0.01, "timeout": 1, **settings})


@pytest.mark.parametrize(
    "faults",
    [
        [],
        [servers.unavailable, servers.unavailable],
        [servers.cut_off],
        [servers.cut_off, servers.unavailable],
        [servers.cut_off_without_version],
        [servers.changed_meanwhile],
        [servers.stalls],
        [servers.too_long],
        [servers.redirect_to("/x.csv")],
        [servers.unavailable, servers.cut_off, servers.stalls],
    ],
    ids=lambda faults: "+".join(getattr(fault, "__name__", "?") for fault in faults) or "none",
)
def test_comes_whole_whatever_happens_on_the_way(server, tmp_path, faults):
    assert fetch(server, tmp_path, faults).read_bytes() == BODY
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_goes_on_where_the_transfer_broke(server, tmp_path):
    fetch(server, tmp_path, [servers.cut_off])
    start = int(server.requests[1]["Range"].removeprefix("bytes=").rstrip("-"))
    assert len(BODY) * 5 // 10 < start <= len(BODY) * 6 // 10
    assert server.requests[1]["If-Range"] == servers.etag(BODY)


def test_takes_the_file_as_it_is_and_not_packed(server, tmp_path):
    assert fetch(server, tmp_path, [servers.packed_on_the_way] * 9, attempts=1).read_bytes() == BODY


def test_starts_anew_where_the_server_names_no_version(server, tmp_path):
    fetch(server, tmp_path, [servers.cut_off_without_version])
    assert "Range" not in server.requests[1]


def test_waits_grow_and_the_servers_own_wait_is_obeyed(server, tmp_path, monkeypatch, caplog):
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)
    script = [servers.unavailable, servers.unavailable, servers.busy, servers.busy_until, servers.busy_without_sense]
    caplog.set_level(logging.INFO)
    fetch(server, tmp_path, script, wait=0.5, attempts=6)
    assert waits == [1.0, 1.0, pytest.approx(30, abs=5), 8.0]  # the second attempt follows at once
    said = [record.getMessage() for record in caplog.records]
    assert said[0] == "/x.csv: the server answers 503; attempt 2 of 6 follows"
    assert said[-1] == "/x.csv: the server answers 503; attempt 6 of 6 follows"


def test_no_server_makes_a_run_wait_for_hours(server, tmp_path, monkeypatch):
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)
    fetch(server, tmp_path, [servers.busy_for_a_day])
    assert waits == [http.LONGEST_WAIT]


@pytest.mark.parametrize(
    ("fault", "message", "requests"),
    [
        (servers.unavailable, r"could not be downloaded in 3 attempts: the server answers 503 .* give the path", 3),
        (servers.stalls, r"could not be downloaded in 3 attempts: .*[Tt]imed? ?out", 3),
        (servers.cut_off_without_version, r"could not be downloaded in 3 attempts: .*307200", 3),
        (servers.absent, r"x.csv answers 404 Not Found. Correct download.dataset.files", 1),
        (servers.forbidden, r"x.csv answers 403 Forbidden. Correct download.dataset.files", 1),
    ],
)
def test_gives_up_with_a_clear_error_and_no_file(server, tmp_path, fault, message, requests):
    with pytest.raises(DataError, match=message):
        fetch(server, tmp_path, [fault] * 9, attempts=3)
    assert len(server.requests) == requests
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_is_not_there(tmp_path):
    with serve({}) as server:
        url = server.url("/x.csv")
    with pytest.raises(DataError, match=r"could not be downloaded in 2 attempts: .*refused"):
        http.download(url, tmp_path / "x", attempts=2, wait=0.01)


def test_redirects_without_end(server, tmp_path):
    with pytest.raises(DataError, match=r"could not be downloaded in 1 attempts: Exceeded 30 redirects"):
        fetch(server, tmp_path, [servers.redirect_to("/x.csv")] * 99, attempts=1)


def test_no_host_in_the_address(tmp_path):
    with pytest.raises(DataError, match=r"http:// is not a valid URL|http://\?x is not a valid URL"):
        http.download("http://?x", tmp_path / "x")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("socks://proxy:9", "starts with socks://, expected http://, https:// or socks5://"),
        ("http://user:secret@proxy:port", "is not an address"),
    ],
)
def test_a_proxy_that_can_not_be_used_is_named_without_its_value(tmp_path, monkeypatch, value, message):
    monkeypatch.setenv("ALL_PROXY", value)
    with pytest.raises(
        DataError, match=f"http://example.org/x can't be requested: ALL_PROXY {message}. Correct"
    ) as error:
        http.download("http://example.org/x", tmp_path / "x", attempts=1)
    assert "secret" not in str(error.value)


ROWS = b"text,label\na,x\nb,y\n"


def test_a_url_goes_through_the_stage_with_faults(read, monkeypatch, caplog):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    caplog.set_level(logging.INFO)
    with serve({"/rows.csv": ROWS}) as server:
        server.script = [servers.unavailable, servers.cut_off]
        url = server.url("/rows.csv")
        result = read(files=[{"source": url}, {"source": url, "split": "test"}])
        assert len(server.requests) == 3, "one source named twice is one download"
    assert result.column("text") == ["a", "b", "a", "b"]
    assert f"has no checksum in params.yaml. Pin it with sha256: {hashlib.sha256(ROWS).hexdigest()}" in caplog.text


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (servers.other_content, r"rows.csv has SHA-256 \w{64}, but download.dataset.files pins"),
        (servers.login_page, r"rows.csv is a web page, not data. Open it in a browser"),
    ],
)
def test_other_content_than_asked_for(read, fault, message):
    with serve({"/rows.csv": ROWS}) as server:
        server.script = [fault]
        with pytest.raises(DataError, match=message):
            read(files=[{"source": server.url("/rows.csv"), "sha256": hashlib.sha256(ROWS).hexdigest()}])
