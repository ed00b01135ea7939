"""Decisions in the file: none is lost, the source's label stays known, and lines of others stay as they are."""

import dataclasses
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipeline.review.decisions import ChangedMeanwhileError, Decisions
from pipeline.review.rows import read_suspects
from stages.corrections import Correction, write_corrections
from tests.pipeline import toy
from tests.pipeline.review import reviewing


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = reviewing.create(tmp_path / "project")
    reviewing.suspects_of_classes(root)
    return root


def test_a_new_file_is_made_with_its_header(root: Path) -> None:
    reviewing.opened(root)
    assert (root / "data/corrections.csv").read_text().startswith("id,text_hash,old_label,decision,")


def test_lines_of_other_rows_stay_and_a_changed_one_keeps_its_place(root: Path) -> None:
    others = [Correction("gone", "0", "a", "keep", note="x"), Correction("r8", "1", "1", "unclear")]
    write_corrections(root / "data/corrections.csv", others)
    data, decisions = reviewing.opened(root)
    row = data.row("r2")
    decisions.decide(row, "unclear", seen=None)
    decisions.decide(data.row("r0"), "set_aside", seen=None)
    decisions.decide(row, "relabel", "1", seen=("unclear", ""))
    lines = reviewing.corrections(root)
    assert lines[:2] == others
    assert [(line.id, line.decision) for line in lines[2:]] == [("r2", "relabel"), ("r0", "set_aside")]


def test_a_decision_is_one_line_so_that_git_can_join_two_branches(root: Path) -> None:
    data, decisions = reviewing.opened(root)
    decisions.decide(data.row("r2"), "unclear", note="says\nboth,\r\nand neither", seen=None)
    assert (root / "data/corrections.csv").read_text().count("\n") == 2
    assert reviewing.corrections(root)[0].note == "says both, and neither"


def test_threads_and_processes_at_once_lose_no_decision(root: Path) -> None:
    data, decisions = reviewing.opened(root)
    other = Decisions(root, data, who="another person")  # a second command
    rows = [data.row(f"r{number}") for number in range(10)]
    code = (
        "import sys; from pathlib import Path; from stages.corrections import Correction;"
        "from tests.pipeline.review import reviewing; data, decisions = reviewing.opened(Path(sys.argv[1]));"
        "[decisions.decide(data.row(f'r{n}'), 'unclear', seen=None) for n in (7, 8, 9)]"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(root)], cwd=reviewing.ROOT)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda row: decisions.decide(row, "keep", seen=None), rows[:4]))
        list(pool.map(lambda row: other.decide(row, "set_aside", seen=None), rows[4:7]))
    assert process.wait() == 0
    expected = {f"r{n}": "keep" if n < 4 else "set_aside" if n < 7 else "unclear" for n in range(10)}
    assert {row_id: decision for row_id, (decision, _) in reviewing.decided(root).items()} == expected


def test_a_project_waits_for_another_one_that_reaches_its_file_by_a_link(root: Path, tmp_path: Path) -> None:
    """Else each writes the file without what the other has added since it read it."""
    other = reviewing.create(tmp_path / "other")
    (other / "data/corrections.csv").unlink(missing_ok=True)
    (other / "data/corrections.csv").symlink_to(root / "data/corrections.csv")
    decisions, (data, linked) = reviewing.opened(root)[1], reviewing.opened(other)
    with ThreadPoolExecutor(1) as pool, decisions._alone():
        decided = pool.submit(linked.decide, data.row("r0"), "keep", seen=None)
        with pytest.raises(TimeoutError):
            decided.result(0.5)
    decided.result()
    assert reviewing.decided(root) == {"r0": ("keep", "")}


@pytest.mark.parametrize("merged", ["first", "second"])
def test_git_s_union_of_two_branches_keeps_the_decisions_of_both(root: Path, merged: str) -> None:
    """Each branch has the line that the other one has changed as it was, and it may stand last."""
    path = root / "data/corrections.csv"
    kept = [Correction(f"r{n}", "h1", "5", "keep", when="2026-01-01T09:00:00Z") for n in (1, 2, 3)]
    write_corrections(path, kept)
    (root / ".gitattributes").write_text((reviewing.ROOT / ".gitattributes").read_text())
    toy.git(root, "add", "--all")
    toy.git(root, "commit", "-qm", "both")
    for name, row in (("first", 0), ("second", 1)):
        toy.git(root, "checkout", "-q", "-b", name, *([] if name == "first" else ["first~1"]))
        changed = dataclasses.replace(kept[row], decision="relabel", new_label="1", when="2026-01-01T10:00:00Z")
        write_corrections(path, [changed if line is kept[row] else line for line in kept])
        toy.git(root, "commit", "-qam", name)
    toy.git(root, "checkout", "-q", "second" if merged == "first" else "first")
    toy.git(root, "merge", "-q", "-m", "both", merged)
    decisions = reviewing.opened(root)[1].read()
    assert {row_id: line.decision for row_id, line in decisions.items()} == {
        "r1": "relabel",
        "r2": "relabel",
        "r3": "keep",
    }


def test_after_a_run_the_source_s_label_is_still_the_old_one(root: Path) -> None:
    data, decisions = reviewing.opened(root)
    decisions.decide(data.row("r2"), "relabel", "1", seen=None)
    reviewing.download(root)
    data, decisions = reviewing.opened(root)
    row = data.row("r2")
    assert (row.label, row.source_label) == ("1", "5")
    assert list(decisions.of([row])) == ["r2"]  # so the page does not ask for it again
    decisions.decide(row, "unclear", seen=("relabel", "1"))
    decisions.decide(row, "relabel", "2", seen=("unclear", ""))
    assert [line.old_label for line in reviewing.corrections(root)] == ["5"]
    reviewing.download(root)
    assert reviewing.opened(root)[0].row("r2").label == "2"
    decisions.decide(row, "relabel", "5", seen=("relabel", "2"))  # the source was right
    assert reviewing.decided(root)["r2"] == ("keep", "")


@pytest.mark.parametrize("change", [{"text_hash": "0"}, {"old_label": "4"}], ids=["text", "label"])
def test_a_decision_about_another_text_or_label_is_asked_for_again(root: Path, change: dict[str, str]) -> None:
    data, decisions = reviewing.opened(root)
    row = data.row("r2")
    known = {"id": "r2", "text_hash": row.text_hash, "old_label": "5", "decision": "keep"}
    write_corrections(root / "data/corrections.csv", [Correction(**(known | change))])
    assert decisions.of([row]) == {}
    decisions.decide(row, "relabel", "1", seen=None)
    assert reviewing.decided(root) == {"r2": ("relabel", "1")}


def test_who_saw_something_else_decides_nothing(root: Path) -> None:
    data, decisions = reviewing.opened(root)
    row = data.row("r2")
    decisions.decide(row, "keep", seen=None)
    for seen in (None, ("unclear", ""), ("relabel", "1")):
        with pytest.raises(ChangedMeanwhileError, match="The decision about r2 has changed meanwhile"):
            decisions.decide(row, "set_aside", seen=seen)
        with pytest.raises(ChangedMeanwhileError, match="r2"):
            decisions.forget(row, seen=seen)
    assert reviewing.decided(root) == {"r2": ("keep", "")}


def test_suspects_are_the_rows_of_the_file_whatever_moved_since(root: Path) -> None:
    data, _ = reviewing.opened(root)
    rows = read_suspects(data)
    assert [(row.id, row.label, row.suggested, row.doubt) for row in rows] == [
        ("r2", "5", "1", (0.02, 0.91)),
        ("r0", "5", "1", (0.1, 0.8)),
        ("r3", "2", "5", (0.2, 0.6)),
    ]
    assert rows[0].probabilities == {"1": 0.8, "2": 0.05, "3": 0.05, "4": 0.05, "5": 0.05}
    assert [(near.id, near.label) for near in rows[0].neighbours] == [("r4", "1")]
    lines = (root / "data/rows.jsonl").read_text().splitlines()
    (root / "data/rows.jsonl").write_text("\n".join([lines[5], *lines[1:5], *lines[6:]]))  # r0 is gone, r5 first
    reviewing.download(root)
    assert [row.id for row in read_suspects(reviewing.opened(root)[0])] == ["r2", "r3"]
