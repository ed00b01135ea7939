"""Coordinator and stage runs without Prefect, in this process: what runs, what is recorded, remote faults."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from pipeline.repository import git
from pipeline.repository.storage.remote import Remote
from pipeline.repository.storage.run_cache import entry_key
from pipeline.workers import checkout
from pipeline.workers.stage_run import StageRequest, StageRun
from stages.errors import PipelineError
from tests.pipeline.workers.in_process import InProcessDispatcher, coordinate
from tests.pipeline.workers.toy_project import locked_stages


def test_cold_warm_and_changed(project: Any) -> None:
    project.create()
    dispatcher = InProcessDispatcher()
    name, text = coordinate(project, dispatcher)
    assert project.ran() == ["download", "finetune@1", "evaluate@1", "report"]
    assert dispatcher.pools == {"download": "cpu", "finetune@1": "gpu", "evaluate@1": "cpu", "report": "cpu"}
    assert "test.macro_f1" in text

    clone = project.clone("clone", name)
    project.dvc("repro", "--pull", folder=clone)
    assert len(project.ran()) == 4, "a colleague's dvc repro --pull runs nothing"
    fresh = project.clone("fresh", "main")
    project.dvc("repro", folder=fresh)
    assert locked_stages(fresh) == locked_stages(clone)

    warm = InProcessDispatcher()
    assert coordinate(project, warm) == (name, text), "the same results: the same branch"
    assert coordinate(project, warm, ref=name) is None
    assert warm.requests == []

    changed = InProcessDispatcher()
    second, text = coordinate(project, changed, ref=name, finetune__learning_rate=3e-5)
    assert changed.stages == ["finetune@1", "evaluate@1", "report"]
    assert second != name
    assert text.startswith("Retrain: finetune@1, evaluate@1, report\n")


def test_folds_and_forecasts_are_those_of_a_local_run(project: Any) -> None:
    project.create()
    name, _ = coordinate(project, InProcessDispatcher())
    dispatcher, optional = InProcessDispatcher(), ["crossfit@1", "crossfit@2", "extrapolate@7"]
    second, text = coordinate(project, dispatcher, ref=name, crossfit__folds=[1, 2], extrapolate__seeds=[7])
    assert dispatcher.stages[-1] == "report"
    assert sorted(dispatcher.stages[:-1]) == optional, "nothing else runs again"
    assert {dispatcher.pools[stage] for stage in optional} == {"gpu"}
    assert text.startswith(f"Retrain: {', '.join(optional)}, report\n")
    clone, before = project.clone("clone", second), len(project.ran())
    project.dvc("repro", "--pull", folder=clone)
    assert len(project.ran()) == before, "a colleague's dvc repro --pull runs nothing"
    assert (clone / "data/report/report.md").read_text().count("\n") == 4
    fresh = project.clone("fresh", "main")
    shutil.copy(clone / "params.yaml", fresh)
    project.dvc("repro", folder=fresh)
    assert locked_stages(fresh) == locked_stages(clone)

    off = InProcessDispatcher()
    third, _ = coordinate(project, off, ref=second, crossfit__folds=[], extrapolate__seeds=[])
    assert off.stages == [], "the results from before the folds are in the remote"
    assert locked_stages(project.clone("off", third)) == locked_stages(project.clone("on", name))


def test_refresh_downloads_again_and_runs_only_what_new_bytes_affect(project: Any) -> None:
    project.create()
    name, _ = coordinate(project, InProcessDispatcher())
    same = InProcessDispatcher()
    assert coordinate(project, same, ref=name, refresh=True) is None
    assert same.stages == ["download"], "the same bytes: nothing follows"
    assert len(project.ran()) == 5

    (project.event_folder / "outside.txt").write_text("one more row\n")
    assert coordinate(project, InProcessDispatcher(), ref=name) is None
    changed = InProcessDispatcher()
    second, text = coordinate(project, changed, ref=name, refresh=True)
    assert changed.stages == ["download", "finetune@1", "evaluate@1", "report"]
    assert text.startswith("Retrain: download, finetune@1, evaluate@1, report\n")
    clone = project.clone("clone", second)
    project.dvc("repro", "--pull", folder=clone)
    assert (clone / "data/download/rows/rows.txt").read_text().endswith("one more row\n")
    assert len(project.ran()) == 9, "a colleague's dvc repro --pull runs nothing"
    again = InProcessDispatcher()
    coordinate(project, again)
    assert again.requests == [], "the newest record counts"


def test_a_deleted_object_is_written_again_and_a_damaged_one_is_named(project: Any, tmp_path: Path) -> None:
    project.create()
    coordinate(project, InProcessDispatcher())
    weights = next(path for path in project.objects() if b"weights.txt" in path.read_bytes())
    [name] = [part["md5"] for part in json.loads(weights.read_text()) if part["relpath"] == "weights.txt"]
    weights = weights.parents[1] / name[:2] / name[2:]
    wipe_cache(tmp_path)

    weights.unlink()  # deleted: only the stage that writes it runs again, with the same bytes
    again = InProcessDispatcher()
    coordinate(project, again)
    assert again.stages == ["finetune@1"]
    assert weights.is_file()

    wipe_cache(tmp_path)
    weights.chmod(0o644)
    weights.write_bytes(b"0" * 64)  # damaged: the stage that reads it fails, and nothing is recorded
    weights.chmod(0o444)  # as DVC leaves it; a writable damaged file would be removed by DVC
    records = project.records()
    with pytest.raises(PipelineError, match=r"evaluate@1: .*is damaged: its MD5 is not"):
        coordinate(project, InProcessDispatcher(), evaluate__confidence=0.9)
    assert project.records() == records

    wipe_cache(tmp_path)
    weights.unlink()  # as the error message tells the user to do
    repaired = InProcessDispatcher()
    coordinate(project, repaired, evaluate__confidence=0.9)
    assert repaired.stages == ["finetune@1", "evaluate@1"], "the same metrics: no new report"


def test_a_worker_repairs_its_checkout_and_rejects_a_commit_with_other_inputs(project: Any, tmp_path: Path) -> None:
    project.create()
    first = InProcessDispatcher()
    coordinate(project, first)
    slot = tmp_path / "home/slots/stage-0"
    (project.work / "toy.py").write_text("raise SystemExit('wrong commit')\n")
    wrong = project.commit("Wrong")
    git.run(slot, "fetch", str(project.origin), "main")
    git.run(slot, "checkout", "--force", "--detach", wrong)
    (slot / "source.txt").write_text("not what the commit says\n")
    (slot / "data/download/rows").mkdir(parents=True, exist_ok=True)
    (slot / "data/download/rows/more.txt").write_text("left over\n")
    wipe_remote(project)
    wipe_cache(tmp_path)

    request = first.requests[0]
    assert StageRun(request).run(lambda _: None).status == "done"
    assert project.records() == [request.key]
    assert git.run(slot, "rev-parse", "HEAD") == request.commit

    (slot / ".git/HEAD").write_text("garbage")
    assert StageRun(request).run(lambda _: None).status == "cached"

    mixed = StageRequest(request.repository, wrong, request.stage, request.key, request.inputs)
    wipe_remote(project)
    result = StageRun(mixed).run(lambda _: None)
    assert (result.status, project.records()) == ("machine error", [])
    assert "expected inputs with the key" in result.message


def test_the_first_record_stays_and_a_late_writer_changes_nothing(project: Any, tmp_path: Path) -> None:
    project.create()
    dispatcher = InProcessDispatcher()
    coordinate(project, dispatcher)
    request = dispatcher.requests[0]
    [record] = (project.remote / "runs" / request.key[:2] / request.key).iterdir()
    before = (record.name, record.stat().st_mtime_ns)
    with checkout.slot(request.repository, request.commit, kind="stage") as root, Remote(root) as remote:
        entry = remote.find(request.key)
        assert entry is not None
        assert entry_key(entry) == request.key
        late = {**entry, "outs": [{**out, "md5": "0" * 32} for out in entry["outs"]]}
        assert remote.publish(late) == entry
    [record] = (project.remote / "runs" / request.key[:2] / request.key).iterdir()
    assert (record.name, record.stat().st_mtime_ns) == before
    assert StageRun(request).run(lambda _: None).status == "cached"


def test_a_stage_that_fails_by_itself_is_not_retried(project: Any) -> None:
    project.create()
    (project.event_folder / "fail-finetune@1").touch()
    dispatcher = InProcessDispatcher()
    with pytest.raises(PipelineError, match=r"^finetune@1: finetune@1 row 17: label is empty\.$"):
        coordinate(project, dispatcher)
    assert dispatcher.stages == ["download", "finetune@1"]
    assert len(project.records()) == 1
    assert project.branches() == []


def wipe_cache(folder: Path) -> None:
    shutil.rmtree(folder / "home/cache", ignore_errors=True)


def wipe_remote(project: Any) -> None:
    shutil.rmtree(project.remote)
