"""What we believe of DVC, against real repositories."""

import re
import shutil
from pathlib import Path

import pytest
from dvc.repo import Repo

from pipeline.repository.cache import run_key
from pipeline.repository.graph import Item, Stage, build_graph, folder_item
from pipeline.repository.project import Project
from pipeline.repository.root import find_root
from stages.errors import PipelineError
from tests.pipeline import toy

REPOSITORY = Path(__file__).parents[3]


def test_stages_are_those_that_dvc_sees(toy_that_ran: Path) -> None:
    with Project(toy_that_ran) as project, Repo(str(toy_that_ran)) as repo:
        theirs = {stage.name: stage for stage in repo.index.stages}
        assert {stage.name for stage in project.graph.stages} == set(theirs)
        for stage in project.graph.stages:
            other = theirs[stage.name]
            assert stage.cmd == other.cmd
            assert set(stage.outs) == {out.def_path for out in other.outs}
            assert stage.uncached == {out.def_path for out in other.outs if not out.use_cache}
            files = {dep.def_path for dep in other.deps}
            assert set(stage.deps) | set(stage.params) == files


def test_parents_are_those_that_dvc_sees(toy_that_ran: Path) -> None:
    with Project(toy_that_ran) as project, Repo(str(toy_that_ran)) as repo:
        for stage in repo.index.stages:
            parents = {parent.name for parent in repo.index.graph.successors(stage)}
            assert set(project.graph.parents[stage.name]) == parents


def test_own_graph_is_the_one_that_dvc_sees() -> None:
    with Project(REPOSITORY) as project, Repo(str(REPOSITORY)) as repo:
        for stage in repo.index.stages:
            parents = {parent.name for parent in repo.index.graph.successors(stage)}
            assert set(project.graph.parents[stage.name]) == parents


def test_run_cache_keys_are_those_on_disk(toy_that_ran: Path) -> None:
    on_disk = {path.parent.name for path in (toy_that_ran / ".dvc/cache/runs").glob("*/*/*")}
    with Project(toy_that_ran) as project:
        entries = {stage.name: project.locked(stage.name) for stage in project.graph.stages}
        keys = {run_key(stage, entries[stage.name].deps, entries[stage.name].params) for stage in project.graph.stages}
    assert keys == on_disk


def test_a_folder_is_named_as_dvc_names_it(toy_that_ran: Path) -> None:
    with Project(toy_that_ran) as project:
        entry = project.locked("report")
        assert entry is not None
        assert folder_item(project.files("data/train")) == entry.deps["data/train"]
        assert project.present("code") == project.locked("cut").deps["code"]
        assert dict(project.listing(project.locked("cut").outs["data/cut/tokens"], "data/cut/tokens")) == {
            "a.txt": Item(next(iter(project.files("data/cut/tokens").values())).md5)
        }


def test_executable_files_have_the_key_that_dvc_gives_them(project: Path) -> None:
    (project / "pins.txt").chmod(0o755)
    (project / "pins.txt").write_text("two\n")
    toy.dvc(project, "repro", "download@model")
    with Project(project) as seen:
        entry = seen.locked("download@model")
        stage = next(stage for stage in seen.graph.stages if stage.name == "download@model")
        assert entry.deps["pins.txt"].executable
        assert (project / ".dvc/cache/runs" / (key := run_key(stage, entry.deps, entry.params))[:2] / key).is_dir()


def test_another_revision_is_read_without_touching_the_workspace(project: Path) -> None:
    toy.git(project, "checkout", "-q", "-b", "other")
    toy.edit(project, "code/one.py", "1", "other")
    toy.git(project, "commit", "-qam", "Another code")
    toy.git(project, "checkout", "-q", "main")
    with Project(project) as here, Project(project, rev="other") as there, Project(project, rev="main") as same:
        assert here.present("code") == same.present("code") != there.present("code")
        assert here.present("work.py") == there.present("work.py")


def test_a_folder_of_a_revision_leaves_out_what_dvcignore_names(project: Path) -> None:
    (project / "code/__pycache__").mkdir()
    (project / "code/__pycache__/one.pyc").write_text("x")
    (project / ".gitignore").write_text("")
    toy.git(project, "add", "-f", "code/__pycache__/one.pyc")
    toy.git(project, "commit", "-qm", "By mistake")
    with Project(project) as here, Project(project, rev="HEAD") as there:
        assert here.present("code") == there.present("code")


def test_values_not_written_yet_change_the_graph(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (project / "params.yaml").read_text().replace("[1, 2]", "[1, 2, 3]")
    monkeypatch.chdir(project / "code")  # DVC reads relative to the current folder
    with Project(project, params_text=text) as seen:
        assert {"train@1", "train@2", "train@3"} <= {stage.name for stage in seen.graph.stages}
        assert seen.param("params.yaml", "seeds") == [1, 2, 3]


def test_nothing_is_written_by_reading(project: Path) -> None:
    before = {path: path.read_bytes() for path in project.rglob("*") if path.is_file() and ".dvc" not in path.parts}
    with Project(project) as seen:
        seen.files("data/train")
    after = {path: path.read_bytes() for path in project.rglob("*") if path.is_file() and ".dvc" not in path.parts}
    assert before == after


def test_no_project(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"No dvc.yaml in .* or above. Go to the project's folder"):
        find_root(tmp_path)


def test_no_git(tmp_path: Path) -> None:
    (tmp_path / "dvc.yaml").touch()
    with pytest.raises(PipelineError, match=r"is in no git repository. Make it one with: git init"):
        find_root(tmp_path)


def test_no_dvc(tmp_path: Path) -> None:
    (tmp_path / "dvc.yaml").touch()
    (tmp_path / ".git").mkdir()
    with pytest.raises(PipelineError, match=r"is no DVC project .* dvc init"):
        find_root(tmp_path)


def test_root_is_found_from_below(project: Path) -> None:
    assert find_root(project / "code") == project


def test_unknown_revision(project: Path) -> None:
    with pytest.raises(PipelineError, match="nowhere is no revision of this repository"):
        Project(project, rev="nowhere")


def test_revision_without_a_pipeline(project: Path) -> None:
    toy.git(project, "checkout", "-q", "--orphan", "empty")
    toy.git(project, "rm", "-rqf", "--cached", ".")
    toy.git(project, "add", "-f", ".dvc/config", "pins.txt")
    toy.git(project, "commit", "-qm", "No pipeline")
    with pytest.raises(PipelineError, match=r"no dvc.yaml in empty"):
        Project(project, rev="empty")


@pytest.mark.parametrize("text", ["schema: '2.0'\nstages: [", "schema: '2.0'\nstages:\n  cut:\n    cmd: 3\n"])
def test_damaged_lock(project: Path, text: str) -> None:
    (project / "dvc.lock").write_text(text)
    with pytest.raises(PipelineError, match=r"dvc.lock in the workspace is damaged. Take it from git, or remove it"):
        Project(project)


def test_damaged_graph(project: Path) -> None:
    toy.edit(project, "dvc.yaml", "${seeds}", "${sedes}")
    with pytest.raises(PipelineError, match=r"dvc.yaml can't be read: .*sedes"):
        Project(project)


@pytest.mark.parametrize("key", ["frozen", "always_changed"])
def test_what_switches_the_run_cache_off(project: Path, key: str) -> None:
    toy.edit(project, "dvc.yaml", "    params: [cut]", f"    params: [cut]\n    {key}: true")
    with pytest.raises(PipelineError, match=f"cut has {key}: retune can't plan with it"):
        Project(project)


def test_persist(project: Path) -> None:
    toy.edit(project, "dvc.yaml", "outs: [data/cut/tokens]", "outs: [{data/cut/tokens: {persist: true}}]")
    with pytest.raises(PipelineError, match="cut has persist on data/cut/tokens"):
        Project(project)


def test_cycle() -> None:
    stages = [Stage("a", "x", deps=("b.txt",), outs=("a.txt",)), Stage("b", "x", deps=("a.txt",), outs=("b.txt",))]
    with pytest.raises(PipelineError, match="these stages wait for each other: "):
        build_graph(stages)


def test_two_writers() -> None:
    with pytest.raises(PipelineError, match=r"a and b both write x.txt"):
        build_graph([Stage("a", "x", outs=("x.txt",)), Stage("b", "x", outs=("x.txt",))])


def test_damaged_params(project: Path) -> None:
    toy.edit(project, "params.yaml", "cut: {length: 5}", "cut: {length: 5")
    with pytest.raises(PipelineError, match=r"(dvc|params).yaml can't be read: "):
        Project(project)


def test_a_run_cache_entry_that_is_damaged_is_left_out(project: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Project(project) as seen:
        stage = next(stage for stage in seen.graph.stages if stage.name == "cut")
        entry = seen.locked("cut")
    key = run_key(stage, entry.deps, entry.params)
    (path,) = (project / ".dvc/cache/runs" / key[:2] / key).iterdir()
    path.chmod(0o644)
    path.write_text("cmd: [")
    shutil.rmtree(project / "data/cut")
    (project / "dvc.lock").unlink()
    with Project(project) as seen:
        assert seen.recorded(stage, None, entry.deps, entry.params) is None
    assert "damaged run-cache entry" in caplog.text


def test_time_limit_and_retries_are_read_from_meta(project: Path) -> None:
    toy.edit(project, "dvc.yaml", "    params: [cut]\n", "    params: [cut]\n    meta: {timeout: 1.5, retries: 2}\n")
    with Project(project) as seen:
        stages = {stage.name: stage for stage in seen.graph.stages}
    assert (stages["cut"].timeout, stages["cut"].retries) == (1.5, 2)
    assert (stages["report"].timeout, stages["report"].retries) == (None, 0)


@pytest.mark.parametrize(
    ("meta", "message"),
    [
        ("timeout: 2h", "cut has meta.timeout: '2h'. Give a number of seconds from 1."),
        ("timeout: 0", "cut has meta.timeout: 0. Give a number of seconds from 1."),
        ("retries: -1", "cut has meta.retries: -1. Give a number of tries from 0."),
        ("retries: true", "cut has meta.retries: True. Give a number of tries from 0."),
        ("retries: 1.5", "cut has meta.retries: 1.5. Give a number of tries from 0."),
    ],
)
def test_meta_that_is_no_number(project: Path, meta: str, message: str) -> None:
    toy.edit(project, "dvc.yaml", "    params: [cut]\n", f"    params: [cut]\n    meta: {{{meta}}}\n")
    with pytest.raises(PipelineError, match=f"dvc.yaml: {re.escape(message)}"):
        Project(project)
