"""The six stages in a repository of their own: a tiny random encoder, a small CSV, everything else as it is shipped."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline.repository.project import Project
from stages.download.__main__ import main as download
from stages.download.collect import collect_rows
from stages.errors import DataError
from stages.params import read_params
from stages.paths import Paths
from tests.end_to_end import small_project
from tests.pipeline import toy

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with its toy data and encoder, before any run."""
    return small_project.create(tmp_path_factory.mktemp("end_to_end") / "fresh")


@pytest.fixture(scope="module")
def ran(fresh: Path) -> Path:
    """The same after `dvc repro`."""
    root = fresh.parent / "ran"
    shutil.copytree(fresh, root)
    toy.dvc(root, "repro")
    return root


def retune(root: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "pipeline.cli", *arguments]
    done = subprocess.run(command, cwd=root, env=toy.environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def lasting(root: Path) -> dict[str, str]:
    """The hash of every output that does not tell the time."""
    return {path: md5 for path, md5 in toy.hashes(root).items() if not path.startswith("data/timing/")}


def stages_that_ran(text: str) -> list[str]:
    return re.findall(r"^Running stage '(.*)'", text, re.MULTILINE)


def test_exactly_the_declared_files_are_written(ran: Path) -> None:
    with Project(ran) as project:
        declared = {out for stage in project.graph.stages for out in stage.outs}
    written = {path.relative_to(ran).as_posix() for path in (ran / "data").rglob("*") if path.is_file()}
    written -= {"data/.gitignore", "data/corrections.csv", "data/samples/toy.csv"}
    written -= {"data/crossfit/.gitkeep", "data/extrapolate/.gitkeep"}
    strays = {path for path in written if not any(path == out or path.startswith(f"{out}/") for out in declared)}
    assert strays == set()
    assert {out for out in declared if not (ran / out).exists()} == set()
    untracked = toy.git(ran, "status", "--porcelain", "--untracked-files=all", "data").split()
    assert not [path for path in untracked if path.endswith((".safetensors", ".parquet", ".arrow", ".html"))]


def test_a_second_run_runs_nothing(ran: Path) -> None:
    assert stages_that_ran(toy.dvc(ran, "repro")) == []
    assert "Nothing has changed: nothing to run." in retune(ran, "run")


def test_other_times_of_equal_results_run_nothing(ran: Path) -> None:
    for stage in ("finetune@42", "evaluate@42"):
        path = Paths(ran).timing(stage)
        path.unlink()  # it may be a link into DVC's cache
        path.write_text('{"seconds": 123456.0}')
        toy.dvc(ran, "commit", "-q", "-f", stage)
    assert {line["state"] for line in json.loads(retune(ran, "plan", "--json"))} == {"fresh"}
    assert stages_that_ran(toy.dvc(ran, "repro")) == []


def test_a_learning_rate_runs_its_stages_alone_and_going_back_runs_none(ran: Path) -> None:
    before, params = toy.hashes(ran), (ran / "params.yaml").read_text()
    (ran / "params.yaml").write_text(re.sub(r"learning_rate: \S+", "learning_rate: 3.0e-3", params))
    planned = {line["stage"]: line["state"] for line in json.loads(retune(ran, "plan", "--json"))}
    done = stages_that_ran(toy.dvc(ran, "repro"))
    assert done == ["finetune@42", "evaluate@42", "report"]
    assert done == [name for name, state in planned.items() if state in ("runs", "pending")]
    assert toy.hashes(ran)["data/finetune/42/model"] != before["data/finetune/42/model"]
    (ran / "params.yaml").write_text(params)
    assert {line["state"] for line in json.loads(retune(ran, "plan", "--json"))} == {"fresh", "restored"}
    assert stages_that_ran(toy.dvc(ran, "repro")) == []
    assert toy.hashes(ran) == before


def test_retune_run_gives_the_same_files(fresh: Path, ran: Path) -> None:
    root = fresh.parent / "flow"
    shutil.copytree(fresh, root)
    text = retune(root, "run")
    assert lasting(root) == lasting(ran)
    if sys.platform == "linux":
        warm = (root / ".retune/logs/warm.log").read_text()
        assert re.findall(r"^stages\.(\w+) runs as process \d+$", warm, re.MULTILINE) == ["finetune", "evaluate"]
    assert "macro_f1" in text
    assert "Report: data/report/report.html" in text


def test_data_that_is_written_while_it_is_read_is_not_recorded(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """DVC would record the file as it is afterwards as the one that the rows are from."""
    root = fresh.parent / "written"
    shutil.copytree(fresh, root)
    source = root / "data/samples/toy.csv"
    collect = "stages.download.dataset.collect_rows"
    params = read_params(root / "params.yaml")

    def collect_and_write(*arguments: Any, **options: Any) -> Any:
        rows = collect_rows(*arguments, **options)
        source.write_text(source.read_text().replace("good", "nice"))
        return rows

    monkeypatch.setattr(collect, collect_and_write)
    with pytest.raises(DataError, match="toy.csv was changed while the data was read"):
        download(params, Paths(root), "dataset")
    assert not Paths(root).dataset.exists()
    monkeypatch.undo()
    download(params, Paths(root), "dataset")
    assert Paths(root).dataset.exists()
