"""Worker and coordinator without Prefect: stages run one after the other in this process, at once where it matters."""

import os
import sys
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from prefect.client.schemas.objects import FlowRun
from prefect.states import Completed, Failed
from ruamel.yaml import YAML

from pipeline import branch, checkout
from pipeline.coordinator import Coordinator
from pipeline.dispatch import Sent
from pipeline.records import Remote, key_of
from pipeline.worker import Ending, Job, StageRun
from stages.errors import PipelineError


class Here:
    """Workers that do a stage at once, where they are asked."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []
        self.pools: dict[str, str] = {}
        self.endings: dict[uuid.UUID, Ending] = {}

    def send(self, stage: str, *, pool: str, key: str, parameters: dict[str, Any]) -> Sent:
        run_id = uuid.uuid4()
        self.jobs.append(Job(**parameters))
        self.pools[stage] = pool
        self.endings[run_id] = StageRun(self.jobs[-1]).run(lambda _: None)
        return Sent(run_id, own=True)

    def look(self, run_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, FlowRun]:
        return {run_id: self._run(run_id, self.endings[run_id]) for run_id in run_ids}

    def give_up(self, run_id: uuid.UUID, cause: str) -> None:
        raise AssertionError(f"{run_id}: {cause}")

    def cancel(self, run_id: uuid.UUID) -> None:
        raise AssertionError(run_id)

    @staticmethod
    def _run(run_id: uuid.UUID, ending: Ending) -> FlowRun:
        from pipeline.cluster import STATES

        good = ending.kind in ("done", "cached")
        state = Completed() if good else Failed(name=STATES[ending.kind], message=ending.message)
        return FlowRun(id=run_id, flow_id=uuid.uuid4(), state=state)


@pytest.fixture()
def machines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    class Folder:
        events = tmp_path / "events"

    Folder.events.mkdir()
    monkeypatch.setenv("TOY_EVENTS", str(Folder.events))
    monkeypatch.setenv("RETUNE_HOME", str(tmp_path / "home"))
    yield Folder


def coordinate(project: Any, workers: Here, *, ref: str = "main", **params: str) -> tuple[str, str] | None:
    base = checkout.resolve(str(project.origin), ref)
    with checkout.slot(str(project.origin), base, kind="coordinator") as root:
        names = {name.replace("__", "."): value for name, value in params.items()}
        commit = branch.commit_params(root, str(project.origin), names) if names else base
        coordinator = Coordinator(root, repository=str(project.origin), commit=commit, workers=workers)
        coordinator.run()
        with Remote(root) as remote:
            branch.write_results(root, coordinator.graph, coordinator.plans, remote)
        return branch.publish(
            root, str(project.origin), base=base, graph=coordinator.graph, changed=list(coordinator.tallies)
        )


def lock(folder: Path) -> Any:
    return YAML(typ="safe").load(folder / "dvc.lock")["stages"]


def test_cold_warm_and_changed(project: Any) -> None:
    project.create()
    workers = Here()
    name, text = coordinate(project, workers)
    assert project.ran() == ["download", "finetune@1", "evaluate@1", "report"]
    assert workers.pools == {"download": "cpu", "finetune@1": "gpu", "evaluate@1": "cpu", "report": "cpu"}
    assert "test/macro_f1" in text

    clone = project.clone("clone", name)
    project.dvc("repro", "--pull", folder=clone)
    assert len(project.ran()) == 4, "a colleague's dvc repro --pull runs nothing"
    fresh = project.clone("fresh", "main")
    project.dvc("repro", folder=fresh)
    assert lock(fresh) == lock(clone)

    warm = Here()
    assert coordinate(project, warm)[0] == name, "the same branch, found again"
    assert coordinate(project, warm, ref=name) is None
    assert warm.jobs == []

    changed = Here()
    second, _ = coordinate(project, changed, ref=name, finetune__learning_rate="3e-5")
    assert [job.stage for job in changed.jobs] == ["finetune@1", "evaluate@1", "report"]
    assert second != name
