"""A contributor adds a metric: the walk of docs/architecture.md, done by its words in a fresh copy of the project."""

import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.end_to_end import small_project
from tests.pipeline import toy

PAGE = (toy.REPOSITORY / "docs/architecture.md").read_text(encoding="utf-8")
METRIC = "macro_jaccard"
CHECKS = [  # the tests that the walk names
    "tests/stages/metrics/test_classification.py",
    "tests/pipeline/comparison/statistics/test_label_values.py",
    "tests/stages/report/render/test_page.py",
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
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole project, tests and docs too, with a small data set and encoder."""
    root = small_project.create(tmp_path_factory.mktemp("contributor") / "retune")
    for folder in ("tests", "docs"):
        shutil.copytree(toy.REPOSITORY / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    return root


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


@pytest.mark.slow
def test_tests_report_and_comparison_take_the_metric_up(copy: Path) -> None:
    toy.dvc(copy, "repro")
    toy.git(copy, "add", "-A")
    toy.git(copy, "commit", "-q", "-m", "Results")
    walk = blocks()
    walk[0].apply(copy)
    for name, check in zip(("metric", "derivative", "name"), CHECKS, strict=True):
        done = run(copy, "pytest", "-q", "-x", "-p", "no:cacheprovider", check)
        assert done.returncode == 1, f"no test notices that the {name} is missing:\n{done.stdout}"
    for block in walk[1:]:
        block.apply(copy)
    done = run(copy, "pytest", "-q", "-p", "no:cacheprovider", *CHECKS)
    assert done.returncode == 0, done.stdout
    states = {line["stage"]: line["state"] for line in json.loads(retune(copy, "plan", "--json"))}
    assert {name for name, state in states.items() if state != "fresh"} == {"evaluate@42", "report"}
    toy.dvc(copy, "repro")
    metrics = json.loads((copy / "data/report/metrics.json").read_text())
    assert 0 <= metrics["test"][METRIC]["low"] <= metrics["test"][METRIC]["mean"] <= metrics["test"][METRIC]["high"]
    for name in ("report.html", "report.md", "model/README.md"):
        assert "Macro Jaccard" in (copy / "data/report" / name).read_text(encoding="utf-8")
    toy.git(copy, "add", "-A")
    toy.git(copy, "commit", "-q", "-m", "A metric")
    (copy / "params.yaml").write_text((copy / "params.yaml").read_text().replace("seeds: [42]", "seeds: [43]"))
    toy.dvc(copy, "repro")
    compared = json.loads(retune(copy, "compare", "HEAD", "--json"))
    assert [row["paired"] for row in compared["metrics"] if row["name"] == f"test.{METRIC}"] == [True]
    assert METRIC in retune(copy, "log", "--metric", f"test.{METRIC}")
