"""The genuine s3fs client reads a file from a stand-in for S3 on this machine; needs the extra `s3`."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.stages.download.servers import serve

pytest.importorskip("s3fs", reason="the extra s3 is not installed")

ROOT = Path(__file__).parents[3]
ROWS = b"text,label\n" + b"".join(b"text number %d,%d\n" % (number, number % 2) for number in range(5_000))
FETCH = """
import sys
from pathlib import Path
from stages.download.stores import fetch_from_store
fetch_from_store(sys.argv[1], Path(sys.argv[2]))
"""


def fetch(url: str, source: str, path: Path) -> subprocess.CompletedProcess[str]:
    credentials = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "s3cret", "AWS_DEFAULT_REGION": "us-east-1"}
    environment = {"AWS_ENDPOINT_URL": url, "PYTHONPATH": ":".join([str(ROOT), *sys.path]), **credentials}
    command = [sys.executable, "-c", FETCH, source, str(path)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


def test_a_file_of_a_bucket(tmp_path):
    with serve({"/bucket/folder/rows.csv": ROWS}) as server:
        done = fetch(server.url(""), "s3://bucket/folder/rows.csv", tmp_path / "rows.csv")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "rows.csv").read_bytes() == ROWS
    assert "s3cret" not in done.stdout + done.stderr + str(server.requests)


def test_a_file_that_is_not_there(tmp_path):
    with serve({}) as server:
        done = fetch(server.url(""), "s3://bucket/rows.csv", tmp_path / "rows.csv")
    assert "DataError: s3://bucket/rows.csv is missing. Mend download.dataset.files" in done.stderr
    assert not (tmp_path / "rows.csv").exists()
