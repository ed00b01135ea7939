"""Planning opens no file: it sees the project through a snapshot alone."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import pipeline.planning

MODULES = sorted(Path(pipeline.planning.__file__).parent.glob("*.py"))
OPENS_FILES = {"os", "io", "pathlib", "shutil", "subprocess", "tempfile", "glob", "dvc", "dulwich", "scmrepo"}
PURE = {"pipeline.repository.digests", "pipeline.repository.graph", "pipeline.repository.snapshot"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_planning_imports_nothing_that_opens_files(path: Path) -> None:
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    imported = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    imported |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
    assert not {name.split(".")[0] for name in imported} & OPENS_FILES
    assert {name for name in imported if name.startswith("pipeline.repository")} <= PURE
    assert not [node for node in nodes if isinstance(node, ast.Name) and node.id == "open"]


def test_planning_does_not_load_dvc_through_another_module() -> None:
    code = "import sys, pipeline.planning.plan, pipeline.planning.reasons, pipeline.planning.table; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"dvc", "scmrepo", "prefect"} & set(done.stdout.split())
