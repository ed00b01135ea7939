"""Fetch a file from an object store through fsspec; each store needs its extra of retune."""

import shutil
from pathlib import Path

import fsspec

from stages.errors import DataError
from stages.files import replace_file
from stages.redaction import holds_secret

STORES = {"s3": "s3", "gs": "gcs", "gcs": "gcs", "az": "azure", "abfs": "azure", "abfss": "azure"}  # scheme -> extra


def fetch_from_store(source: str, path: Path) -> Path:
    """Copy `source` to `path`, with the credentials that the store's own tools find.

    Args:
        source: A path such as s3://BUCKET/KEY.
        path: The file to write.

    Raises:
        DataError: The store's package is not installed, the file can't be fetched, or the path holds credentials.
    """
    if holds_secret(source):  # no store's client reads them there: they would take them for the name of the bucket
        raise DataError(
            f"{source} holds a password. Remove it: credentials are read from the environment, as the store's own "
            "tools do."
        )
    try:
        with fsspec.open(source, "rb") as remote, replace_file(path) as temporary, temporary.open("wb") as file:
            shutil.copyfileobj(remote, file)
    except ImportError as error:
        extra = STORES[source.partition("://")[0]]
        raise DataError(
            f"{source} needs a package that is not installed. Run: pip install 'retune[{extra}]'"
        ) from error
    except FileNotFoundError as error:
        raise DataError(f"{source} is missing. Correct download.dataset.files, or put the file there.") from error
    except Exception as error:  # each store has its own exceptions
        raise DataError(
            f"{source} could not be fetched: {error}. Correct the address, or log in to the store."
        ) from error
    return path
