"""Expected times of stages whose rows are kept: what is known of that is in the range, and what is not known, too."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from pipeline.execution.workspace import note_success
from pipeline.planning.plan import StagePlan, make_plan
from pipeline.planning.work import stage_work
from pipeline.repository.digests import Digest
from pipeline.repository.durations import read_runs
from pipeline.repository.graph import LockEntry, Stage, build_graph
from pipeline.repository.kept_rows import NOTES, is_kept, note_kept
from pipeline.repository.snapshot import ModelRows, Run
from stages.paths import Paths
from tests.pipeline.planning.memory import MemorySnapshot

ENCODER, TOKENS = "data/download/model", "data/tokenize/tokens"
FILES = (ENCODER, TOKENS, "data/split/train.parquet")
LENGTHS = {10: 5_000, 50: 5_000, 200: 500}
OPTIONS = {"max_epochs": 4, "batch_size": 16, "head": {"pooling": "mean", "hidden": None}}
START, RATE = 6.0, 1e-3  # seconds of a stage without work, and of a token


def finetune(seed: int) -> Stage:
    return Stage(f"finetune@{seed}", "train", FILES, {"params.yaml": ("finetune",)}, (f"data/finetune/{seed}/model",))


def evaluate(seed: int) -> Stage:
    reads = (f"data/finetune/{seed}/model", TOKENS, "data/split/val.parquet")
    return Stage(f"evaluate@{seed}", "measure", reads, {"params.yaml": ("evaluate",)}, (f"data/evaluate/{seed}",))


class Machine(MemorySnapshot):
    """A project on a machine where models compute a token in RATE seconds."""

    def __init__(self, root: Path, **options: Any) -> None:
        super().__init__(tree={path: Digest("a") for path in FILES}, tokens=dict(LENGTHS))
        self.root = root
        self.values = {"params.yaml": {"tokenize": {"max_length": 128}, "finetune": {**OPTIONS, **options}}}

    def kept(self, rows: ModelRows) -> bool | None:
        read = {digest.md5 for entry in self.lock.values() for digest in entry.deps.values()}
        return is_kept(self.root, rows, limit_mb=100, read=read)

    def plan(self, *stages: Stage) -> StagePlan:
        """The plan of the last of the stages."""
        return make_plan(build_graph(stages), self)[-1]

    def takes(self, plan: StagePlan, *, computed: float) -> float:
        """The seconds of a stage whose model computes so many of its tokens."""
        assert plan.work
        return START + RATE * plan.work.done({"computed_tokens": computed})

    def run(self, stage: Stage) -> None:
        """Run it twice: once with all rows to compute, then with all rows kept."""
        plan = self.plan(stage)
        assert plan.work
        assert plan.reads
        Paths(self.root).kept_rows.parent.mkdir(parents=True, exist_ok=True)
        Paths(self.root).kept_rows.write_bytes(b"rows" * 100)
        if plan.work.read:
            note_kept(self.root, plan.reads)
        done = [plan.work.done({"computed_tokens": tokens}) for tokens in (plan.work.read, 0)]
        self.noted[stage.group] = tuple(Run(START + RATE * work, work) for work in done)


def new_encoder(machine: Machine) -> None:
    machine.tree[ENCODER] = Digest("b")


def new_seed(machine: Machine) -> None:
    """Nothing that decides a row."""


def new_rows(machine: Machine) -> None:
    machine.tree |= {path: Digest("b") for path in FILES[1:]}
    machine.tokens = {length: 2 * rows for length, rows in LENGTHS.items()}


def longer_rows(machine: Machine) -> None:
    machine.tree[TOKENS] = Digest("b")
    machine.values["params.yaml"]["tokenize"]["max_length"] = 256


def new_head(machine: Machine) -> None:
    machine.values["params.yaml"]["finetune"]["head"] = {"pooling": "mean", "hidden": 12}


def other_pooling(machine: Machine) -> None:
    machine.values["params.yaml"]["finetune"]["head"] = {"pooling": "cls", "hidden": None}


def other_precision(machine: Machine) -> None:
    machine.values["params.yaml"]["finetune"]["precision"] = "32"


def rows_deleted(machine: Machine) -> None:
    shutil.rmtree(Paths(machine.root).kept_rows.parent)


CHANGES = {
    new_encoder: False,
    new_seed: True,
    new_head: True,
    other_pooling: None,
    other_precision: None,
    new_rows: None,
    longer_rows: None,
    rows_deleted: False,
}


@pytest.mark.parametrize("method", ["frozen", "full"])
@pytest.mark.parametrize(("change", "kept"), CHANGES.items(), ids=lambda value: getattr(value, "__name__", ""))
def test_the_range_holds_what_can_happen_and_no_more_than_that(
    tmp_path: Path, change: Any, kept: bool | None, method: str
) -> None:
    machine = Machine(tmp_path, method=method)
    machine.run(finetune(1))
    change(machine)
    plan = machine.plan(finetune(2))
    assert plan.range
    assert plan.work
    low, high = plan.range
    all_computed, none_computed = (machine.takes(plan, computed=tokens) for tokens in (plan.work.read, 0))
    assert (all_computed > 4 * none_computed) is (method == "frozen")
    assert (low < none_computed) is (method == "full" or kept is not False)
    assert (high > all_computed) is (method == "full" or kept is not True)
    assert low < (none_computed if kept else all_computed) < high


def test_every_fold_reads_the_same_rows(tmp_path: Path) -> None:
    folds = [
        Stage(
            f"crossfit@{fold}", "fit", (*FILES[:2], f"data/split/folds/{fold}.parquet"), {}, (f"data/crossfit/{fold}",)
        )
        for fold in (1, 2)
    ]
    machine = Machine(tmp_path)
    machine.tree |= {"data/split/folds/1.parquet": Digest("a"), "data/split/folds/2.parquet": Digest("b")}
    assert machine.plan(folds[0]).reads == machine.plan(folds[1]).reads is not None


def test_an_encoder_that_is_yet_to_be_fetched_may_be_the_same(tmp_path: Path) -> None:
    machine = Machine(tmp_path, method="frozen")
    machine.run(finetune(1))
    fetch = Stage("download@model", "fetch", params={"params.yaml": ("download",)}, outs=(ENCODER,))
    machine.lock["download@model"] = LockEntry("other", {}, {}, {ENCODER: Digest("a")})
    plan = machine.plan(fetch, finetune(2))  # which has no result yet, so it runs whatever is fetched
    assert plan.state == "pending"
    assert plan.range
    assert plan.work
    assert (
        plan.range[0] < machine.takes(plan, computed=0) < machine.takes(plan, computed=plan.work.read) < plan.range[1]
    )


def test_a_stage_that_runs_only_if_its_model_is_new_reads_no_kept_row(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.tree |= {path: Digest("a") for stage in (finetune(1), evaluate(1)) for path in (*stage.deps, *stage.outs)}
    machine.run(evaluate(1))
    stage, machine.cache = evaluate(1), {"a"}
    machine.values["params.yaml"]["evaluate"] = {}
    deps, outs = ({path: machine.tree[path] for path in paths} for paths in (stage.deps, stage.outs))
    machine.lock[stage.name] = LockEntry(stage.cmd, deps, {"params.yaml": {"evaluate": {}}}, outs)
    plan = machine.plan(finetune(1), stage)
    assert (plan.state, plan.reasons) == ("pending", ())
    assert plan.range
    assert machine.takes(plan, computed=0) < plan.range[0]


def test_what_plain_dvc_has_run_may_be_kept(tmp_path: Path) -> None:
    machine = Machine(tmp_path, method="frozen")
    machine.run(finetune(1))
    new_encoder(machine)
    assert machine.kept(ModelRows("b", "rows")) is False
    machine.lock["finetune@1"] = LockEntry("train", {ENCODER: Digest("b")}, {}, {})
    assert machine.kept(ModelRows("b", "rows")) is None


def test_a_run_is_noted_with_the_work_that_it_did(tmp_path: Path) -> None:
    sections = {"finetune": {"method": "frozen", "max_epochs": 10, "batch_size": 16, "patience": 2}}
    work, rows = stage_work("finetune", sections, LENGTHS), ModelRows("a", "b")
    assert work
    Paths(tmp_path).timing("x").parent.mkdir(parents=True)
    Paths(tmp_path).kept_rows.parent.mkdir(parents=True)
    Paths(tmp_path).kept_rows.write_bytes(b"rows")
    plan = StagePlan("finetune@1", "runs", work=work, reads=rows)
    cases = [
        ({}, work.most),
        ({"computed_tokens": work.read, "epochs": 3}, work.least),
        ({"computed_tokens": 0, "epochs": 10, "rows_kept": 0}, work.most - work.read),
        ({"computed_tokens": 0, "epochs": 3, "rows_kept": 1}, work.least - work.read),
        ({"computed_tokens": "many", "epochs": -1}, work.most),
    ]
    for measured, done in cases:
        assert is_kept(tmp_path, rows, limit_mb=1, read=()) is not True or measured is cases[-1][0]
        Paths(tmp_path).timing("finetune@1").write_text(json.dumps(measured))
        note_success(tmp_path, "finetune@1", 10.0, plan)
        assert read_runs(tmp_path)["finetune"][-1].work == pytest.approx(done)
    assert is_kept(tmp_path, rows, limit_mb=1, read=()) is True


DAMAGED = ["", "[]", '{"a": 3}', '{"a": {"b": "c"}}', '{"a": {"b": null}}', '{"a": {"b": NaN}}', '{"\\ud800": {}}']


@pytest.mark.parametrize("content", DAMAGED)
def test_damaged_notes_claim_nothing_to_be_kept(tmp_path: Path, content: str) -> None:
    store = Paths(tmp_path).kept_rows
    store.parent.mkdir(parents=True)
    store.write_bytes(b"rows")
    (tmp_path / NOTES).write_text(content)
    assert is_kept(tmp_path, ModelRows("a", "b"), limit_mb=1, read=()) is not True
    note_kept(tmp_path, ModelRows("a", "b"))
    assert is_kept(tmp_path, ModelRows("a", "b"), limit_mb=1, read=()) is True
    assert is_kept(tmp_path, ModelRows("a", "other"), limit_mb=1, read=()) is None
    assert is_kept(tmp_path, ModelRows("other", "b"), limit_mb=1, read=()) is False
    assert is_kept(tmp_path, ModelRows(None, None), limit_mb=1, read=()) is None
    assert is_kept(tmp_path, ModelRows("a", "b"), limit_mb=0, read=()) is False
    assert is_kept(tmp_path, ModelRows("a", "b"), limit_mb=None, read=()) is None
    assert is_kept(tmp_path, ModelRows("a", "b"), limit_mb=10**400, read=()) is True
    store.write_bytes(b"r")  # begun anew
    assert is_kept(tmp_path, ModelRows("a", "b"), limit_mb=1, read=()) is None
    store.write_bytes(b"r" * 950_000)  # so full that the oldest rows may be gone
    assert is_kept(tmp_path, ModelRows("a", "b"), limit_mb=1, read=()) is None
    store.unlink()
    assert is_kept(tmp_path, ModelRows("a", "b"), limit_mb=1, read=()) is False


def test_a_disk_that_refuses_the_notes_fails_no_run(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = Paths(tmp_path).kept_rows
    store.parent.mkdir(parents=True)
    store.write_bytes(b"rows")
    (tmp_path / NOTES).with_name("computed.json.partial").mkdir()  # nobody may write there, not even root
    note_kept(tmp_path, ModelRows("a", "b"))
    assert [record.getMessage().partition(" (")[0] for record in caplog.records] == [
        f"{tmp_path / NOTES} can't be written"
    ]
