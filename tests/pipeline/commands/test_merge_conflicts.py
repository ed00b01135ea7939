"""Branches that both ran are merged: markers are named, and a run restores what either branch has computed."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.pipeline import toy
from tests.pipeline.commands.in_process import Commands
from tests.pipeline.workers.toy_project import ROOT, ToyProject, locked_stages

RATES = {"slow": "1.0e-5", "fast": "5.0e-5"}
MARKERS = re.compile(r"^(<<<<<<<|>>>>>>>) ", flags=re.MULTILINE)


def with_markers(text: str) -> str:
    """The text with a conflict of its first half, as git leaves one."""
    lines = text.splitlines(keepends=True) or ["\n"]
    half = len(lines) // 2 + 1
    mine, rest = "".join(lines[:half]), "".join(lines[half:])
    return f"<<<<<<< HEAD\n{mine}=======\n{mine}>>>>>>> other\n{rest}"


def put_markers(path: Path) -> None:
    path.write_text(with_markers(path.read_text(encoding="utf-8")), encoding="utf-8")


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Commands:
    return Commands(monkeypatch, capfd)


@pytest.mark.parametrize("arguments", [["plan"], ["run"], ["compare", "HEAD"]])
@pytest.mark.parametrize("name", ["params.yaml", "dvc.yaml", "dvc.lock"])
def test_markers_are_named_by_each_command_that_reads_the_file(
    project: Path, command: Commands, name: str, arguments: list[str]
) -> None:
    put_markers(project / name)
    before = (project / name).read_text()
    done = command(project, *arguments)
    assert (done.code, len(done.lines)) == (1, 1), done.err
    assert re.search(rf"^error: {name}.* line 1 is a conflict marker of a git merge\. [A-Z]", done.err)
    assert (project / name).read_text() == before


def test_markers_in_the_deployments_are_named(tmp_path: Path) -> None:
    from pipeline.workers.deploy import deploy
    from stages.errors import ParamsError

    (tmp_path / "prefect.yaml").write_text(with_markers((ROOT / "prefect.yaml").read_text()))
    with pytest.raises(ParamsError, match=r"^prefect.yaml line 1 is a conflict marker of a git merge"):
        deploy(tmp_path)


class Branches(ToyProject):
    """Two branches with another learning rate each, both run and committed."""

    def run_branch(self, name: str) -> None:
        self.git("checkout", "-q", "-b", name, "main")
        params = (self.work / "params.yaml").read_text()
        (self.work / "params.yaml").write_text(re.sub(r"learning_rate: \S+", f"learning_rate: {RATES[name]}", params))
        self.repro_and_commit(name)

    def repro_and_commit(self, message: str) -> None:
        self.dvc("repro")
        toy.git(self.work, "add", "-A")
        toy.git(self.work, "commit", "-q", "-m", message)

    def git(self, *arguments: str, code: int = 0) -> None:
        done = subprocess.run(["git", *arguments], cwd=self.work, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stdout + done.stderr

    def choose(self, side: str) -> None:
        """Keep one side of each conflict of params.yaml, as a person does."""
        pattern = r"<<<<<<< .*?\n(.*?)=======\n(.*?)>>>>>>> .*?\n"
        text = (self.work / "params.yaml").read_text()
        assert MARKERS.search(text), "the branches have different rates, which only a person can choose from"
        chosen = r"\1" if side == "ours" else r"\2"
        (self.work / "params.yaml").write_text(re.sub(pattern, chosen, text, flags=re.DOTALL))

    def marked(self) -> list[str]:
        """The tracked files that hold conflict markers."""
        names = toy.git(self.work, "ls-files").split()
        return sorted({name for name in names if MARKERS.search((self.work / name).read_text(errors="replace"))})

    def retune(self, *arguments: str, api: str = "") -> "subprocess.CompletedProcess[str]":
        variables = {**self.toy_environment(), **({"PREFECT_API_URL": api} if api else {})}
        return toy.retune(self.work, *arguments, **variables)


@pytest.fixture(scope="module")
def both_ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a toy project whose branches have both run."""
    folder = tmp_path_factory.mktemp("branches")
    (folder / "events").mkdir()
    project = Branches(folder / "events", folder)
    project.create()
    shutil.copy(ROOT / ".gitattributes", folder / "attributes")
    project.repro_and_commit("main")
    for name in RATES:
        project.run_branch(name)
    return folder


@pytest.fixture
def branches(both_ran: Path, tmp_path: Path) -> Branches:
    shutil.copytree(both_ran / "work", tmp_path / "work", symlinks=True)
    (tmp_path / "events").mkdir()
    return Branches(tmp_path / "events", tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "attributes", "side"),
    [("merge", True, "theirs"), ("merge", True, "ours"), ("merge", False, "theirs"), ("rebase", False, "theirs")],
)
def test_a_run_after_a_merge_restores_what_either_branch_has_computed(
    branches: Branches, prefect_api: str, how: str, attributes: bool, side: str
) -> None:
    work = branches.work
    if attributes:
        shutil.copy(ROOT / ".gitattributes", work / ".git/info/attributes")
    branches.git("checkout", "-q", "slow")
    branches.git(how, "fast", code=1)
    branches.choose(side)
    if attributes:
        assert branches.marked() == [], "git leaves no markers in what stages write"
    else:
        assert {"dvc.lock", "data/report/metrics.json"} <= set(branches.marked())
        said = branches.retune("plan").stderr
        assert re.fullmatch(r"error: dvc\.lock.* line \d+ is a conflict marker of a git merge\. .*\n", said)
        advice = re.search(r"git checkout HEAD -- dvc\.lock", said)
        assert advice
        branches.git(*advice[0].split()[1:])
    done = branches.retune("run", api=prefect_api)
    assert done.returncode == 0, done.stderr
    assert branches.events() == [], "nothing is trained again"
    assert branches.marked() == []
    params = (work / "params.yaml").read_text()
    winner = next(name for name, rate in RATES.items() if f"learning_rate: {rate}" in params)
    assert locked_stages(work) == locked_stages_of(branches, winner)
    assert (
        toy.git(work, "show", f"{winner}:data/report/metrics.json") == (work / "data/report/metrics.json").read_text()
    )
    branches.git("add", "-A")
    branches.git(
        "-c", "core.editor=true", *(["commit", "-q", "--no-edit"] if how == "merge" else ["rebase", "--continue"])
    )
    assert "Everything is up to date." in branches.retune("plan").stdout


def locked_stages_of(branches: Branches, branch: str) -> object:
    (branches.folder / "dvc.lock").write_text(toy.git(branches.work, "show", f"{branch}:dvc.lock"))
    return locked_stages(branches.folder)


@pytest.mark.slow
def test_a_run_writes_every_tracked_output_again_that_holds_markers(branches: Branches, prefect_api: str) -> None:
    tracked = toy.git(branches.work, "ls-files", "data").split()
    outputs = [branches.work / name for name in tracked if not name.endswith("/.gitkeep")]
    before = {path: path.read_text() for path in outputs}
    assert len(before) == 3
    for path in outputs:
        put_markers(path)
    said = branches.retune("results").stderr
    assert re.fullmatch(r"error: .*metrics\.json line 1 is a conflict marker of a git merge\. .*: retune run\n", said)
    done = branches.retune("run", api=prefect_api)
    assert done.returncode == 0, done.stderr
    assert {path: path.read_text() for path in outputs} == before
    assert branches.events() == []
    assert branches.retune("results").returncode == 0


def test_git_keeps_one_side_of_everything_that_stages_write() -> None:
    """The attributes name the folders of the stages, not the files that git has of them today."""
    from pipeline.repository.project import Project

    with Project(ROOT) as project:
        in_git = {out for stage in project.graph.stages for out in stage.uncached}
        folders = {f"data/{stage.group}/42/more.json" for stage in project.graph.stages}
    assert in_git
    kept = ["dvc.lock", *in_git, *folders]
    merged = ["params.yaml", "dvc.yaml", "data/samples/README.md", "data/mine.csv.dvc", "docs/data.md"]
    lines = toy.git(ROOT, "check-attr", "merge", "--", *kept, *merged).splitlines()
    found = dict(line.split(": merge: ", 1) for line in lines)
    assert {name for name in found if found[name] == "binary"} == set(kept)
    assert {found[name] for name in merged} == {"unspecified"}
