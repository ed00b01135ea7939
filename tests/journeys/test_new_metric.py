"""A contributor adds a metric: the walk of docs/architecture.md, done by its words in a fresh copy of the project."""

import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from stages.paths import Paths
from tests.end_to_end import all_stages, small_project
from tests.journeys.long import minutes_long
from tests.pipeline import outcomes, toy

PAGE = (toy.REPOSITORY / "docs/architecture.md").read_text(encoding="utf-8")
METRIC = "macro_jaccard"
NOTICED = [  # a step of the walk that is forgotten -> the tests that notice it
    pytest.param(1, ["tests/stages/metrics/test_classification.py", "-k", "scikit_learn"], id="the test"),
    pytest.param(2, ["tests/pipeline/comparison/statistics/test_label_values.py"], id="the derivative"),
    pytest.param(4, ["tests/stages/report/render/test_page.py", "-k", "not 5"], id="the name"),
]


@dataclass(frozen=True)
class Block:
    """Code of the walk, and where it goes: below a key in a part of a file, or at the file's end."""

    file: str
    part: str
    key: str
    code: str

    def apply(self, root: Path) -> None:
        path = root / self.file
        text = path.read_text(encoding="utf-8")
        if not self.key:
            path.write_text(f"{text}\n\n{self.code}", encoding="utf-8")
            return
        start = re.search(rf"^(?:def )?{self.part}\b", text, re.MULTILINE)
        assert start, f"{self.file} has no {self.part}"
        line = re.compile(rf'^( *)"{self.key}": .*\n', re.MULTILINE).search(text, start.start())
        assert line, f"{self.part} of {self.file} has no key {self.key}"
        path.write_text(f"{text[: line.end()]}{line[1]}{self.code}{text[line.end() :]}", encoding="utf-8")


def blocks() -> list[Block]:
    walk = PAGE[PAGE.index("### A new metric") : PAGE.index("### A new source format")]
    found = re.findall(r"^( *)```python\n(.*?)^ *```", walk, re.MULTILINE | re.DOTALL)
    return [block(re.sub(f"^{indent}", "", code, flags=re.MULTILINE)) for indent, code in found]


def block(code: str) -> Block:
    head, _, body = code.partition("\n")
    where = re.fullmatch(r'# ([\w/.]+), (?:at the end|(\w+), below "(\w+)")', head)
    assert where, head
    return Block(where[1], where[2] or "", where[3] or "", body)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole project, tests and docs too, with a small data set and encoder; before any run."""
    root = small_project.create(tmp_path_factory.mktemp("contributor") / "retune")
    for folder in ("tests", "docs"):
        shutil.copytree(toy.REPOSITORY / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    toy.git(root, "add", "-A")
    toy.git(root, "commit", "-q", "-m", "Before")
    return root


@pytest.fixture(scope="module")
def walked(fresh: Path) -> Path:
    """The same after a run, whose results are committed, and after the walk."""
    root = Path(shutil.copytree(fresh, fresh.parent / "walked", symlinks=True))
    all_stages.run(Paths(root), seed=42)
    outcomes.commit(root, "Results")
    for block in blocks():
        block.apply(root)
    return root


@pytest.fixture(scope="module")
def measured(walked: Path) -> Path:
    """The same after the stages that the walk affects."""
    planned = {line["stage"]: line["state"] for line in json.loads(retune(walked, "plan", "--json"))}
    assert {name for name, state in planned.items() if state != "fresh"} == {"evaluate@42", "report"}
    toy.dvc(walked, "repro")
    return walked


def run(root: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run Python with the copy's own code."""
    environment = toy.environment(PYTHONPATH=str(root), OMP_NUM_THREADS="1")
    return subprocess.run([sys.executable, "-m", *command], cwd=root, env=environment, capture_output=True, text=True)


def retune(root: Path, *arguments: str) -> str:
    done = run(root, "pipeline.cli", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_walk_has_its_blocks_and_they_fit_the_code(tmp_path: Path) -> None:
    assert [block.file for block in blocks()] == [
        "stages/metrics/classification.py",
        "tests/stages/metrics/test_classification.py",
        "pipeline/comparison/statistics/label_values.py",
        "pipeline/comparison/statistics/label_values.py",
        "stages/report/render/glossary.py",
        "stages/report/render/glossary.py",
    ]
    for block in blocks():
        target = tmp_path / block.file
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            shutil.copy(toy.REPOSITORY / block.file, target)
        block.apply(tmp_path)
        compile(target.read_text(encoding="utf-8"), block.file, "exec")
        assert METRIC in target.read_text(encoding="utf-8")


@minutes_long
@pytest.mark.parametrize(("steps", "tests"), NOTICED)
def test_a_forgotten_step_is_noticed_and_the_step_is_enough(
    steps: int, tests: list[str], fresh: Path, tmp_path: Path
) -> None:
    root = Path(shutil.copytree(fresh, tmp_path / "retune", symlinks=True))
    for block in blocks()[:steps]:
        block.apply(root)
    pytest_run = ["pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    done = run(root, *pytest_run)
    assert done.returncode == 1, f"no test fails:\n{done.stdout}{done.stderr}"
    assert METRIC in done.stdout
    for block in blocks()[steps:]:
        block.apply(root)
    done = run(root, *pytest_run)
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_the_report_takes_the_metric_up_and_nothing_is_trained(measured: Path) -> None:
    metric = json.loads((measured / "data/report/metrics.json").read_text())["test"][METRIC]
    assert 0 <= metric["low"] <= metric["mean"] <= metric["high"] <= 1
    for name in ("report.html", "report.md", "model/README.md"):
        assert "Macro Jaccard" in (measured / "data/report" / name).read_text(encoding="utf-8")


@pytest.mark.slow
def test_compare_pairs_its_rows_and_log_and_gate_know_it(measured: Path) -> None:
    compared = json.loads(retune(measured, "compare", "HEAD", "--json", "--require", f"test.{METRIC} >= 0"))
    assert [row["paired"] for row in compared["metrics"] if row["name"] == f"test.{METRIC}"] == [True]
    assert [rule["passed"] for rule in compared["gate"]] == [True]
    assert METRIC in retune(measured, "log", "--metric", f"test.{METRIC}")
