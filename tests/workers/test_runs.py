"""A pipeline across machines when nothing goes wrong."""

import pytest
from ruamel.yaml import YAML

from tests.workers.conftest import Api, Project

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("workers")]


def lock(folder):
    return YAML(typ="safe").load(folder / "dvc.lock")["stages"]


def test_cold_then_nothing_then_a_learning_rate(project: Project, api: Api) -> None:
    project.create()
    state = api.end(api.coordinate(project))
    assert state.is_completed(), state.message
    assert project.ran() == ["download", "finetune@1", "evaluate@1", "report"]
    [branch] = project.branches()
    clone = project.clone("clone", branch)
    project.dvc("repro", "--pull", folder=clone)
    assert len(project.ran()) == 4
    fresh = project.clone("fresh", "main")
    project.dvc("repro", folder=fresh)
    assert lock(fresh) == lock(clone)
