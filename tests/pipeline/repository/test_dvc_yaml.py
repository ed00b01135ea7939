"""Stages and parameters are read as DVC reads them; what retune does not support is refused."""

import re
from pathlib import Path

import pytest
from dvc.repo import Repo

from pipeline.repository.project import Project
from stages.errors import ParamsError, PipelineError
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


def test_damaged_graph(project: Path) -> None:
    toy.edit(project, "dvc.yaml", "${seeds}", "${sedes}")
    with pytest.raises(PipelineError, match=r"dvc.yaml can't be read: .*sedes"):
        Project(project)


@pytest.mark.parametrize(("key", "value"), [("frozen", "true"), ("always_changed", "true"), ("wdir", "code")])
def test_what_switches_the_run_cache_off(project: Path, key: str, value: str) -> None:
    toy.edit(project, "dvc.yaml", "    params: [cut]", f"    params: [cut]\n    {key}: {value}")
    with pytest.raises(PipelineError, match=f"cut has {key}, which retune does not support"):
        Project(project)


def test_persist(project: Path) -> None:
    toy.edit(project, "dvc.yaml", "outs: [data/cut/tokens]", "outs: [{data/cut/tokens: {persist: true}}]")
    with pytest.raises(PipelineError, match="cut has persist on data/cut/tokens"):
        Project(project)


def test_damaged_params(project: Path) -> None:
    toy.edit(project, "params.yaml", "cut: {length: 5}", "cut: {length: 5")
    with pytest.raises(ParamsError, match=r"^params.yaml is not valid YAML: line \d+: "):
        Project(project)


def test_a_graph_that_is_not_utf_8(project: Path) -> None:
    (project / "dvc.yaml").write_bytes(b"stages: \xff")
    with pytest.raises(
        PipelineError, match=r"dvc.yaml in the workspace is not UTF-8 \(line 1\). Save it as UTF-8, or restore it: git"
    ):
        Project(project)


def test_time_limit_and_retries_are_read_from_meta(project: Path) -> None:
    toy.edit(project, "dvc.yaml", "    params: [cut]\n", "    params: [cut]\n    meta: {timeout: 1.5, retries: 2}\n")
    with Project(project) as seen:
        stages = {stage.name: stage for stage in seen.graph.stages}
    assert (stages["cut"].timeout, stages["cut"].retries) == (1.5, 2)
    assert (stages["report"].timeout, stages["report"].retries) == (None, 0)


@pytest.mark.parametrize(
    ("meta", "message"),
    [
        ("timeout: 2h", "cut has meta.timeout: '2h'. Expected a number of seconds, at least 1."),
        ("timeout: 0", "cut has meta.timeout: 0. Expected a number of seconds, at least 1."),
        ("retries: -1", "cut has meta.retries: -1. Expected a whole number, at least 0."),
        ("retries: true", "cut has meta.retries: True. Expected a whole number, at least 0."),
        ("retries: 1.5", "cut has meta.retries: 1.5. Expected a whole number, at least 0."),
    ],
)
def test_meta_that_is_no_number(project: Path, meta: str, message: str) -> None:
    toy.edit(project, "dvc.yaml", "    params: [cut]\n", f"    params: [cut]\n    meta: {{{meta}}}\n")
    with pytest.raises(PipelineError, match=f"dvc.yaml: {re.escape(message)}"):
        Project(project)


RANGE = f"[{', '.join(map(str, range(30)))}]"
MANY = {  # what makes too many stages -> their number, with the toy's other stages
    "a matrix of six keys": (f"a:\n    matrix: {{{', '.join(f'k{key}: {RANGE}' for key in range(6))}}}\n", 30**6 + 6),
    "a matrix of params": ("a:\n    matrix: {x: '${seeds}', y: '${seeds}'}\n", 3_000**2 + 3_004),
    "seeds": ("", 3_004),
}


@pytest.mark.parametrize("revision", [None, "evil"])
@pytest.mark.parametrize("case", MANY)
def test_more_stages_than_can_be_planned_are_counted_and_not_made(
    project: Path, case: str, revision: str | None
) -> None:
    """A few lines can stand for billions of stages, each with a name that DVC keeps."""
    text, number = MANY[case]
    if text:
        toy.edit(project, "dvc.yaml", "stages:\n", f"stages:\n  {text}    cmd: echo ${{item}}\n")
    if "six" not in case:
        toy.edit(project, "params.yaml", "seeds: [1, 2]", f"seeds: {list(range(3_000))}")
    if revision:
        for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "x"], ["tag", revision]):
            toy.git(project, *arguments)
    with pytest.raises(
        PipelineError, match=rf"makes {number:,} stages .* more than the 2,000 that retune plans"
    ) as caught:
        Project(project, rev=revision)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("values", ["5", "'${cut.length}'", "{a: 1}"])
def test_a_matrix_that_is_not_made_of_lists(project: Path, values: str) -> None:
    toy.edit(project, "dvc.yaml", "stages:\n", f"stages:\n  a:\n    matrix: {{x: {values}}}\n    cmd: echo\n")
    with pytest.raises(PipelineError, match=r"dvc.yaml.*(a has a matrix with a value that is not a list|matrix)"):
        Project(project)


def test_a_matrix_is_planned(project: Path) -> None:
    toy.edit(project, "dvc.yaml", "stages:\n", "stages:\n  a:\n    matrix: {x: [1, 2], y: '${seeds}'}\n    cmd: echo\n")
    with Project(project) as seen:
        names = [stage.name for stage in seen.graph.stages]
    assert [name for name in names if name.startswith("a@")] == ["a@1-1", "a@1-2", "a@2-1", "a@2-2"]


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("dvc.yaml", "#" * 20_000_001, "dvc.yaml in the workspace has more than 20 MB"),
        ("params.yaml", "#" * 20_000_001, "params.yaml in the workspace has more than 20 MB"),
        ("dvc.lock", "#" * 20_000_001, "dvc.lock in the workspace has more than 20 MB"),
        ("params.yaml", f"seeds: [{'1,' * 60_000}]", "params.yaml has more than 50,000 commas"),
        ("params.yaml", "- a\n" * 60_000, "params.yaml has more than 50,000 commas"),
        ("dvc.yaml", "stages:\n" + "  a: 5\n" * 60_000, "dvc.yaml has more than 50,000 commas"),
    ],
)
def test_files_that_would_take_minutes_to_parse(project: Path, file: str, text: str, message: str) -> None:
    (project / file).write_text(text)
    with pytest.raises((PipelineError, ParamsError), match=message) as caught:
        Project(project)
    assert len(str(caught.value)) < 300
