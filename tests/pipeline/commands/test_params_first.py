"""Params are checked before anything is planned, run, restored or removed."""

from pathlib import Path

import pytest

from pipeline.repository.project import Project
from stages.errors import ParamsError, PipelineError
from tests.pipeline import toy

WRONG = {
    "an unknown key": ("max_epochs: 4", "max_epoch: 4", r"unknown key finetune\.max_epoch .*did you mean max_epochs"),
    "true for a number": ("max_epochs: 4", "max_epochs: true", r"finetune\.max_epochs: expected .*, got [Tt]rue"),
    "a command as a seed": ("seeds: [42]", 'seeds: ["42; touch x"]', r"seeds\[0\]: expected .*, got '42; touch x'"),
    "no seeds": ("seeds: [42]", "seeds: []", r"seeds: "),
    "a path as a seed": ("seeds: [42]", 'seeds: ["../../x"]', r"seeds\[0\]: expected .*, got '../../x'"),
}


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """This project, with files where its outputs belong and with those of a seed that params.yaml no longer has."""
    root = toy.own_project(tmp_path / "own")
    for name in ("report/model/config.json", "finetune/42/model/config.json", "finetune/7/model/config.json"):
        (root / "data" / name).parent.mkdir(parents=True)
        (root / "data" / name).write_text("{}")
    return root


def files(root: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in (root / "data").rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_value_is_named_by_whoever_reads_the_graph(own: Path, name: str) -> None:
    old, new, message = WRONG[name]
    toy.edit(own, "params.yaml", old, new)
    with pytest.raises(ParamsError, match=rf"^params\.yaml: line \d+: .*{message}"):
        Project(own)


@pytest.mark.parametrize("command", ["plan", "run"])
def test_nothing_is_removed_and_nothing_runs(own: Path, command: str) -> None:
    toy.edit(own, "params.yaml", "seeds: [42]", 'seeds: ["42; touch x"]')
    toy.edit(own, "params.yaml", "max_epochs: 4", "max_epochs: true")
    before = files(own)
    done = toy.retune(own, command)
    assert done.returncode == 1
    assert done.stderr.startswith("error: params.yaml: line 4: seeds[0]: ")
    assert "finetune.max_epochs: " in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert files(own) == before
    assert not (own / "x").exists()


def test_missing_params_are_named(own: Path) -> None:
    (own / "params.yaml").unlink()
    with pytest.raises(ParamsError, match=r"params\.yaml is missing. Write it with: retune use default"):
        Project(own)


def test_params_of_an_old_revision_are_not_checked(own: Path) -> None:
    toy.edit(own, "params.yaml", "max_epochs: 4", "max_epoch: 4")
    toy.git(own, "commit", "-q", "-a", "-m", "Another schema")
    toy.edit(own, "params.yaml", "max_epoch: 4", "max_epochs: 4")
    with Project(own, rev="HEAD") as project:
        assert project.graph.stages


@pytest.mark.parametrize("seed", ["42; touch x", "$(touch x)", "../../x", "-m", "a b", "x\\n"])
def test_no_item_reaches_the_shell_whatever_the_stages(project: Path, seed: str) -> None:
    """The toy project has params of its own, which no schema describes."""
    toy.edit(project, "params.yaml", "[1, 2]", f'["{seed}"]')
    with pytest.raises(PipelineError, match="Use only letters, digits"):
        Project(project)
