"""A revision whose files are broken is named as the user gave it, with advice that helps there."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.comparison.revision_files import RevisionFiles
from stages.errors import PipelineError
from tests.pipeline import toy

CONFLICT = "schema: '2.0'\nstages:\n<<<<<<< HEAD\n  a: 1\n=======\n  a: 2\n>>>>>>> other\n"
BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "a conflict": (lambda root: (root / "dvc.lock").write_text(CONFLICT), "dvc.lock in {} line 3 is a conflict marker"),
    "half a lock": (lambda root: (root / "dvc.lock").write_text("stages: ["), "dvc.lock in {} is damaged"),
    "not UTF-8": (lambda root: (root / "dvc.lock").write_bytes(b"a: \xff"), "dvc.lock in {} is not UTF-8 (line 1)"),
    "a folder": (
        lambda root: [(root / "dvc.lock").unlink(), (root / "dvc.lock").mkdir(), (root / "dvc.lock/x").touch()],
        "dvc.lock in {} is not a file",
    ),
    "no params.yaml": (lambda root: (root / "params.yaml").unlink(), "dvc.yaml of {} can't be read"),
    "no stages": (lambda root: (root / "dvc.yaml").write_text("stages: {}\n"), "dvc.yaml of {} has no stages"),
    "no dvc.yaml": (lambda root: (root / "dvc.yaml").unlink(), "There is no dvc.yaml in {}"),
}


@pytest.mark.parametrize(("damage", "says"), BROKEN.values(), ids=BROKEN)
def test_a_broken_revision_is_named_and_nothing_is_advised_for_the_workspace(
    project: Path, tmp_path: Path, damage: Callable[[Path], object], says: str
) -> None:
    damage(project)
    toy.git(project, "add", "-A", "--force", "dvc.lock", ".")
    toy.git(project, "commit", "-q", "-m", "Broken")
    toy.git(project, "tag", "broken")
    toy.git(project, "checkout", "-q", "HEAD^")
    sha = toy.git(project, "rev-parse", "broken").strip()
    with pytest.raises(PipelineError, match=re.escape(says.format(f"broken ({sha[:9]})"))) as caught:
        RevisionFiles(project, "broken", tmp_path)
    assert not re.search(rf"git checkout|retune run|{sha}", str(caught.value))
    assert re.search(r"(Choose another|Name a) revision", str(caught.value))
