"""The state of each stage, from a project in memory; `test_plan` compares it with what DVC does."""

from dataclasses import replace

import pytest

from pipeline.planning.plan import StagePlan, expected_seconds, make_plan, read_values
from pipeline.repository.digests import Digest, folder_digest
from pipeline.repository.graph import LockEntry, Stage, build_graph
from pipeline.repository.snapshot import Recorded
from tests.pipeline.planning.memory import MemorySnapshot

RATE = {"params.yaml": ("rate",)}
GRAPH = build_graph(
    [
        Stage("raw", "raw", ("input.csv",), outs=("data/raw.csv",)),
        Stage("cut", "cut", ("data/raw.csv",), {"params.yaml": ("cut",)}, ("data/cut",)),
        Stage("train", "train", ("data/cut/train.csv", "pins.txt"), RATE, ("data/model", "data/curve.csv")),
        Stage("report", "report", ("data",), outs=("report.md",)),
    ]
)
INPUT, RAW, ROWS, PINS, CURVE, NOTES, REPORT = map(Digest, ("in", "raw", "rows", "pins", "curve", "notes", "md"))
CUT_FILES, MODEL_FILES = {"train.csv": ROWS, "test.csv": Digest("test")}, {"weights": Digest("w")}
CUT, MODEL = folder_digest(CUT_FILES), folder_digest(MODEL_FILES)
DATA_FILES = {
    "raw.csv": RAW,
    "cut/train.csv": ROWS,
    "cut/test.csv": Digest("test"),
    "model/weights": Digest("w"),
    "curve.csv": CURVE,
    "notes.txt": NOTES,  # no stage writes it
}
DATA = folder_digest(DATA_FILES)
VALUES = {"cut": 5, "rate": 0.1}
LOCK = {
    "raw": LockEntry("raw", {"input.csv": INPUT}, {}, {"data/raw.csv": RAW}),
    "cut": LockEntry("cut", {"data/raw.csv": RAW}, {"params.yaml": {"cut": 5}}, {"data/cut": CUT}),
    "train": LockEntry(
        "train",
        {"data/cut/train.csv": ROWS, "pins.txt": PINS},
        {"params.yaml": {"rate": 0.1}},
        {"data/model": MODEL, "data/curve.csv": CURVE},
    ),
    "report": LockEntry("report", {"data": DATA}, {}, {"report.md": REPORT}),
}


def finished() -> MemorySnapshot:
    """The project after a run."""
    tree = {"input.csv": INPUT, "pins.txt": PINS, "data": DATA, "data/cut": CUT, "data/model": MODEL}
    tree |= {"report.md": REPORT, **{f"data/{name}": digest for name, digest in DATA_FILES.items()}}
    outs = [digest.md5 for entry in LOCK.values() for digest in entry.outs.values()]
    return MemorySnapshot(
        lock=dict(LOCK),
        tree=tree,
        folders={
            ("data/cut", CUT.md5): CUT_FILES,
            ("data/model", MODEL.md5): MODEL_FILES,
            ("data", DATA.md5): DATA_FILES,
        },
        values={"params.yaml": dict(VALUES)},
        cache=set(outs),
        times={"raw": 1.0, "cut": 2.0, "train": 40.0, "report": 3.0},
    )


def without(snapshot: MemorySnapshot, *stages: str) -> MemorySnapshot:
    """The same project with the outputs of these stages deleted."""
    outs = [out for stage in GRAPH.stages if stage.name in stages for out in stage.outs]
    gone = {path for path in snapshot.tree for out in outs if path == out or path.startswith(f"{out}/")}
    return replace(snapshot, tree={path: digest for path, digest in snapshot.tree.items() if path not in gone})


def plans(snapshot: MemorySnapshot, **options: tuple[str, ...]) -> dict[str, StagePlan]:
    return {plan.stage: plan for plan in make_plan(GRAPH, snapshot, **options)}


def states(snapshot: MemorySnapshot, **options: tuple[str, ...]) -> list[str]:
    return [plan.state for plan in make_plan(GRAPH, snapshot, **options)]


def test_a_finished_project_is_fresh_and_costs_nothing() -> None:
    cut = StagePlan(
        "cut", "fresh", outs={"data/cut": CUT}, deps={"data/raw.csv": RAW}, params={"params.yaml": {"cut": 5}}
    )
    assert plans(finished())["cut"] == cut
    assert states(finished()) == ["fresh"] * 4
    assert finished().lookups == []


def test_a_changed_stage_runs_and_every_stage_below_it_is_pending() -> None:
    snapshot = finished()
    snapshot.values["params.yaml"]["cut"] = 6
    assert list(plans(snapshot).values())[1:] == [
        StagePlan(
            "cut",
            "runs",
            ("cut 5 -> 6",),
            seconds=2.0,
            deps={"data/raw.csv": RAW},
            params={"params.yaml": {"cut": 6}},
        ),
        StagePlan(
            "train",
            "pending",
            waits_for=("cut",),
            seconds=40.0,
            deps={"pins.txt": PINS},  # what cut will write is not known
            params={"params.yaml": {"rate": 0.1}},
        ),
        StagePlan("report", "pending", waits_for=("cut", "train"), seconds=3.0),
    ]


def test_a_pending_stage_has_its_own_reasons_too() -> None:
    snapshot = finished()
    snapshot.values["params.yaml"] |= {"cut": 6, "rate": 0.2}
    train = plans(without(snapshot, "train"))["train"]
    assert train.reasons == ("rate 0.1 -> 0.2", "output data/model missing", "output data/curve.csv missing")
    assert train.as_json() == {
        "stage": "train",
        "state": "pending",
        "reasons": [*train.reasons, "cut first"],
        "seconds": 40.0,
        "seconds_low": 25.0,
        "seconds_high": 64.0,
    }


def test_a_stage_that_never_ran_has_no_expected_time() -> None:
    snapshot = MemorySnapshot(tree={"input.csv": INPUT})
    raw, cut, *_ = make_plan(GRAPH, snapshot)
    assert (raw.state, raw.reasons, raw.seconds) == ("runs", ("not in dvc.lock yet",), None)
    assert (cut.state, cut.reasons, cut.seconds) == ("pending", ("not in dvc.lock yet",), None)


@pytest.mark.parametrize("where", ["cache", "remote"])
def test_a_lost_output_is_restored_by_the_entry_of_dvc_lock(where: str) -> None:
    snapshot = without(finished(), "cut")
    snapshot.records["cut"] = Recorded(LOCK["cut"], where)  # type: ignore[arg-type]
    planned = plans(snapshot)
    assert planned["cut"] == StagePlan(
        "cut",
        "restored",
        ("output data/cut missing",),
        where=where,  # type: ignore[arg-type]
        outs={"data/cut": CUT},
        deps={"data/raw.csv": RAW},
        params={"params.yaml": {"cut": 5}},
    )
    assert snapshot.lookups == [("cut", LOCK["cut"], {"data/raw.csv": RAW}, {"params.yaml": {"cut": 5}})]
    assert [plan.state for plan in planned.values()] == ["fresh", "restored", "fresh", "fresh"]


def test_a_changed_input_is_looked_up_by_its_new_value_not_by_the_entry_of_dvc_lock() -> None:
    snapshot = finished()
    snapshot.values["params.yaml"]["rate"] = 0.2
    assert plans(snapshot)["train"].state == "runs"
    deps = {"data/cut/train.csv": ROWS, "pins.txt": PINS}
    assert snapshot.lookups == [("train", None, deps, {"params.yaml": {"rate": 0.2}})]


@pytest.mark.parametrize(
    ("files", "known", "state", "reasons"),
    [
        ({"train.csv": ROWS}, True, "fresh", ()),  # only test.csv is gone
        ({"train.csv": Digest("rows 2")}, True, "runs", ("data/cut/train.csv changed",)),
        ({"test.csv": ROWS}, True, "runs", ("data/cut/train.csv missing",)),
        ({"train.csv": ROWS}, False, "runs", ("data/cut/train.csv missing",)),  # the folder's files are unknown
    ],
)
def test_a_file_of_a_restored_folder_is_compared_as_it_will_be(
    files: dict[str, Digest], known: bool, state: str, reasons: tuple[str, ...]
) -> None:
    snapshot = finished()
    snapshot.values["params.yaml"]["cut"] = 6
    folder = folder_digest(files | {"more.csv": INPUT})
    snapshot.records["cut"] = Recorded(replace(LOCK["cut"], outs={"data/cut": folder}), "cache")
    if known:
        snapshot.folders["data/cut", folder.md5] = files
    train = plans(snapshot)["train"]
    assert (train.state, train.reasons) == (state, reasons)


def with_comment(snapshot: MemorySnapshot) -> MemorySnapshot:
    """The same project where `code.py`, which train reads, has changed in comments alone."""
    train = snapshot.lock["train"]
    snapshot.lock["train"] = replace(train, deps={**train.deps, "code.py": Digest("old")})
    snapshot.tree["code.py"] = Digest("new")
    snapshot.comments.add(("code.py", "old"))
    return snapshot


COMMENTED = build_graph(
    [replace(stage, deps=(*stage.deps, "code.py")) if stage.name == "train" else stage for stage in GRAPH.stages]
)


def commented(snapshot: MemorySnapshot) -> dict[str, StagePlan]:
    return {plan.stage: plan for plan in make_plan(COMMENTED, with_comment(snapshot))}


def test_a_comment_is_no_change() -> None:
    planned = commented(finished())
    assert [plan.state for plan in planned.values()] == ["fresh"] * 4
    assert (planned["train"].comments, planned["train"].acceptable) == (("code.py",), True)


def test_a_comment_is_no_excuse_for_anything_else() -> None:
    snapshot = finished()
    snapshot.values["params.yaml"]["rate"] = 0.2
    train = commented(snapshot)["train"]
    assert (train.state, train.reasons, train.acceptable) == ("runs", ("rate 0.1 -> 0.2",), False)
    assert train.notes == ("code.py changed in comments or layout only",)


def test_a_comment_below_a_stage_that_runs_can_not_be_accepted_yet() -> None:
    snapshot = finished()
    snapshot.values["params.yaml"]["cut"] = 6
    train = commented(snapshot)["train"]
    assert (train.state, train.reasons, train.acceptable) == ("pending", (), False)


def test_a_result_that_is_missing_is_not_restored_under_the_hash_of_the_former_code() -> None:
    train = commented(without(finished(), "train"))["train"]
    assert (train.state, train.acceptable) == ("runs", False)  # DVC would not find it either


def test_a_missing_dependency_is_never_restored() -> None:
    snapshot = finished()
    del snapshot.tree["pins.txt"]
    snapshot.records["train"] = Recorded(LOCK["train"], "cache")
    train = plans(snapshot)["train"]
    assert (train.state, train.reasons) == ("runs", ("pins.txt missing",))
    assert train.deps == {"data/cut/train.csv": ROWS}
    assert snapshot.lookups == []


def test_a_forced_stage_runs_with_its_reasons_although_its_result_is_recorded() -> None:
    snapshot = without(finished(), "cut")
    snapshot.records["cut"] = Recorded(LOCK["cut"], "cache")
    planned = plans(snapshot, force=("cut",))
    assert planned["cut"] == StagePlan(
        "cut",
        "runs",
        ("refresh requested", "output data/cut missing"),
        seconds=2.0,
        deps={"data/raw.csv": RAW},
        params={"params.yaml": {"cut": 5}},
        forced=True,
    )
    assert [plan.state for plan in planned.values()] == ["fresh", "runs", "pending", "pending"]


def test_a_forced_stage_below_one_that_runs_waits_for_it() -> None:
    train = plans(finished(), force=("cut", "train"))["train"]
    assert (train.state, train.reasons, train.forced) == ("pending", (), False)


def test_the_files_of_a_running_stage_are_not_read() -> None:
    snapshot = finished()
    snapshot.values["params.yaml"]["rate"] = 0.2
    train = plans(snapshot, running=("train",))["train"]
    assert train == StagePlan("train", "runs", ("running now",), seconds=40.0)
    assert states(snapshot, running=("train",)) == ["fresh", "fresh", "runs", "pending"]


def test_a_folder_that_holds_outputs_is_compared_as_it_will_be() -> None:
    snapshot = without(finished(), "raw", "cut", "train")
    snapshot.tree |= {"data": folder_digest({"notes.txt": NOTES}), "data/cut/stale.csv": INPUT}
    snapshot.records |= {name: Recorded(LOCK[name], "cache") for name in ("raw", "cut", "train")}
    assert states(snapshot) == ["restored", "restored", "restored", "fresh"]

    snapshot.tree["data/notes.txt"] = INPUT
    report = plans(snapshot)["report"]
    assert report.reasons == ("data changed",)  # what will be there is not yet in any cache
    assert report.deps == {"data": folder_digest(DATA_FILES | {"notes.txt": INPUT})}


def test_a_folder_inside_a_restored_output_is_compared_as_it_will_be() -> None:
    inner = {"a.csv": ROWS, "b.csv": RAW}
    files = {"part/a.csv": ROWS, "part/b.csv": RAW, "partial.csv": INPUT}
    graph = build_graph([Stage("cut", "", outs=("out",)), Stage("use", "", ("out/part",), outs=("used",))])
    cut, use = LockEntry("", {}, {}, {"out": folder_digest(files)}), LockEntry("", {}, {}, {"used": RAW})
    snapshot = MemorySnapshot(
        lock={"cut": cut, "use": replace(use, deps={"out/part": folder_digest(inner)})},
        tree={"used": RAW},
        cache={"raw"},
        records={"cut": Recorded(cut, "cache")},
        folders={("out", folder_digest(files).md5): files},
    )
    assert [plan.state for plan in make_plan(graph, snapshot)] == ["restored", "fresh"]


def test_outputs_are_known_only_where_dvc_lock_has_them() -> None:
    snapshot = without(finished(), "train")
    entry = replace(LOCK["train"], outs={"data/model": MODEL, "data/old.csv": RAW})
    snapshot.records["train"] = Recorded(entry, "cache")
    assert plans(snapshot)["train"].outs == {"data/model": MODEL}


def test_the_current_values_are_those_that_the_stage_names() -> None:
    snapshot = MemorySnapshot(values={"params.yaml": {"a": None, "b": 2}, "whole.yaml": {"c": 3}, "list.yaml": [1]})
    keys = {"params.yaml": ("a", "x"), "whole.yaml": (), "list.yaml": (), "absent.yaml": ()}
    assert read_values(snapshot, Stage("cut", "", params=keys)) == {
        "params.yaml": {"a": None},
        "whole.yaml": {"c": 3},
        "list.yaml": {},
        "absent.yaml": {},
    }


def test_expected_times_add_up_and_unknown_ones_count_nothing() -> None:
    times = [40.0, None, 2.5, 0.0]
    assert expected_seconds([StagePlan("x", "runs", seconds=seconds) for seconds in times]) == 42.5
