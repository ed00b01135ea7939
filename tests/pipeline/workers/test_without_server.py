"""Worker and coordinator without Prefect: stages run one after the other in this process, at once where it matters."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pipeline.repository import git
from pipeline.repository.remote import Remote
from pipeline.repository.run_cache import entry_key
from pipeline.workers import checkout
from pipeline.workers.stage_run import Job, StageRun
from stages.errors import PipelineError
from tests.pipeline.workers.here import Here, coordinate


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
    assert coordinate(project, warm) == (name, text), "the same branch, found again"
    assert coordinate(project, warm, ref=name) is None
    assert warm.jobs == []

    changed = Here()
    second, text = coordinate(project, changed, ref=name, finetune__learning_rate="3e-5")
    assert [job.stage for job in changed.jobs] == ["finetune@1", "evaluate@1", "report"]
    assert second != name
    assert text.startswith("Retrain: finetune@1, evaluate@1, report\n")


def test_asked_for_again_the_data_are_fetched_and_only_what_they_change_follows(project: Any) -> None:
    project.create()
    name, _ = coordinate(project, Here())
    same = Here()
    assert coordinate(project, same, ref=name, refresh=True) is None
    assert [job.stage for job in same.jobs] == ["download"], "the same bytes: nothing follows"
    assert len(project.ran()) == 5

    (project.event_folder / "outside.txt").write_text("one more row\n")
    assert coordinate(project, Here(), ref=name) is None
    changed = Here()
    second, text = coordinate(project, changed, ref=name, refresh=True)
    assert [job.stage for job in changed.jobs] == ["download", "finetune@1", "evaluate@1", "report"]
    assert text.startswith("Retrain: download, finetune@1, evaluate@1, report\n")
    clone = project.clone("clone", second)
    project.dvc("repro", "--pull", folder=clone)
    assert (clone / "data/download/rows/rows.txt").read_text().endswith("one more row\n")
    assert len(project.ran()) == 9, "a colleague's dvc repro --pull runs nothing"
    again = Here()
    coordinate(project, again)
    assert again.jobs == [], "the newest record counts"


def test_faults_of_the_store_end_clear_and_never_wrong(project: Any, tmp_path: Path) -> None:
    project.create()
    coordinate(project, Here())
    weights = next(path for path in project.objects() if b"weights.txt" in path.read_bytes())
    [name] = [part["md5"] for part in json.loads(weights.read_text()) if part["relpath"] == "weights.txt"]
    weights = weights.parents[1] / name[:2] / name[2:]
    wipe_cache(tmp_path)

    weights.unlink()  # deleted: only the stage that wrote it runs again, and it writes the same
    again = Here()
    coordinate(project, again)
    assert [job.stage for job in again.jobs] == ["finetune@1"]
    assert weights.is_file()

    wipe_cache(tmp_path)
    weights.chmod(0o644)
    weights.write_bytes(b"0" * 64)  # damaged: whoever reads it says so, and nothing is recorded
    weights.chmod(0o444)  # as DVC leaves it; without that DVC itself removes what is damaged in a folder
    records = project.records()
    with pytest.raises(PipelineError, match=r"evaluate@1: .*is damaged: its MD5 is not"):
        coordinate(project, Here(), evaluate__confidence="0.9")
    assert project.records() == records

    wipe_cache(tmp_path)
    weights.unlink()  # what the message says
    mended = Here()
    coordinate(project, mended, evaluate__confidence="0.9")
    assert [job.stage for job in mended.jobs] == ["finetune@1", "evaluate@1"], "the same metrics: no new report"


def test_a_worker_trusts_nothing_but_the_commit(project: Any, tmp_path: Path) -> None:
    project.create()
    first = Here()
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

    job = first.jobs[0]
    assert StageRun(job).run(lambda _: None).kind == "done"
    assert project.records() == [job.key]
    assert git.run(slot, "rev-parse", "HEAD") == job.commit

    (slot / ".git/HEAD").write_text("garbage")
    assert StageRun(job).run(lambda _: None).kind == "cached"

    mixed = Job(job.repository, wrong, job.stage, job.key, job.inputs)
    wipe_remote(project)
    ending = StageRun(mixed).run(lambda _: None)
    assert (ending.kind, project.records()) == ("machine", [])
    assert "the inputs are not those of key" in ending.message


def test_the_first_writer_wins_and_a_late_one_changes_nothing(project: Any, tmp_path: Path) -> None:
    project.create()
    workers = Here()
    coordinate(project, workers)
    job = workers.jobs[0]
    [record] = (project.remote / "runs" / job.key[:2] / job.key).iterdir()
    before = (record.name, record.stat().st_mtime_ns)
    with checkout.slot(job.repository, job.commit, kind="stage") as root, Remote(root) as remote:
        entry = remote.find(job.key)
        assert entry is not None
        assert entry_key(entry) == job.key
        late = {**entry, "outs": [{**out, "md5": "0" * 32} for out in entry["outs"]]}
        assert remote.publish(late) == entry
    [record] = (project.remote / "runs" / job.key[:2] / job.key).iterdir()
    assert (record.name, record.stat().st_mtime_ns) == before
    assert StageRun(job).run(lambda _: None).kind == "cached"


def test_a_stage_that_says_no_is_not_tried_again(project: Any) -> None:
    project.create()
    (project.event_folder / "fail-finetune@1").touch()
    workers = Here()
    with pytest.raises(PipelineError, match=r"^finetune@1: finetune@1 row 17: label is empty\.$"):
        coordinate(project, workers)
    assert [job.stage for job in workers.jobs] == ["download", "finetune@1"]
    assert len(project.records()) == 1
    assert project.branches() == []


def wipe_cache(folder: Path) -> None:
    shutil.rmtree(folder / "home/cache", ignore_errors=True)


def wipe_remote(project: Any) -> None:
    shutil.rmtree(project.remote)
