"""What is wrong in a project is found, and the command that is named fixes it."""

import datetime
import ipaddress
import json
import os
import shlex
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import psutil
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from filelock import FileLock

from pipeline.diagnosis.finding import Finding, examine
from pipeline.diagnosis.project import check_git, check_graph, check_locks, check_params, check_runs
from pipeline.diagnosis.storage import check_cache, check_remote
from pipeline.execution import workspace
from pipeline.execution.stage_process import MARKER
from tests.pipeline import toy


def find(name: str, check: Callable[[Path], Iterator[Finding]], root: Path) -> Finding:
    """The worst finding of a check."""
    return max(examine(name, check, root), key=lambda finding: ["ok", "note", "fail"].index(finding.state))


@pytest.mark.parametrize("check", [check_git, check_graph, check_runs, check_locks, check_cache])
def test_a_sound_project_is_ok(check: Callable[[Path], Iterator[Finding]], toy_that_ran: Path) -> None:
    findings = examine("x", check, toy_that_ran)
    assert [finding.state for finding in findings if finding.fix is None or "git config" not in finding.fix] == ["ok"]


def dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def reader(pid: int) -> str:
    return json.dumps({"write": {}, "read": {"/x": [{"pid": pid, "cmd": "dvc repro"}]}})


@pytest.mark.parametrize("content", ["{", "[]", "another process", "folder"])
def test_a_list_of_paths_in_use_that_stops_dvc_is_named_and_the_command_removes_it(project: Path, content: str) -> None:
    path = project / ".dvc/tmp/rwlock"
    path.unlink(missing_ok=True)
    path.parent.mkdir(exist_ok=True)
    process = subprocess.Popen(["sleep", "60"])
    if content == "folder":
        path.mkdir()
    else:
        path.write_text(reader(process.pid) if content == "another process" else content)
    finding = find("locks", check_locks, project)
    process.kill()
    process.wait()
    assert finding.state == "fail"
    subprocess.run(shlex.split(finding.fix or ""), cwd=project, check=True)
    assert find("locks", check_locks, project).state == "ok"


def test_what_dvc_takes_off_its_list_by_itself_is_ok(project: Path) -> None:
    (project / ".dvc/tmp/rwlock").write_text(reader(dead_pid()))
    assert find("locks", check_locks, project).state == "ok"


def test_looking_repairs_nothing(project: Path) -> None:
    path = project / ".dvc/tmp/rwlock"
    path.write_text(reader(dead_pid()))
    (project / "data/x.partial").write_text("half")
    find("locks", check_locks, project)
    find("runs", check_runs, project)
    assert path.exists()
    assert (project / "data/x.partial").exists()


def test_half_files_are_named_and_a_run_removes_them(project: Path) -> None:
    (project / "data/x.partial").write_text("half")
    finding = find("runs", check_runs, project)
    assert (finding.state, finding.fix) == ("note", "retune run")
    assert "data/x.partial" in finding.detail
    with workspace.hold(project):
        assert find("x", check_locks, project).state == "ok"
    assert find("runs", check_runs, project).state == "ok"


def test_a_process_of_a_killed_run_is_named(project: Path) -> None:
    marked = {**os.environ, MARKER: str(project.resolve())}
    process = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(60)"], env=marked, start_new_session=True
    )
    try:
        psutil.Process(process.pid).environ()
        finding = find("runs", check_runs, project)
        assert finding.state == "fail"
        assert str(process.pid) in finding.detail
    finally:
        process.kill()
        process.wait()


def test_an_active_run_is_no_fault(project: Path) -> None:
    (project / ".retune").mkdir(exist_ok=True)
    with FileLock(project / ".retune/run.lock"):
        finding = find("runs", check_runs, project)
    assert finding.state == "note"
    assert "Another run uses this workspace" in finding.detail


def test_what_no_stage_owns_is_named(project: Path) -> None:
    toy.edit(project, "params.yaml", "seeds: [1, 2]", "seeds: [1]")
    finding = [finding for finding in examine("dvc.yaml", check_graph, project) if finding.check == "leftovers"]
    assert [(one.state, one.fix) for one in finding] == [("note", "retune run")]
    assert "data/train/2" in finding[0].detail


@pytest.mark.parametrize(
    ("name", "text", "check", "message"),
    [
        ("params.yaml", "seeds: [1", check_params, r"params.yaml is not valid YAML"),
        ("dvc.yaml", "stages: [", check_graph, "dvc.yaml is not valid YAML"),
        ("dvc.lock", "<<<<<<< HEAD\n", check_graph, "git checkout HEAD -- dvc.lock"),
        (".dvc/config", "[core", check_remote, "DVC's configuration can't be read"),
        (".dvc/config", "[core", check_cache, "DVC's configuration can't be read"),
    ],
)
def test_a_broken_file_is_one_failure(
    project: Path, name: str, text: str, check: Callable[[Path], Iterator[Finding]], message: str
) -> None:
    (project / name).write_text(text)
    findings = examine("x", check, project)
    assert [finding.state for finding in findings] == ["fail"]
    assert message in findings[0].detail


def test_git_without_a_name_and_a_shallow_clone(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.delenv("GIT_CONFIG_GLOBAL", raising=False)
    toy.git(project, "commit", "-q", "--allow-empty", "-m", "Second")
    toy.git(tmp_path, "clone", "-q", "--depth=1", f"file://{project}", "shallow")
    fixes = {finding.fix for finding in examine("git", check_git, tmp_path / "shallow") if finding.state == "note"}
    assert "git fetch --unshallow" in fixes
    assert any(fix and "user.email" in fix for fix in fixes)


def test_no_remote_is_a_note_and_a_remote_is_asked(project: Path, tmp_path: Path) -> None:
    finding = find("DVC remote", check_remote, project)
    assert (finding.state, finding.fix) == ("note", "dvc remote add -d storage URL")
    toy.add_remote(project, str(tmp_path / "remote"))
    assert find("DVC remote", check_remote, project).fix == "dvc push --run-cache"
    toy.dvc(project, "push", "-q")
    assert find("DVC remote", check_remote, project).state == "ok"


@pytest.mark.parametrize(
    ("url", "message"),
    [("s3://user:s3cr3t@bucket/x", ""), ("oss://bucket/x", "needs a package")],
    ids=["no credentials", "no package"],
)
def test_a_remote_that_can_t_be_used_is_a_failure_without_its_secret(project: Path, url: str, message: str) -> None:
    toy.add_remote(project, url)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        patch.setenv("AWS_MAX_ATTEMPTS", "1")
        finding = find("DVC remote", check_remote, project)
    assert finding.state == "fail"
    assert message in finding.detail
    assert "s3cr3t" not in finding.detail


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/x", "http://no-such-host.invalid/x", "https://127.0.0.1:9/x"])
def test_an_http_remote_that_does_not_answer_is_a_failure(project: Path, url: str) -> None:
    toy.add_remote(project, url)
    finding = find("DVC remote", check_remote, project)
    assert (finding.state, "does not answer" in finding.detail) == ("fail", True)


def certificate(folder: Path, *, days: int, name: str) -> Path:
    """A file with a certificate that its own key signs, which ends so many days from now, and with the key."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    names = [x509.IPAddress(ipaddress.ip_address(name)) if name[0].isdigit() else x509.DNSName(name)]
    signed = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=9))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    file = folder / "certificate.pem"
    file.write_bytes(
        signed.public_bytes(serialization.Encoding.PEM) + key.private_bytes(serialization.Encoding.PEM, *plain)
    )
    return file


CERTIFICATES = {  # days left, name, whether DVC is told to trust it -> state, what is said
    "nobody trusts it": (9, "127.0.0.1", False, "fail", "certificate can't be verified: self-signed certificate"),
    "expired": (-1, "127.0.0.1", True, "fail", "certificate can't be verified: certificate has expired"),
    "of another host": (9, "other.example", True, "fail", "certificate can't be verified: IP address mismatch"),
    "trusted": (9, "127.0.0.1", True, "note", "is empty or missing"),
}


class NotFound(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_error(404)


@pytest.mark.parametrize("case", CERTIFICATES)
def test_a_certificate_that_can_t_be_verified_is_named(project: Path, tmp_path: Path, case: str) -> None:
    days, name, trusted, state, message = CERTIFICATES[case]
    file = certificate(tmp_path, days=days, name=name)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    with HTTPServer(("127.0.0.1", 0), NotFound) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        toy.add_remote(project, f"https://127.0.0.1:{server.server_port}/x")
        if trusted:
            toy.dvc(project, "remote", "modify", "storage", "ssl_verify", str(file))
        finding = find("DVC remote", check_remote, project)
        server.shutdown()
    assert (finding.state, message in finding.detail) == (state, True), finding
    assert ("ssl_verify" in (finding.fix or "")) == (state == "fail")


def test_a_remote_of_https_that_is_one_of_http_is_named(project: Path) -> None:
    with HTTPServer(("127.0.0.1", 0), NotFound) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        toy.add_remote(project, f"https://127.0.0.1:{server.server_port}/x")
        finding = find("DVC remote", check_remote, project)
        server.shutdown()
    assert (finding.state, finding.detail) == ("fail", "127.0.0.1 does not speak TLS there. Correct the URL")


@pytest.mark.parametrize(
    ("status", "state"), [(200, "ok"), (404, "note"), (403, "note"), (405, "note"), (401, "fail"), (501, "fail")]
)
def test_an_http_remote_is_judged_by_its_answer(project: Path, status: int, state: str) -> None:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        toy.add_remote(project, f"http://127.0.0.1:{server.server_port}/x")
        assert find("DVC remote", check_remote, project).state == state
        server.shutdown()
