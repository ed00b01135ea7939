"""`retune doctor` as a user gives it."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.diagnosis import diagnose, machine
from tests.pipeline import toy


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the seconds that torch and Prefect take; both are tested in test_machine.py."""
    found = {"torch": "2.13.0", "cuda_build": None, "gpus": [], "gpu_bf16": False, "mps": False, "cpu_bf16": None}
    monkeypatch.setattr(machine, "ask", lambda *_, **__: found | {"threads": 2, "cores": 2})
    monkeypatch.setattr(diagnose, "_check_prefect", lambda: iter(()))


def findings(*arguments: str) -> tuple[int, list[dict[str, Any]]]:
    done = CliRunner().invoke(app, ["doctor", "--json", *arguments])
    return done.exit_code, json.loads(done.stdout)


def test_every_part_is_looked_at(inside: Path) -> None:
    code, found = findings()
    assert [one["check"] for one in found if one["state"] == "fail"] == ["params.yaml"]  # the toy's own
    assert code == 1
    parts = {
        "Python",
        "GPU",
        "project",
        "params.yaml",
        "dvc.yaml",
        "git",
        "runs",
        "locks",
        "cache",
        "DVC remote",
        "disk",
    }
    assert parts <= {one["check"] for one in found}


def test_a_line_each_and_the_command_below_it(inside: Path) -> None:
    text = CliRunner().invoke(app, ["doctor"], env={"COLUMNS": "60"}).stdout.splitlines()
    remote = next(index for index, line in enumerate(text) if line.startswith("note  DVC remote "))
    assert text[remote + 1].strip() == "dvc remote add -d storage URL"


def test_it_passes_where_nothing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = toy.own_project(tmp_path / "project")
    toy.dvc(root, "config", "core.analytics", "false")
    monkeypatch.chdir(root)
    code, found = findings()
    assert [one for one in found if one["state"] == "fail"] == []
    assert code == 0


DAMAGED = {
    "a section without an end": (".dvc/config", "[core"),
    "YAML": (".dvc/config", "a: ["),
    "an unknown section": (".dvc/config.local", "[klingon]\nx = 1\n"),
    "a value of another kind": (".dvc/config", "[core]\nautostage = perhaps\n"),
    "no text": (".dvcignore", "\udcff"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_what_keeps_dvc_from_opening_the_project_is_said_once_and_the_disk_is_measured(inside: Path, case: str) -> None:
    name, text = DAMAGED[case]
    (inside / name).write_bytes(text.encode("utf-8", "surrogateescape"))
    code, found = findings()
    failures = [one["detail"] for one in found if one["state"] == "fail" and one["check"] != "params.yaml"]
    assert (code, len(failures)) == (1, 1)
    assert name.removesuffix(".local") in failures[0]
    assert ".. " not in failures[0]
    assert all("GB free at" in one["detail"] for one in found if one["check"] == "disk")
    assert {"git", "runs", "locks", "disk"} <= {one["check"] for one in found}


def test_outside_of_a_project_the_machine_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code, found = findings()
    assert code == 1
    assert [one["check"] for one in found if one["state"] == "fail"] == ["project"]
    assert {"Python", "GPU", "disk"} <= {one["check"] for one in found}


def test_a_package_that_is_missing_is_a_finding_and_no_traceback(inside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def check(_: Path) -> Any:
        raise ModuleNotFoundError("No module named 'dvc'")

    monkeypatch.setattr(diagnose, "_check_project", check)
    code, found = findings()
    assert code == 1
    assert "No module named 'dvc'" in next(one["detail"] for one in found if one["state"] == "fail")
