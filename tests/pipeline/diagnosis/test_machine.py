"""Packages, GPU, disk and Prefect: what is found, and what is said of it."""

import os
import shutil
import socket
import sys
import threading
from collections import namedtuple
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import prefect
import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from pipeline.diagnosis import machine, probe, server
from pipeline.diagnosis.finding import examine
from pipeline.diagnosis.machine import (
    check_disk,
    check_hardware,
    check_packages,
    check_python,
    missing_packages,
    read_pins,
)
from stages.errors import PipelineError

CPU = {"torch": "2.13.0", "cuda_build": None, "gpus": [], "gpu_bf16": False, "mps": False, "cpu_bf16": None}
CPU |= {"threads": 2, "cores": 2}
GPU = CPU | {"gpus": [{"name": "H100", "memory_gib": 79.2}], "gpu_bf16": True}


def states(findings: list[Any]) -> list[tuple[str, str]]:
    return [(finding.check, finding.state) for finding in findings]


def test_pins_that_hold_are_ok() -> None:
    assert states(examine("x", check_packages, "numpy>=1  # any\n\nno-such-package==1\n")) == [("packages", "ok")]


@pytest.mark.parametrize(
    ("pins", "state", "detail"),
    [
        ("numpy==0.1\n", "note", "numpy"),
        ("numpy==0.1 ; python_version < '3'\n", "ok", "0 match"),
        ("numpy==\n", "fail", "lines that can't be read as NAME==VERSION: numpy=="),
        (None, "note", "no constraints.txt"),
    ],
)
def test_pins_that_do_not_hold(pins: str | None, state: str, detail: str) -> None:
    (finding,) = examine("x", check_packages, pins)
    assert finding.state == state
    assert detail in finding.detail
    assert (finding.fix == machine.INSTALL) == (pins == "numpy==0.1\n")


def test_a_build_of_the_pinned_release_is_the_pinned_release() -> None:
    (pin,), _ = read_pins("torch==2.13.0")
    assert pin.specifier.contains("2.13.0+cpu")


@pytest.mark.parametrize(
    ("requirement", "missing"),
    [
        ("numpy>=2", []),
        ("numpy>=3", ["numpy>=3"]),
        ("absent>=1", ["absent>=1"]),
        ("absent", ["absent"]),
        ("absent; extra == 'dev'", []),
        ("absent; python_version < '3'", []),
    ],
)
def test_requirements_that_nothing_meets(requirement: str, missing: list[str]) -> None:
    assert missing_packages([requirement], {"numpy": "2.1"}) == missing


def test_a_missing_package_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine.importlib.metadata, "requires", lambda _: ["absent>=1"])
    findings = examine("x", check_packages, "numpy>=1")
    assert [(one.state, one.detail, one.fix) for one in findings] == [
        ("fail", "not installed: absent>=1", machine.INSTALL)
    ]


@pytest.mark.parametrize(
    ("hardware", "has_driver", "expected"),
    [
        (
            CPU,
            False,
            [("GPU", "ok", "none"), ("CPU", "ok", "no units for bf16: finetune.precision auto trains in float32")],
        ),
        (
            CPU | {"cpu_bf16": "AMX"},
            False,
            [("GPU", "ok", "none"), ("CPU", "ok", "AMX: finetune.precision auto trains in bf16")],
        ),
        (CPU, True, [("GPU", "note", "is built for CPUs only, sees no GPU"), ("CPU", "ok", "")]),
        (CPU | {"cuda_build": "12.8"}, True, [("GPU", "note", "built for CUDA 12.8"), ("CPU", "ok", "")]),
        (GPU, True, [("GPU", "ok", "H100 (79.2 GiB)")]),
        (GPU | {"gpu_bf16": False}, True, [("GPU", "ok", "training uses fp16")]),
        (CPU | {"mps": True}, False, [("GPU", "ok", "MPS")]),
    ],
)
def test_what_pytorch_can_use(
    monkeypatch: pytest.MonkeyPatch, hardware: dict[str, Any], has_driver: bool, expected: list[tuple[str, str, str]]
) -> None:
    monkeypatch.setattr(machine, "ask", lambda *_, **__: hardware)
    monkeypatch.setattr(machine.shutil, "which", lambda name: f"/usr/bin/{name}" if has_driver else None)
    findings = examine("x", check_hardware, Path())
    assert states(findings) == [(check, state) for check, state, _ in expected]
    for finding, (*_, detail) in zip(findings, expected, strict=True):
        assert detail in finding.detail


@pytest.mark.slow
def test_hardware_is_asked_in_a_process_of_its_own(tmp_path: Path) -> None:
    assert set(probe.ask(tmp_path, "stages.hardware", seconds=300)) == set(CPU)


@pytest.mark.parametrize(
    ("module", "seconds", "message"),
    [("no_such_module", 60, "No module named"), ("this_waits", 0.5, r"no answer in 0.5 seconds")],
)
def test_a_question_that_is_not_answered(tmp_path: Path, module: str, seconds: float, message: str) -> None:
    (tmp_path / "this_waits.py").write_text("import time; time.sleep(60)")
    with pytest.MonkeyPatch.context() as patch, pytest.raises(PipelineError, match=message):
        patch.setenv("PYTHONPATH", str(tmp_path))
        probe.ask(tmp_path, module, seconds=seconds)


@pytest.mark.parametrize(("free", "state"), [(0.5, "fail"), (3, "note"), (50, "ok")])
def test_free_disk_space(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, free: float, state: str) -> None:
    usage = namedtuple("usage", "total used free")(0, 0, free * 1e9)
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda _: usage)
    findings = examine("x", check_disk, [tmp_path, tmp_path / "not/yet/there"])
    assert states(findings) == [("disk", state)] * len(findings)
    assert len(findings) <= 2  # a line per disk
    assert all((finding.fix is None) == (state == "ok") for finding in findings)


@pytest.mark.parametrize("first", [None, "/usr/bin/python"])
def test_another_python_on_the_path(monkeypatch: pytest.MonkeyPatch, first: str | None) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: first)
    finding = examine("x", check_python)[-1]
    assert (finding.check, finding.state) == ("PATH", "note")
    assert str(Path(sys.executable).parent) in (finding.fix or "")


def test_prefect_without_and_with_an_api(monkeypatch: pytest.MonkeyPatch) -> None:
    with temporary_settings(restore_defaults={PREFECT_API_URL}):
        assert states(examine("Prefect", server.check_prefect)) == [("Prefect", "ok")]
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        (finding,) = examine("Prefect", server.check_prefect)
    assert finding.state == "fail"
    assert "http://127.0.0.1:9/api does not answer" in finding.detail


class Api:
    """A client of Prefect's API that answers with a version, or is refused with a status."""

    def __init__(self, answer: str | int) -> None:
        self.answer = answer

    def __enter__(self) -> "Api":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def api_version(self) -> str:
        if isinstance(self.answer, int):
            request = httpx.Request("GET", "http://server/api")
            raise httpx.HTTPStatusError("refused", request=request, response=httpx.Response(self.answer))
        return self.answer


@pytest.mark.parametrize(
    ("answer", "state", "fix"),
    [
        (prefect.__version__, "ok", None),
        ("2.1.0", "note", "python -m pip install prefect==2.1.0"),
        (401, "fail", "export PREFECT_API_AUTH_STRING=USER:PASSWORD"),
    ],
)
def test_what_prefects_api_answers(
    monkeypatch: pytest.MonkeyPatch, answer: str | int, state: str, fix: str | None
) -> None:
    monkeypatch.setattr(server, "answers", lambda _: True)
    monkeypatch.setattr(prefect.client.orchestration, "get_client", lambda **_: Api(answer))
    with temporary_settings({PREFECT_API_URL: "http://user:s3cr3t@server/api"}):
        (finding,) = examine("Prefect", server.check_prefect)
    assert (finding.state, finding.fix) == (state, fix)
    assert "s3cr3t" not in finding.detail


class Stranger(BaseHTTPRequestHandler):
    """A server that is well, and has another thing than Prefect's API behind `/admin/version`."""

    answer: bytes | int | None

    def do_GET(self) -> None:
        answer = b"true" if self.path.endswith("/health") else self.answer
        if answer is None:  # breaks off
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.send_response(answer if isinstance(answer, int) else 200)
        self.end_headers()
        self.wfile.write(b"" if isinstance(answer, int) else answer)

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize("answer", [None, b"", b"<html>", b'{"version": 3}', b"3", b"null", 302, 404, 500])
def test_a_server_that_is_not_prefects(answer: bytes | int | None) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Other", (Stranger,), {"answer": answer})) as other:
        thread = threading.Thread(target=other.serve_forever, daemon=True)
        thread.start()
        with temporary_settings({PREFECT_API_URL: f"http://127.0.0.1:{other.server_port}/api"}):
            (finding,) = examine("Prefect", server.check_prefect)
        other.shutdown()
    assert finding.state == "fail"
    assert "is not a Prefect API" in finding.detail
    assert finding.fix == server.NOT_PREFECT


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("raise SystemExit('error: no such remote')", "no such remote"),
        ("from stages.errors import PipelineError; raise PipelineError('no such remote')", "no such remote"),
        ("raise OSError('no such remote')", "no such remote"),
        ("raise SystemExit('dvc: no such remote')", "dvc: no such remote"),
    ],
)
def test_what_another_process_says_is_shown_without_the_name_of_its_error(
    code: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "asked_module.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(PipelineError, match=f"^{message}$"):
        probe.ask(tmp_path, "asked_module", seconds=60)
