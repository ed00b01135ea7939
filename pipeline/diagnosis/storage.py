"""DVC's cache and default remote; as a module, whether the remote answers."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pipeline.diagnosis.finding import Finding
from pipeline.diagnosis.probe import ask
from pipeline.repository.opening import open_repo
from pipeline.repository.storage.objects import open_remote
from stages.errors import PipelineError

REMOTE_SECONDS = 30.0


class UntrustedError(PipelineError):
    """The certificate of a server can't be verified."""


def cache_folder(root: Path) -> Path:
    """DVC's cache: of this project, or one that several share."""
    with open_repo(root) as repo:
        return Path(str(repo.cache.local.path))


def check_dvc(root: Path) -> Iterator[Finding]:
    """Open the project as DVC does: nothing is found where that works.

    Raises:
        PipelineError: It can't be opened.
    """
    open_repo(root).close()
    yield from ()


def check_cache(root: Path) -> Iterator[Finding]:
    """Look whether DVC can write its cache."""
    folder = cache_folder(root)
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if not there.is_dir():
        yield Finding(
            "cache",
            "fail",
            f"{there} is a file, but DVC needs a folder there for its cache",
            f"mv {there} {there}.moved",
        )
    elif not os.access(there, os.W_OK | os.X_OK):
        yield Finding("cache", "fail", f"{there} can't be written", "dvc cache dir --local FOLDER")
    else:
        yield Finding("cache", "ok", f"{folder}{'' if folder.exists() else ' (DVC will create it)'}")


def check_remote(root: Path) -> Iterator[Finding]:
    """Ask whether there is a default remote, and whether it can be listed."""
    try:
        found = ask(root, __name__, seconds=REMOTE_SECONDS)
    except PipelineError as error:
        fix = "dvc remote list; credentials are those of the storage's own tools (docs/workers.md)"
        yield Finding("DVC remote", "fail", str(error), fix)
        return
    if found is None:
        detail = "none: results stay on this machine, so workers can't share them"
        yield Finding("DVC remote", "note", detail, "dvc remote add -d storage URL")
    elif found["untrusted"]:
        fix = "dvc remote modify --local NAME ssl_verify FILE   # certificates of the authority that signed it"
        yield Finding("DVC remote", "fail", f"{found['path']}: {found['untrusted']}", fix)
    elif not found["exists"]:
        yield Finding("DVC remote", "note", f"{found['path']} is empty or missing", "dvc push --run-cache")
    else:
        yield Finding("DVC remote", "ok", f"{found['path']} answers")


def _exists(store: Any) -> bool:
    """Return whether a store of the remote exists.

    fsspec's HTTP file system says False of a server that does not answer, unless it is asked strictly. A server that
    answers but does not show a folder (403, 404, 405) may still have its objects.

    Raises:
        UntrustedError: The certificate of an HTTPS server can't be verified.
        PipelineError: An HTTP server does not answer, or refuses who asks.
    """
    if store.fs.protocol not in ("http", "https"):
        return bool(store.fs.exists(store.path))
    import aiohttp

    try:
        return bool(store.fs.fs.exists(store.path, strict=True))
    except aiohttp.ClientResponseError as error:
        if error.status in (403, 405):
            return False
        raise PipelineError(f"{urlsplit(store.path).hostname} answers with the status {error.status}") from error
    except aiohttp.ClientConnectorCertificateError as error:
        reason = getattr(error.certificate_error, "verify_message", None) or str(error.certificate_error)
        raise UntrustedError(f"its certificate can't be verified: {reason}") from error
    except aiohttp.ClientSSLError as error:
        raise PipelineError(f"{urlsplit(store.path).hostname} does not speak TLS there. Correct the URL") from error
    except (aiohttp.ClientError, OSError) as error:
        raise PipelineError(f"{urlsplit(store.path).hostname} does not answer") from error


def main() -> None:
    """Print the path of the default remote of the project in the current folder, and whether it is there."""
    with open_repo(Path.cwd()) as repo:
        stores = open_remote(repo)
        answer = None
        if stores:
            path = stores.objects.fs.unstrip_protocol(stores.objects.path)
            answer = {"path": path, "exists": False, "untrusted": None}
            try:
                answer["exists"] = _exists(stores.objects)
            except UntrustedError as error:
                answer["untrusted"] = str(error)
    sys.stdout.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
