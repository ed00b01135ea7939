"""Download a file over http(s): tried again with growing waits, resumed, and complete or not at all."""

import logging
import os
from pathlib import Path

import requests
from requests.adapters import HTTPAdapter
from urllib3 import BaseHTTPResponse
from urllib3.exceptions import InvalidHeader
from urllib3.util import Retry

from stages.errors import DataError
from stages.files import replace_file
from stages.proxies import unusable_proxies

logger = logging.getLogger(__name__)
logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)  # it warns of each retry that is logged here

TRANSIENT = (408, 425, 429, 500, 502, 503, 504)
CHUNK = 1 << 14  # bytes; of a chunk that the connection breaks in, nothing is kept
LONGEST_WAIT = 120.0  # seconds


class _LoggedRetry(Retry):
    """urllib3's retries with a line in the log for each; a server's Retry-After is obeyed up to LONGEST_WAIT."""

    def get_retry_after(self, response: BaseHTTPResponse) -> float | None:
        try:
            seconds = super().get_retry_after(response)
        except InvalidHeader:  # neither seconds nor a date
            return None
        return None if seconds is None else min(seconds, LONGEST_WAIT)

    def sleep(self, response: BaseHTTPResponse | None = None) -> None:
        last, failed = self.history[-1], len(self.history)
        problem = last.error or f"the server answers {last.status}"
        logger.info(
            "%s: %s; attempt %d of %d follows", last.url, problem, failed + 1, failed + 1 + int(self.total or 0)
        )
        super().sleep(response)


def download(url: str, path: Path, *, attempts: int = 5, wait: float = 1.0, timeout: float = 30.0) -> Path:
    """Download `url` to `path`.

    Args:
        url: An http or https address.
        path: The file to write.
        attempts: Times to try (>= 1) where the network or the server fails.
        wait: Seconds, doubled with each attempt; the second attempt follows at once. The server may name its own wait.
        timeout: Seconds to wait for the server to say something.

    Raises:
        DataError: The server refuses, or every attempt failed.
    """
    retry: Retry = _LoggedRetry(
        attempts - 1, status_forcelist=TRANSIENT, raise_on_status=False, backoff_factor=wait, backoff_max=LONGEST_WAIT
    )
    etag: str | None = None  # the server's name for the version of the file that is on disk
    with replace_file(path) as temporary, requests.Session() as session:
        while True:
            for scheme in ("http://", "https://"):
                session.mount(scheme, HTTPAdapter(max_retries=retry))
            try:
                response = session.get(url, stream=True, timeout=timeout, headers=_headers(temporary, etag))
            except ValueError as error:  # of requests, of urllib3 and of urllib; also for the target of a redirect
                if proxies := unusable_proxies(os.environ, socks="socks"):
                    name, reason = next(iter(proxies.items()))
                    raise DataError(f"{url} can't be requested: {name} {reason}. Correct it, or unset it.") from error
                raise DataError(
                    f"{url} is not a valid URL, or redirects to an invalid one: {error}. Correct "
                    "download.dataset.files."
                ) from error
            except requests.RequestException as error:  # after every attempt
                raise _gave_up(url, attempts, error) from error
            with response:
                retry, etag = response.raw.retries, response.headers.get("ETag")
                try:
                    _receive(url, response, temporary, attempts)
                    return path
                except requests.RequestException as error:  # the connection broke on the way
                    if not retry.total:
                        raise _gave_up(url, attempts, error) from error
                    retry = retry.increment("GET", url, error=error)
            retry.sleep()


def _headers(path: Path, etag: str | None) -> dict[str, str]:
    """Ask for the rest of the file where a part is on disk and the server can tell whether the file is unchanged."""
    # identity: the length and the checksum of a body that is packed for the transfer are not the file's
    headers = {"Accept-Encoding": "identity"}
    if etag and not etag.startswith("W/") and path.exists() and path.stat().st_size:
        headers |= {"Range": f"bytes={path.stat().st_size}-", "If-Range": etag}
    return headers


def _receive(url: str, response: requests.Response, path: Path, attempts: int) -> None:
    """Write the body of the answer: the file, or the rest of it after the part on disk."""
    status = response.status_code
    if status in TRANSIENT:  # after every attempt
        raise _gave_up(url, attempts, f"the server answers {status} {response.reason}")
    if status == requests.codes.requested_range_not_satisfiable:
        path.unlink(missing_ok=True)
        raise requests.RequestException("the part on disk is not the start of the server's file")
    if status not in (requests.codes.ok, requests.codes.partial_content):
        login = (
            "Put your user and password into ~/.netrc, or correct"
            if status == requests.codes.unauthorized
            else "Correct"
        )
        raise DataError(f"{url} answers {status} {response.reason}. {login} download.dataset.files.")
    with path.open("ab" if status == requests.codes.partial_content else "wb") as file:
        for chunk in response.iter_content(CHUNK):
            file.write(chunk)  # iter_content raises where fewer bytes come than the server promised


def _gave_up(url: str, attempts: int, problem: Exception | str) -> DataError:
    return DataError(
        f"{url} could not be downloaded in {attempts} attempts: {problem}. "
        "Try again later, or download it yourself and give the path."
    )
