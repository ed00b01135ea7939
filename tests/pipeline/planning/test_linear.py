"""A plan takes steps in proportion to the number of seeds: counted, because times differ between machines."""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.planning.plan import make_plan
from pipeline.repository.digests import Digest, folder_digest
from pipeline.repository.graph import Graph, LockEntry, Stage, build_graph
from pipeline.repository.leftovers import find_leftovers
from tests.pipeline.planning.memory import MemorySnapshot


def project(seeds: int) -> tuple[list[Stage], MemorySnapshot]:
    """Stages as in this project's dvc.yaml, all of them fresh but the last, with their files."""
    stages = [Stage("cut", "cut", outs=("data/cut/tokens",))]
    for seed in range(seeds):
        outs = tuple(f"data/train/{seed}/{name}" for name in ("model", "stats.json"))
        stages.append(Stage(f"train@{seed}", f"train {seed}", deps=("data/cut/tokens",), outs=outs))
        stages.append(Stage(f"test@{seed}", f"test {seed}", deps=outs[:1], outs=(f"data/test/{seed}/metrics.json",)))
    stages.append(Stage("report", "report", deps=("data/train", "data/test"), outs=("data/report.md",)))
    tree = {out: Digest(f"{index:032x}") for index, out in enumerate(out for stage in stages for out in stage.outs)}
    lock = {
        stage.name: LockEntry(
            stage.cmd, {dep: tree[dep] for dep in stage.deps}, {}, {out: tree[out] for out in stage.outs}
        )
        for stage in stages[:-1]
    }
    files = {
        name.removeprefix("data/train/"): digest for name, digest in tree.items() if name.startswith("data/train/")
    }
    snapshot = MemorySnapshot(lock=lock, tree={**tree, "data/train": folder_digest(files)})
    snapshot.cache = {digest.md5 for digest in tree.values()}
    return stages, snapshot


def calls(function: Callable[[], Any]) -> int:
    """The number of calls, of Python's functions and of built-in ones, that a function makes."""
    count = 0

    def note(_frame: Any, event: str, _argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        function()
    finally:
        sys.setprofile(before)
    return count


def test_four_times_the_seeds_take_four_times_the_steps(tmp_path: Path) -> None:
    def graph_and_plan(stages: list[Stage], snapshot: MemorySnapshot) -> None:
        graph = build_graph(stages)
        find_leftovers(tmp_path, graph, ())
        assert {plan.state for plan in make_plan(graph, snapshot)} == {"fresh", "runs"}

    few, many = (calls(partial(graph_and_plan, *project(seeds))) for seeds in (50, 200))
    assert many < 5 * few


def test_durations_are_looked_up_once_per_group() -> None:
    stages, _ = project(3)
    graph: Graph = build_graph(stages)
    assert graph.group("train") == ("train@0", "train@1", "train@2")
    assert graph.group("nothing") == ()
