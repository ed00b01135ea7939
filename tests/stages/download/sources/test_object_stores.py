"""The stores' genuine clients read a file from stand-ins on this machine; each needs its extra, Azure also Azurite."""

import base64
import contextlib
import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stages.download.servers import serve

ROOT = Path(__file__).parents[4]
ROWS = b"text,label\n" + b"".join(b"text number %d,%d\n" % (number, number % 2) for number in range(5_000))
SECRET = "s3cret"
FETCH = """
import sys
from pathlib import Path
from stages.download.sources.object_stores import fetch_from_store
fetch_from_store(sys.argv[1], Path(sys.argv[2]))
"""
KEY = base64.b64encode(SECRET.encode()).decode()
AZURITE = shutil.which("azurite-blob")


def installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


STORES = [
    pytest.param("s3", marks=pytest.mark.skipif(not installed("s3fs"), reason="the extra s3 is not installed")),
    pytest.param("gs", marks=pytest.mark.skipif(not installed("gcsfs"), reason="the extra gcs is not installed")),
    pytest.param(
        "az",
        marks=pytest.mark.skipif(
            not installed("adlfs") or not AZURITE,
            reason="the extra azure or the emulator (npm install -g azurite) is not installed",
        ),
    ),
]


@pytest.fixture
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """The scheme of a store that has bucket/folder/rows.csv, and the environment in which its client finds it."""
    stand_ins = {"s3": s3, "gs": google, "az": azure}
    with stand_ins[request.param](tmp_path) as environment:
        yield request.param, environment


@contextlib.contextmanager
def s3(folder: Path) -> Iterator[dict[str, str]]:
    with serve({"/bucket/folder/rows.csv": ROWS}) as server:
        keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_DEFAULT_REGION": "us-east-1"}
        yield {"AWS_ENDPOINT_URL": server.url(""), **keys}
        assert SECRET not in str(server.requests)


@contextlib.contextmanager
def google(folder: Path) -> Iterator[dict[str, str]]:
    with serve({}) as server:
        media = "/download/storage/v1/b/bucket/o/folder%2Frows.csv?alt=media"
        entry = {"name": "folder/rows.csv", "bucket": "bucket", "size": str(len(ROWS)), "mediaLink": server.url(media)}
        server.files["/storage/v1/b/bucket/o/folder%2Frows.csv"] = json.dumps(entry).encode()
        server.files[media] = ROWS
        yield {"STORAGE_EMULATOR_HOST": server.url("")}


@contextlib.contextmanager
def azure(folder: Path) -> Iterator[dict[str, str]]:
    from azure.storage.blob import BlobServiceClient

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(AZURITE), "--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry"]
    process = subprocess.Popen(
        [*command, "--blobHost", "127.0.0.1", "--blobPort", str(port)],
        cwd=folder,
        env=os.environ | {"AZURITE_ACCOUNTS": f"tester:{KEY}"},
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_for(port)
        account = f"AccountName=tester;AccountKey={KEY};BlobEndpoint=http://127.0.0.1:{port}/tester;"
        connection = f"DefaultEndpointsProtocol=http;{account}"
        container = BlobServiceClient.from_connection_string(connection).create_container("bucket")
        container.upload_blob("folder/rows.csv", ROWS)
        yield {"AZURE_STORAGE_CONNECTION_STRING": connection}
    finally:
        process.terminate()
        process.wait(timeout=30)


def wait_for(port: int) -> None:
    for _ in range(300):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    raise TimeoutError(f"nothing listens on port {port}")


def fetch(environment: dict[str, str], source: str, path: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", FETCH, source, str(path)]
    modules = {"PYTHONPATH": ":".join([str(ROOT), *sys.path])}
    return subprocess.run(command, env=modules | environment, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("store", STORES, indirect=True)
def test_a_file_of_a_bucket(store: tuple[str, dict[str, str]], tmp_path: Path) -> None:
    scheme, environment = store
    done = fetch(environment, f"{scheme}://bucket/folder/rows.csv", tmp_path / "rows.csv")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "rows.csv").read_bytes() == ROWS
    assert SECRET not in done.stdout + done.stderr
    assert KEY not in done.stdout + done.stderr


@pytest.mark.parametrize("store", STORES, indirect=True)
def test_a_file_that_is_not_there(store: tuple[str, dict[str, str]], tmp_path: Path) -> None:
    scheme, environment = store
    done = fetch(environment, f"{scheme}://bucket/rows.csv", tmp_path / "rows.csv")
    assert f"DataError: {scheme}://bucket/rows.csv is missing. Correct download.dataset.files" in done.stderr
    assert not (tmp_path / "rows.csv").exists()
