"""Why a stage is not fresh, from a project in memory."""

import datetime
from typing import Any

import pytest

from pipeline.planning.reasons import input_reasons, output_reasons, value_changes
from pipeline.repository.digests import Digest
from pipeline.repository.graph import LockEntry, Stage
from pipeline.repository.snapshot import MISSING
from tests.pipeline.planning.memory import MemorySnapshot

A, B, C = Digest("a"), Digest("b"), Digest("c")
OLD, NEW = Digest("old.dir"), Digest("new.dir")
STAGE = Stage("cut", "python cut.py", ("rows.csv",), {"params.yaml": ("cut",)}, ("tokens",))
ENTRY = LockEntry("python cut.py", {"rows.csv": A}, {"params.yaml": {"cut": 1}}, {"tokens": C})
UNCHANGED = {"params.yaml": {"cut": 1}}


@pytest.mark.parametrize(
    ("cmd", "deps", "reasons"),
    [
        ("python cut.py", {"rows.csv": A}, []),
        ("python cut.py", {}, []),  # the digest is not known yet
        ("python cut.py", {"rows.csv": Digest("a", executable=True)}, []),
        ("python cut.py", {"rows.csv": B}, ["rows.csv changed"]),
        ("python cut.py", {"rows.csv": None}, ["rows.csv missing"]),
        ("python cut.py", {"rows.csv": A, "pins.txt": B}, ["pins.txt is a new dependency"]),
        ("python cut.py", {"pins.txt": B, "rows.csv": B}, ["pins.txt is a new dependency", "rows.csv changed"]),
        ("python cut.py", {"rows.csv": None, "pins.txt": None}, ["rows.csv missing", "pins.txt missing"]),
        ("python x.py", {"rows.csv": A}, ["command changed"]),
        ("python x.py", {"rows.csv": None}, ["command changed", "rows.csv missing"]),
    ],
)
def test_a_changed_command_or_dependency_is_named(cmd: str, deps: dict[str, Digest | None], reasons: list[str]) -> None:
    stage = Stage("cut", cmd, params=STAGE.params)
    assert input_reasons(MemorySnapshot(), stage, ENTRY, deps, UNCHANGED) == reasons


def test_a_stage_that_is_not_in_dvc_lock_names_what_is_missing_and_compares_nothing() -> None:
    deps = {"rows.csv": A, "pins.txt": None}
    reasons = input_reasons(MemorySnapshot(), STAGE, None, deps, {"params.yaml": {"cut": 2}})
    assert reasons == ["not in dvc.lock yet", "pins.txt missing"]


@pytest.mark.parametrize(
    ("keys", "before", "now", "reasons"),
    [
        (("cut",), {"params.yaml": {"cut": 1}}, {"params.yaml": {"cut": 2}}, ["cut 1 -> 2"]),
        (("cut",), {}, {"params.yaml": {"cut": 2}}, ["cut is new (2)"]),
        (("cut",), {"params.yaml": {"cut": 1}}, {"params.yaml": {}}, ["cut was removed"]),
        (("cut",), {"params.yaml": {"cut": 1, "x": 1}}, {"params.yaml": {"cut": 1}}, []),  # x is no longer asked for
        ((), {"params.yaml": {"a": 1, "c": 1}}, {"params.yaml": {"b": 2, "a": 3}}, ["b is new (2)", "a 1 -> 3"]),
        (("cut", "cu"), {"params.yaml": {"cut": 1}}, {"params.yaml": {"cut": 1}}, ["cu is not in params.yaml"]),
        (("k",), {"more.yaml": {"k": 1}}, {"more.yaml": {"k": 2}}, ["more.yaml:k 1 -> 2"]),
    ],
)
def test_a_changed_parameter_is_named(keys: tuple[str, ...], before: Any, now: Any, reasons: list[str]) -> None:
    stage = Stage("cut", "", params=dict.fromkeys(now, keys))
    changes = input_reasons(MemorySnapshot(), stage, LockEntry("", {}, before, {}), {}, now)
    assert changes == (reasons if keys else [*reasons, "c was removed"])


@pytest.mark.parametrize(
    ("before", "now", "changes"),
    [
        (1, 1, []),
        (1, 1.0, []),
        (None, MISSING, ["k was removed"]),
        (MISSING, None, ["k is new (null)"]),
        ("a", "b", ["k a -> b"]),
        ([1, "é"], "é", ['k [1, "é"] -> é']),
        ({"a": 1, "b": 2}, {"b": 3, "c": 4}, ["k.a was removed", "k.b 2 -> 3", "k.c is new (4)"]),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, ["k.a.b 1 -> 2"]),
        ({"a": 1}, 2, ['k {"a": 1} -> 2']),
        (2, {"a": 1}, ['k 2 -> {"a": 1}']),
        (1, [datetime.date(2024, 5, 1)], ['k 1 -> ["2024-05-01"]']),  # as YAML reads a date
        ("x" * 60, "y" * 61, [f"k {'x' * 60} -> {'y' * 57}..."]),
    ],
)
def test_each_changed_value_is_shown(before: object, now: object, changes: list[str]) -> None:
    assert value_changes("k", before, now) == changes


def files(**md5s: str) -> dict[str, Digest]:
    return {name: Digest(md5) for name, md5 in md5s.items()}


@pytest.mark.parametrize(
    ("before", "now", "reasons"),
    [
        (files(a="1", b="2"), files(a="1", b="3"), ["code/b changed"]),
        (files(a="1"), files(a="1", b="3"), ["code/b changed"]),
        (files(b="1", a="1"), {}, ["code/a changed", "code/b changed"]),
        ({}, files(c="1", b="1", a="1"), ["code/a changed", "code/b changed", "code/c changed"]),
        ({}, files(**dict.fromkeys("abcd", "1")), [f"code/{name} changed" for name in "abcd"]),
        (
            {},
            files(**dict.fromkeys("abcde", "1")),
            ["code/a changed", "code/b changed", "code/c changed", "2 more files of code changed"],
        ),
        ({"a": Digest("1")}, {"a": Digest("1", executable=True)}, []),
        (None, files(a="1"), ["code changed"]),  # no cache or commit has the former files
        (files(a="1"), None, ["code changed"]),
    ],
)
def test_the_changed_files_of_a_folder_are_named(before: Any, now: Any, reasons: list[str]) -> None:
    folders = {("code", digest.md5): names for digest, names in ((OLD, before), (NEW, now)) if names is not None}
    entry = LockEntry("", {"code": OLD}, {}, {})
    assert input_reasons(MemorySnapshot(folders=folders), Stage("cut", ""), entry, {"code": NEW}, {}) == reasons


@pytest.mark.parametrize(("before", "now"), [(A, NEW), (OLD, B)])
def test_a_file_that_became_a_folder_or_a_folder_that_became_a_file_is_named_by_its_path(
    before: Digest, now: Digest
) -> None:
    snapshot = MemorySnapshot(folders={("code", digest.md5): files(x=digest.md5) for digest in (A, B, OLD, NEW)})
    entry = LockEntry("", {"code": before}, {}, {})
    assert input_reasons(snapshot, Stage("cut", ""), entry, {"code": now}, {}) == ["code changed"]


@pytest.mark.parametrize(
    ("tree", "outs", "cache", "uncached", "reasons"),
    [
        ({"tokens": C}, {"tokens": C}, {"c"}, (), []),
        ({"tokens": Digest("c", executable=True)}, {"tokens": C}, {"c"}, (), []),
        ({}, {"tokens": C}, {"c"}, (), ["output tokens missing"]),
        ({}, {}, set(), (), ["output tokens missing"]),
        ({"tokens": C}, {}, {"c"}, (), ["output tokens is new"]),
        ({"tokens": B}, {"tokens": C}, {"b", "c"}, (), ["output tokens changed"]),
        ({"tokens": C}, {"tokens": C}, set(), (), ["output tokens not in the cache"]),
        ({"tokens": C}, {"tokens": C}, set(), ("tokens",), []),  # kept in git
        ({"tokens": B}, {"tokens": C}, set(), ("tokens",), ["output tokens changed"]),
    ],
)
def test_an_output_that_differs_is_named(tree: Any, outs: Any, cache: Any, uncached: Any, reasons: list[str]) -> None:
    stage = Stage("cut", "", outs=("tokens",), uncached=frozenset(uncached))
    snapshot = MemorySnapshot(tree=tree, cache=cache)
    assert output_reasons(snapshot, stage, LockEntry("", {}, {}, outs)) == reasons


def test_every_output_is_checked() -> None:
    stage = Stage("cut", "", outs=("x", "y", "z"))
    snapshot = MemorySnapshot(tree={"x": A, "z": C}, cache={"a", "c"})
    entry = LockEntry("", {}, {}, {"x": A, "y": B, "z": B})
    assert output_reasons(snapshot, stage, entry) == ["output y missing", "output z changed"]
