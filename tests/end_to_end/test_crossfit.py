"""Folds in a repository of their own: what a corrected label runs again, and what stays when they are switched off."""

import re
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline import params_file, recipes
from pipeline.planning.plan import make_plan
from pipeline.repository.project import Project
from stages.folds import read_answers
from stages.paths import Paths
from tests.end_to_end import all_stages, small_project
from tests.pipeline import toy

pytestmark = pytest.mark.slow
FOLDS = ("crossfit@1", "crossfit@2", "crossfit@3")


def use(root: Path, folds: list[int]) -> None:
    values = [*small_project.VALUES, f"crossfit.folds={folds}"]
    params_file.write_params(root, recipes.compose(root, "default", values), replace=True)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose folds have run; finetune and report have not."""
    root = small_project.create(tmp_path_factory.mktemp("crossfit") / "project")
    use(root, [1, 2, 3])
    before = ("download", "tokenize", "split", "crossfit")
    all_stages.run(Paths(root), seed=42, only=before)
    toy.dvc(root, "commit", "-q", "--force", *before)
    return root


def stages_that_ran(text: str) -> set[str]:
    return set(re.findall(r"^Running stage '(.*)'", text, re.MULTILINE))


def test_every_row_has_an_answer(ran: Path) -> None:
    paths = Paths(ran)
    rows = [row for fold in (1, 2, 3) for row in read_answers(paths.fold_predictions(fold))[0].tolist()]
    assert sorted(rows) == list(range(pq.read_metadata(paths.rows).num_rows))


def test_a_corrected_label_runs_the_folds_that_learn_it(ran: Path, tmp_path: Path) -> None:
    root = tmp_path / "corrected"
    shutil.copytree(ran, root, symlinks=True)
    row = int(read_answers(Paths(root).fold_predictions(2))[0][0])
    file = root / "data/samples/toy.csv"
    lines = file.read_text().splitlines()
    lines[row + 1] = lines[row + 1][:-1] + ("1" if lines[row + 1][-1] != "1" else "2")
    file.write_text("\n".join(lines) + "\n")
    done = stages_that_ran(toy.dvc(root, "repro", "crossfit"))
    assert done == {"download@dataset", "tokenize", "split", "crossfit@1", "crossfit@3"}
    with Project(root) as project:
        plans = {plan.stage: plan for plan in make_plan(project.graph, project)}
    assert {name: plans[name].state for name in FOLDS} == dict.fromkeys(FOLDS, "fresh")


def test_folds_that_are_removed_leave_nothing_that_counts(ran: Path, tmp_path: Path) -> None:
    root = tmp_path / "off"
    shutil.copytree(ran, root, symlinks=True)
    for folds, left in (([1, 2], {"3"}), ([], {"1", "2", "3"})):
        use(root, folds)
        with Project(root) as project:
            stages = {stage.name for stage in project.graph.stages}
            assert {name for name in stages if name.startswith("crossfit")} == {f"crossfit@{fold}" for fold in folds}
            leftovers = project.leftovers()
            (report,) = (stage for stage in project.graph.stages if stage.name == "report")
            assert "data/crossfit" in report.deps
        for fold in left:
            assert any(
                f"data/crossfit/{fold}".startswith(path) or path.startswith(f"data/crossfit/{fold}")
                for path in leftovers
            )
