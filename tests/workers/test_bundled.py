"""The bundled task, cut short, across the machines: a real fine-tune on the gpu pool, and a branch that reproduces."""

import pytest

from tests.workers.conftest import ROOT, Api, Machines, Project, run

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("workers")]
SHORT = {
    "split.train_fraction": 0.1,
    "finetune.max_epochs": 1,
    "evaluate.resamples": 100,
    "finetune.accelerator": "cpu",
}


def test_the_bundled_task(across: Project, api: Api, machines: Machines) -> None:
    across.copy(ROOT)
    run_id = api.coordinate(across, params=SHORT)
    state = api.end(run_id, 500)
    assert state.is_completed(), state.message
    for stage in ("download@dataset", "download@model", "tokenize", "split", "finetune@42", "evaluate@42", "report"):
        assert f"{stage}" in state.message
    pools = {found.name: found.work_pool_name for found in api.stage_runs("finetune@42")}
    assert pools == {"finetune@42": "gpu"}
    [branch] = across.branches()
    clone = across.clone("clone", branch)
    said = across.dvc("repro", "--pull", folder=clone)
    assert "Running stage" not in said
    assert run(clone, "git", "status", "--porcelain", "--untracked-files=no") == ""
    assert "macro_f1" in run(clone, "git", "log", "-1", "--format=%B")
