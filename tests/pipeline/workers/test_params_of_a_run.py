"""The parameters of a run: the commit that a coordinator pushes for the workers can be read, or is not pushed."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.local import flow
from pipeline.repository import git
from pipeline.workers.publishing import publish
from stages.errors import ParamsError
from stages.params import parse_mapping
from tests.pipeline.workers.toy_project import ROOT

VALUES = {"report.title": "😀 yes: no", "download.dataset.labels": {"😀": "null", "\x85": "1e3"}}


@pytest.fixture
def pushed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is pushed from a repository in `tmp_path`."""
    calls: list[str] = []
    monkeypatch.setattr(publish.git, "push", lambda root, repository, refspec: calls.append(refspec))
    (tmp_path / "params.yaml").write_bytes((ROOT / "recipes/default.yaml").read_bytes())
    identity = {f"GIT_{role}_{key}": "a@b" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}
    git.run(tmp_path, "init", "--quiet")
    git.run(tmp_path, "add", "params.yaml")
    git.run(tmp_path, "commit", "--quiet", "--message=first", environment=identity)
    return calls


def assert_read_back(text: str | None) -> None:
    found: Any = parse_mapping(text or "", name="params.yaml")
    assert found["report"]["title"] == VALUES["report.title"]
    assert found["download"]["dataset"]["labels"] == VALUES["download.dataset.labels"]


def test_the_parameters_of_a_coordinator_are_those_of_its_commit(pushed: list[str], tmp_path: Path) -> None:
    commit = publish.commit_params(tmp_path, "origin", VALUES)
    assert pushed == [f"{commit}:refs/retune/{commit}"]
    assert_read_back(git.show(tmp_path, commit, "params.yaml"))


def test_nothing_is_pushed_that_can_not_be_read(pushed: list[str], tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match=r"\\ud83d is half a character"):
        publish.commit_params(tmp_path, "origin", {"report.title": "\ud83d\ude00"})
    assert pushed == []
    assert git.run(tmp_path, "status", "--porcelain") == ""


def test_the_parameters_of_a_run_on_one_machine(pushed: list[str], tmp_path: Path) -> None:
    flow._write_params(tmp_path, VALUES, None)
    assert_read_back((tmp_path / "params.yaml").read_text(encoding="utf-8"))
