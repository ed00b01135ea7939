"""Sources behind a password or a signature: they are read, and nothing that the stage writes or says has the secret."""

import base64
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from stages import redaction
from stages.download.encoder import locate_encoder
from stages.errors import DataError, ModelError, RetuneError
from tests.stages.download import servers
from tests.stages.download.servers import Answer, FileServer, Handler, serve

SECRET = "s3cr3t-planted"
SIGNED = f"/signed.csv?X-Amz-Signature={SECRET}&X-Amz-Date=1"
ROWS = b"text,label\na,x\nb,y\n"


def private(handler: Handler, body: bytes) -> None:
    """The file for the user with the password alone."""
    expected = base64.b64encode(f"user:{SECRET}".encode()).decode()
    answer: Answer = servers.well if handler.headers.get("Authorization") == f"Basic {expected}" else unauthorized
    answer(handler, body)


def unauthorized(handler: Handler, body: bytes) -> None:
    handler.head(401, 0, WWW_Authenticate='Basic realm="rows"')


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with serve({"/rows.csv": ROWS, SIGNED: ROWS}) as server:
        yield server


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """What every library logs, as a stage's command sets logging up."""
    before = logging.getLogRecordFactory()
    logging.setLogRecordFactory(redaction._RedactedRecord)
    caplog.set_level(logging.DEBUG)
    yield caplog
    logging.setLogRecordFactory(before)


def everything(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


@pytest.mark.parametrize("kind", ["password", "signature", "redirect"])
def test_no_output_and_no_log_line_has_the_secret(read, server, log, kind):
    host = f"127.0.0.1:{server.server_port}"
    sources = {
        "password": f"http://user:{SECRET}@{host}/rows.csv",
        "signature": f"http://{host}{SIGNED}",
        "redirect": f"http://{host}/rows.csv",
    }
    well = {"password": [private] * 2, "signature": [], "redirect": [servers.redirect_to(SIGNED), servers.well]}
    server.script = [servers.unavailable, *well[kind]]
    result = read(files=[{"source": sources[kind]}])
    assert result.column("text") == ["a", "b"]
    assert host in result.source[0]["source"]
    assert SECRET.encode() not in everything(result.folder)
    assert SECRET not in log.text
    assert "attempt 2 of 5 follows" in log.text


FAULTS = {
    "refused": servers.forbidden,
    "missing": servers.absent,
    "unauthorized": unauthorized,
    "down": servers.unavailable,
    "cut off": servers.cut_off_without_version,
    "a web page": servers.login_page,
    "redirects without end": servers.redirect_to(SIGNED),
    "a redirect to nowhere": servers.redirect_to(f"http://user:{SECRET}@127.0.0.1:1/x?sig={SECRET}"),
    "a redirect to no URL": servers.redirect_to(f"http://user:{SECRET}@[bad/x?sig={SECRET}"),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("path", [f"user:{SECRET}@HOST/rows.csv", f"HOST{SIGNED}", "HOST/rows.csv"])
def test_no_error_quotes_the_secret(read, server, log, fault, path):
    server.script = [FAULTS[fault]] * 99
    source = f"http://{path.replace('HOST', f'127.0.0.1:{server.server_port}')}"
    with pytest.raises(DataError) as caught:
        read(files=[{"source": source}])
    assert SECRET not in str(caught.value)
    assert "127.0.0.1" in str(caught.value)
    assert SECRET not in log.text


@pytest.mark.parametrize(
    "source",
    [
        f"s3://KEY:{SECRET}@bucket/rows.csv",
        f"gs://user:{SECRET}@bucket/rows.csv",
        f"ftp://user:{SECRET}@host/rows.csv",
        f"https://user:{SECRET}@/rows.csv",
        f"https://user:{SECRET}@no host/rows.csv",
        f"hf://user:{SECRET}@org/name",
        f"data/../other/https://user:{SECRET}@host",
        f"hf://datasets/user:{SECRET}@org/name@main",
        *(f"http{start}user:{SECRET}@host/x" for start in (":", ":/", ":\\\\")),
        f"user:{SECRET}@127.0.0.1/x",
    ],
)
def test_a_source_that_can_not_be_read(read, source):
    with pytest.raises(RetuneError) as caught:
        read(files=[{"source": source}])
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "source", [f"https://user:{SECRET}@host/model", f"https:/u:{SECRET}@host/model", f"hf://u:{SECRET}@org/name"]
)
def test_an_encoder_that_can_not_be_read(tmp_path, source):
    with pytest.raises(ModelError) as caught:
        locate_encoder(source, root=tmp_path)
    assert SECRET not in str(caught.value)


def test_netrc_opens_a_server_and_nothing_has_the_password(read, server, log, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine 127.0.0.1 login user password {SECRET}\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    server.script = [private] * 9
    result = read(files=[{"source": server.url("/rows.csv")}])
    assert result.column("text") == ["a", "b"]
    assert SECRET.encode() not in everything(result.folder)
    assert SECRET not in log.text


def test_without_netrc_the_error_says_where_the_password_belongs(read, server, monkeypatch, tmp_path):
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    server.script = [private] * 9
    with pytest.raises(DataError, match=r"rows.csv answers 401 Unauthorized. Put your user and password into ~/.netrc"):
        read(files=[{"source": server.url("/rows.csv")}])
