"""Data that `dvc add` tracks, across machines: planned without it, fetched by the worker that reads it."""

import shutil
from typing import Any

import pytest

from stages.errors import PipelineError
from tests.pipeline.workers.in_process import InProcessDispatcher, coordinate
from tests.pipeline.workers.toy_project import run


@pytest.fixture
def tracked(project: Any) -> Any:
    project.create(text="rows\n")
    run(project.work, "git", "rm", "-q", "--cached", "source.txt")
    project.dvc("add", "source.txt")
    project.commit("The rows are private")
    return project


def test_workers_fetch_it_and_the_coordinator_needs_none_of_it(tracked: Any) -> None:
    tracked.dvc("push")
    dispatcher = InProcessDispatcher()
    name, _ = coordinate(tracked, dispatcher)
    assert dispatcher.stages == ["download", "finetune@1", "evaluate@1", "report"]
    assert dispatcher.requests[0].inputs == {}
    clone = tracked.clone("clone", name)
    assert not (clone / "source.txt").exists()
    tracked.dvc("repro", "--pull", folder=clone)
    assert len(tracked.ran()) == 4, "the same key as plain DVC computes, so nothing runs again"
    assert (clone / "source.txt").read_text() == "rows\n"


def test_new_rows_are_new_work(tracked: Any) -> None:
    tracked.dvc("push")
    coordinate(tracked, InProcessDispatcher())
    (tracked.work / "source.txt").write_text("other rows\n")
    tracked.dvc("add", "source.txt")
    tracked.dvc("push")
    tracked.commit("Other rows")
    changed = InProcessDispatcher()
    coordinate(tracked, changed)
    assert changed.stages == ["download", "finetune@1", "evaluate@1", "report"]


def damage(project: Any) -> None:
    for path in project.objects():
        path.chmod(0o644)
        path.write_text("not these rows")
        path.chmod(0o444)  # as DVC leaves it, so that DVC trusts it


LOST = {
    "not pushed": (lambda project: None, "is not there"),
    "lost": (lambda project: shutil.rmtree(project.remote / "files"), "is not there"),
    "damaged": (damage, "is damaged there"),
}


@pytest.mark.parametrize("how", LOST)
def test_rows_that_can_not_be_had_are_one_error_that_names_the_way_out(tracked: Any, how: str) -> None:
    lose, message = LOST[how]
    if how != "not pushed":
        tracked.dvc("push")
    lose(tracked)
    dispatcher = InProcessDispatcher()
    with pytest.raises(PipelineError, match=f"source.txt.dvc tracks source.txt .* {message}.* run: dvc push"):
        coordinate(tracked, dispatcher)
    assert dispatcher.stages == ["download"], "another attempt would end in the same way"


def test_rows_that_nothing_tracks(project: Any) -> None:
    project.create()
    run(project.work, "git", "rm", "-q", "--cached", "source.txt")
    (project.work / ".gitignore").open("a").write("/source.txt\n")
    project.commit("The rows are on one machine alone")
    with pytest.raises(PipelineError, match="neither in git, nor tracked by DVC.* dvc add source.txt, commit"):
        coordinate(project, InProcessDispatcher())
