"""Who may read what a run writes, and who can reach its server."""

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from pipeline.local import server
from tests.pipeline import toy

pytestmark = pytest.mark.slow
OTHERS = stat.S_IRWXG | stat.S_IRWXO


def modes(root: Path) -> dict[str, int]:
    return {str(path): path.lstat().st_mode for path in root.rglob("*") if not path.is_symlink()}


@pytest.mark.parametrize(("umask", "forbidden"), [("077", OTHERS), ("027", stat.S_IRWXO), ("022", 0o022)])
def test_a_run_keeps_to_the_umask(project: Path, prefect_api: str, umask: str, forbidden: int) -> None:
    before = set(modes(project))
    toy.edit(project, "params.yaml", "length: 5", "length: 6")
    command = f"umask {umask} && exec {sys.executable} -P -m pipeline.cli run"
    environment = toy.environment(PREFECT_API_URL=prefect_api)
    done = subprocess.run(["sh", "-c", command], cwd=project, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    new = {path: mode for path, mode in modes(project).items() if path not in before}
    assert any("/.retune/logs/" in path for path in new)
    assert any("/.dvc/cache/" in path for path in new)
    wrong = {path: oct(mode) for path, mode in new.items() if mode & forbidden}
    # DVC gives its objects the mode 0444 whatever the umask says; the folders that they lie in keep to it
    assert {path for path in wrong if "/.dvc/cache/files/md5/" not in path or stat.S_ISDIR(new[path])} == set()


def test_the_server_is_this_machine_s_and_its_database_this_user_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "prefect"
    home.mkdir(mode=0o755)
    monkeypatch.setenv("PREFECT_HOME", str(home))
    monkeypatch.setenv("PREFECT_SERVER_API_HOST", "0.0.0.0")
    port = server.free_port()
    before = os.umask(0o022)
    try:
        with server.serve(port):
            listening = [
                connection.laddr.ip
                for process in psutil.Process().children(recursive=True)
                for connection in process.net_connections(kind="inet")
                if connection.status == psutil.CONN_LISTEN
            ]
            assert set(listening) == {"127.0.0.1"}
            with socket.socket() as other, pytest.raises(ConnectionRefusedError):
                other.connect(("127.0.0.2", port))
            databases = list(home.glob("prefect.db*"))
            assert databases
            assert {path.name: oct(path.stat().st_mode) for path in databases if path.stat().st_mode & OTHERS} == {}
    finally:
        os.umask(before)
