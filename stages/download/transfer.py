"""Download a file over http(s): streamed to disk, tried again with growing waits, complete or not at all."""

import logging
import time
from pathlib import Path

import requests

from stages.errors import DataError
from stages.files import replace_file

logger = logging.getLogger(__name__)

TRANSIENT = {408, 425, 429, 500, 502, 503, 504}
CHUNK = 1 << 20  # bytes


class _IncompleteError(Exception):
    """The answer ended early, or the server asks to come back later."""


def download(url: str, path: Path, *, attempts: int = 5, wait: float = 1.0, timeout: float = 30.0) -> Path:
    """Download `url` to `path`.

    Args:
        url: An http or https address.
        path: The file to write.
        attempts: Times to try (>= 1) where the network or the server fails.
        wait: Seconds before the second attempt; doubled each time.
        timeout: Seconds to wait for the server to say something.

    Raises:
        DataError: The server refuses, or every attempt failed.
    """
    with replace_file(path) as temporary:
        for attempt in range(1, attempts + 1):
            try:
                _attempt(url, temporary, timeout)
                return path
            except (requests.RequestException, _IncompleteError) as error:
                if attempt == attempts:
                    raise DataError(
                        f"{url} could not be downloaded in {attempts} attempts: {error}. "
                        "Try again later, or download it yourself and give the path."
                    ) from error
                logger.info("%s: %s; attempt %d of %d follows", url, error, attempt + 1, attempts)
                time.sleep(wait * 2 ** (attempt - 1))
    return path


def _attempt(url: str, path: Path, timeout: float) -> None:
    # identity: a transparently unpacked body would fit neither the length nor the checksum of the file
    with requests.get(url, stream=True, timeout=timeout, headers={"Accept-Encoding": "identity"}) as response:
        if response.status_code in TRANSIENT:
            raise _IncompleteError(f"the server answers {response.status_code} {response.reason}")
        if response.status_code != requests.codes.ok:
            raise DataError(f"{url} answers {response.status_code} {response.reason}. Mend download.dataset.files.")
        with path.open("wb") as file:
            for chunk in response.iter_content(CHUNK):
                file.write(chunk)
        expected, received = response.headers.get("Content-Length"), path.stat().st_size
        if expected is not None and int(expected) != received:
            raise _IncompleteError(f"{received} of {expected} bytes came")
