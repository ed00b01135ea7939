"""Every example of docs/using-the-model.md runs."""

import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from pipeline.cli import app

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/using-the-model.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, flags=re.DOTALL)
COMMANDS = [line for kind, block in BLOCKS if kind == "bash" for line in block.splitlines()]
PLAIN = [command for command in COMMANDS if command.startswith("retune ")]
PIPED = [command for command in COMMANDS if not command.startswith("retune ")]
CODE = [block for kind, block in BLOCKS if kind == "python"]


@pytest.fixture
def project(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project whose run is finished, and somebody's reviews in every format; what predict remembers is its own."""
    root = tmp_path_factory.mktemp("project")
    subprocess.run(["git", "init", "-q", root], check=True)
    (root / ".dvc").mkdir()
    (root / "dvc.yaml").touch()
    for folder in (root / "data/report/model", root / "path/to/model"):
        shutil.copytree(model, folder)
    texts = ["good app", "bad crash", ""]
    (root / "reviews.csv").write_text("text,stars\n" + "".join(f"{text},3\n" for text in texts))
    (root / "reviews.jsonl").write_text("".join(f'{{"text": "{text}"}}\n' for text in texts))
    (root / "reviews.txt").write_text("".join(f"{text}\n" for text in texts))
    pq.write_table(pa.table({"text": texts}), root / "reviews.parquet")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield root


def test_the_page_has_examples() -> None:
    assert len(PLAIN) >= 8
    assert len(PIPED) == 2
    assert len(CODE) == 2


@pytest.mark.parametrize("command", PLAIN)
def test_commands(project: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.chdir(project)
    arguments = shlex.split(command)[1:]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.exception
    if "--out" in arguments:
        assert Path(arguments[arguments.index("--out") + 1]).stat().st_size
    else:
        assert re.match(r"(ham|spam)  0\.\d{3}  ", result.stdout)


@pytest.mark.parametrize("command", PIPED)
def test_piped_commands(project: Path, tmp_path: Path, command: str) -> None:
    retune = tmp_path / "retune"
    retune.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m pipeline.cli "$@"\n')
    retune.chmod(retune.stat().st_mode | stat.S_IXUSR)
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    result = subprocess.run(["bash", "-c", command], cwd=project, env=environment, capture_output=True, check=False)
    assert result.returncode == 0, result.stderr
    lines = (project / "labelled.csv").read_text().splitlines()
    assert lines[0].endswith("prediction,probability,error")
    assert len(lines) == 4


@pytest.mark.parametrize("code", CODE)
def test_python(project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], code: str) -> None:
    monkeypatch.chdir(project)
    exec(compile(code, "docs/using-the-model.md", "exec"), {})
    assert re.search(r"ham|spam", capsys.readouterr().out)
