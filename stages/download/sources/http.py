"""Download a file over http(s): resumed and tried again with growing waits, complete or not at all."""

import logging
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import requests

from stages.errors import DataError
from stages.files import replace_file

logger = logging.getLogger(__name__)

TRANSIENT = {408, 425, 429, 500, 502, 503, 504}
CHUNK = 1 << 14  # bytes; what has come of a chunk is lost when the transfer breaks
LONGEST_WAIT = 120.0  # seconds that a server's Retry-After is obeyed at most


class _TransientError(Exception):
    """The server asks to come back later."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


def download(url: str, path: Path, *, attempts: int = 5, wait: float = 1.0, timeout: float = 30.0) -> Path:
    """Download `url` to `path`.

    Args:
        url: An http or https address.
        path: The file to write.
        attempts: Times to try (>= 1) where the network or the server fails.
        wait: Seconds before the second attempt; doubled each time, unless the server says how long.
        timeout: Seconds to wait for the server to say something.

    Raises:
        DataError: The server refuses, or every attempt failed.
    """
    version: str | None = None  # the server's name for the bytes that came so far
    with replace_file(path) as temporary:
        for attempt in range(1, attempts + 1):
            try:
                with requests.get(url, stream=True, timeout=timeout, headers=_headers(temporary, version)) as response:
                    version = response.headers.get("ETag")
                    _receive(url, response, temporary)
                return path
            except (requests.RequestException, _TransientError) as error:
                if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.InvalidSchema):
                    raise DataError(f"{url} is no URL: {error}. Mend download.dataset.files.") from error
                if attempt == attempts:
                    raise DataError(
                        f"{url} could not be downloaded in {attempts} attempts: {error}. "
                        "Try again later, or download it yourself and give the path."
                    ) from error
                asked = getattr(error, "retry_after", None)
                seconds = wait * 2 ** (attempt - 1) if asked is None else min(asked, LONGEST_WAIT)
                logger.info("%s: %s; attempt %d of %d in %g s", url, error, attempt + 1, attempts, seconds)
                time.sleep(seconds)
    return path


def _headers(path: Path, version: str | None) -> dict[str, str]:
    """Ask for the rest where a part has come and the server can tell whether it is still of the same file."""
    # identity: a transparently unpacked body would fit neither the length nor the checksum of the file
    headers = {"Accept-Encoding": "identity"}
    if version and not version.startswith("W/") and path.exists() and path.stat().st_size:
        headers |= {"Range": f"bytes={path.stat().st_size}-", "If-Range": version}
    return headers


def _receive(url: str, response: requests.Response, path: Path) -> None:
    """Write the answer's body, after what has come before where the server goes on from there."""
    status = response.status_code
    if status in TRANSIENT:
        raise _TransientError(f"the server answers {status} {response.reason}", _retry_after(response.headers))
    if status == requests.codes.requested_range_not_satisfiable:
        path.unlink(missing_ok=True)  # what came before is not a part of what the server has now
        raise _TransientError("the server has another file now")
    if status not in (requests.codes.ok, requests.codes.partial_content):
        raise DataError(f"{url} answers {status} {response.reason}. Mend download.dataset.files.")
    resumed = status == requests.codes.partial_content
    with path.open("ab" if resumed else "wb") as file:
        for chunk in response.iter_content(CHUNK):
            file.write(chunk)  # fewer bytes than the server promised raise in iter_content


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the server asks to wait, or until the time that it names; None where it does neither."""
    value = headers.get("Retry-After", "")
    if value.isdecimal():
        return float(value)
    try:
        return max((parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds(), 0.0)
    except (ValueError, TypeError):  # no date, or one without its zone
        return None
