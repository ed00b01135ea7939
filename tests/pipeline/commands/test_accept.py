"""A comment is no change: what the plan says, what `retune accept` records, and that DVC then agrees."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from pipeline.commands.accept import accept
from pipeline.commands.plan import plan_changes
from pipeline.execution.workspace import LOCK
from pipeline.planning.plan import StagePlan
from pipeline.repository import dvc_command
from pipeline.repository.memory import make_memory
from stages.errors import PipelineError
from tests.pipeline import toy
from tests.pipeline.commands.in_process import Commands, Done

Edit = Callable[[Path], None]


@pytest.fixture
def committed(project: Path) -> Path:
    """The toy project after a run, with dvc.lock in git; `cut` reads work.py and the folder code/."""
    toy.git(project, "add", "-A")
    toy.git(project, "commit", "-qm", "Results")
    return project


@pytest.fixture
def retune(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    return Commands(monkeypatch, capfd)


def append(root: Path, name: str, text: str) -> None:
    (root / name).write_text((root / name).read_text() + text)


def plans(root: Path) -> dict[str, StagePlan]:
    return {plan.stage: plan for plan in plan_changes(root)}


def commit_change(root: Path, name: str, text: str) -> None:
    append(root, name, text)
    toy.git(root, "commit", "-qam", f"Change {name}")


COMMENTS: dict[str, tuple[Edit, set[str]]] = {  # and the stages that read the file
    "a file": (lambda root: append(root, "work.py", "# done\n"), {"cut", "train@1", "report"}),
    "in a commit": (lambda root: commit_change(root, "work.py", "# done\n"), {"cut", "train@1", "report"}),
    "a folder": (lambda root: append(root, "code/one.py", "# one\n"), {"cut"}),
    "two files of a folder": (
        lambda root: [append(root, f"code/{name}.py", "# comment\n") for name in ("one", "two")],  # type: ignore[dict-item, return-value]
        {"cut"},
    ),
}
REAL: dict[str, Edit] = {
    "code": lambda root: append(root, "code/one.py", "# one\nx = 1\n"),
    "a file added to a folder": lambda root: [append(root, "code/one.py", "#\n"), (root / "code/three.py").touch()],  # type: ignore[dict-item, return-value]
    "a file removed from it": lambda root: [append(root, "code/one.py", "#\n"), (root / "code/two.py").unlink()],  # type: ignore[dict-item, return-value]
    "another kind of file": lambda root: append(root, "pins.txt", "# comment\n"),
    "code that reads docstrings": lambda root: append(root, "code/one.py", "# getdoc\n"),
}


@pytest.mark.parametrize(("edit", "readers"), COMMENTS.values(), ids=COMMENTS)
def test_a_comment_is_no_change(committed: Path, edit: Edit, readers: set[str]) -> None:
    edit(committed)
    shutil.rmtree(committed / ".retune", ignore_errors=True)  # as in a clone: git alone knows the former files
    planned = plans(committed)
    assert {plan.state for plan in planned.values()} == {"fresh"}
    assert readers <= {name for name, plan in planned.items() if plan.acceptable}
    assert planned["cut"].as_json()["reasons"] == ["only comments or layout changed: retune accept records it"]


@pytest.mark.parametrize("edit", REAL.values(), ids=REAL)
def test_anything_else_is_a_change(committed: Path, edit: Edit) -> None:
    edit(committed)
    planned = plans(committed)
    assert "runs" in {plan.state for plan in planned.values()}
    assert not any(plan.acceptable for plan in planned.values())


DATA: dict[str, tuple[str, str]] = {  # what dvc.yaml has, and what it has instead: each makes a file data of `cut`
    "a folder": ("deps: [work.py, code,", "deps: [work.py, code, texts,"),
    "a file": ("deps: [work.py, code,", "deps: [work.py, code, texts/py/s9.py,"),
    "an argument": (
        "data/cut/stats.json --from data/download/rows/content.txt --param cut\n    deps: [work.py, code,",
        "data/cut/stats.json --from texts/py/s9.py --param cut\n    deps: [work.py, code, texts,",
    ),
    "code that a parameter names": ("params: [cut]", "params: [cut, corpus]"),
}


@pytest.mark.parametrize(("old", "new"), DATA.values(), ids=DATA)
def test_a_comment_in_data_is_a_change_whatever_the_name_of_the_file(
    committed: Path, retune: Callable[..., Done], old: str, new: str
) -> None:
    (committed / "texts/py").mkdir(parents=True)
    (committed / "texts/py/s9.py").write_text("# slow bad\n")
    append(committed, "params.yaml", "corpus: {folder: ./code/}\n")
    toy.edit(committed, "dvc.yaml", old, new)
    toy.dvc(committed, "repro", "-q")
    toy.git(committed, "add", "-A")
    toy.git(committed, "commit", "-qm", "Texts that are Python code")
    for name in ("texts/py/s9.py", "code/one.py"):
        append(committed, name, "# zebra zebra\n")
    cut = plans(committed)["cut"]
    read = "code/one.py" if "corpus" in new else "texts/py/s9.py"
    assert (cut.state, cut.acceptable) == ("runs", False)
    assert f"{read} changed" in cut.reasons
    retune(committed, "accept")
    assert "cut" in toy.dvc(committed, "status")


def test_code_that_git_never_had_is_a_change(committed: Path) -> None:
    toy.git(committed, "checkout", "-q", "--orphan", "new")
    append(committed, "work.py", "# done\n")
    toy.git(committed, "commit", "-qam", "A history that begins here")
    assert plans(committed)["cut"].reasons == ("work.py changed",)


def test_accept_makes_dvc_agree_and_runs_nothing(committed: Path, retune: Callable[..., Done]) -> None:
    append(committed, "work.py", "# done\n")
    outputs = toy.hashes(committed)
    done = retune(committed, "accept")
    assert (done.code, done.out.splitlines()[-1]) == (
        0,
        "dvc.lock has the new hashes. Commit it; with a remote: dvc push --run-cache",
    )
    assert "cut: accepted work.py" in done.out
    assert toy.hashes(committed) == outputs
    assert "Data and pipelines are up to date" in toy.dvc(committed, "status")
    assert "Running stage" not in toy.dvc(committed, "repro")
    assert toy.trace(committed) == []
    assert not any(plan.comments for plan in plans(committed).values())
    again = retune(committed, "accept")
    assert (again.code, again.out.partition(":")[0]) == (0, "Nothing to accept")


def test_the_result_is_in_the_run_cache_under_its_new_key(committed: Path, retune: Callable[..., Done]) -> None:
    append(committed, "work.py", "# done\n")
    assert retune(committed, "accept").code == 0
    outputs = toy.hashes(committed)
    (committed / "dvc.lock").unlink()  # as on a branch that never ran these stages
    shutil.rmtree(committed / "data")
    assert {plan.state for plan in plans(committed).values()} == {"restored"}
    assert "Running stage" not in toy.dvc(committed, "repro")
    assert toy.hashes(committed) == outputs


def test_another_machine_restores_what_was_accepted(
    committed: Path, tmp_path: Path, retune: Callable[..., Done]
) -> None:
    toy.add_remote(committed, str(tmp_path / "remote"))
    append(committed, "work.py", "# done\n")
    assert retune(committed, "accept").code == 0
    toy.dvc(committed, "push", "--run-cache")
    metrics = ["data/timing", "data/cut/stats.json", "data/train/1/curve.csv", "data/train/2/curve.csv"]
    toy.git(committed, "add", "-f", ".dvc/config", "dvc.lock", "work.py", *metrics)
    toy.git(committed, "commit", "-qm", "A comment")
    clone = tmp_path / "clone"
    toy.git(tmp_path, "clone", "-q", str(committed), str(clone))
    assert {(plan.state, plan.where) for plan in plans(clone).values()} == {("restored", "remote")}
    toy.dvc(clone, "pull")
    assert "Running stage" not in toy.dvc(clone, "repro")


def test_accept_refuses_a_stage_where_more_changed_and_takes_the_others(
    committed: Path, retune: Callable[..., Done]
) -> None:
    append(committed, "work.py", "# done\n")
    toy.edit(committed, "params.yaml", "title: toy", "title: other")
    done = retune(committed, "accept")
    assert done.code == 1
    assert done.lines == [
        "error: Not accepted, because more has changed than comments or layout: report (report.title toy -> other). "
        "Run them: retune run."
    ]
    assert "train@2: accepted work.py" in done.out
    assert plans(committed)["report"].as_json()["reasons"] == [
        "report.title toy -> other",
        "work.py changed in comments or layout only",
    ]
    assert toy.dvc(committed, "repro").count("Running stage") == 1


def test_accept_refuses_outputs_that_are_not_there_and_says_how_to_bring_them(
    committed: Path, retune: Callable[..., Done]
) -> None:
    append(committed, "work.py", "# done\n")
    (committed / "data/report/report.md").unlink()
    done = retune(committed, "accept", "report")
    assert done.code == 1
    assert done.lines[0].endswith(
        "report (output data/report/report.md missing). Run them: retune run. "
        "Outputs that are missing: dvc checkout, or dvc pull."
    )
    toy.dvc(committed, "checkout")
    assert plans(committed)["report"].acceptable
    assert retune(committed, "accept").code == 0
    assert "Running stage" not in toy.dvc(committed, "repro")


@pytest.mark.parametrize("noted", [True, False], ids=["that dvc.lock had", "that no file names"])
def test_accept_removes_what_no_stage_owns_any_more_as_a_run_does(
    committed: Path, retune: Callable[..., Done], noted: bool
) -> None:
    if noted:  # and dvc.lock no longer has it
        toy.edit(committed, "params.yaml", "[1, 2]", "[1, 2, 3]")
        toy.dvc(committed, "repro", "-q")
        toy.git(committed, "checkout", "--", "params.yaml", "dvc.lock")
        toy.dvc(committed, "checkout", "-q", "report")
    else:
        (committed / "data/train/3/model").mkdir(parents=True)
        (committed / "data/train/3/model/weights.txt").write_text("of another branch")
    append(committed, "work.py", "# done\n")
    assert {plan.state for plan in plans(committed).values()} == {"fresh"}
    done = retune(committed, "accept")
    assert done.code == 0, done.err
    assert "Removed data/train/3: no stage in dvc.yaml writes it any more." in done.out.splitlines()
    assert not (committed / "data/train/3").exists()
    assert "Data and pipelines are up to date" in toy.dvc(committed, "status")
    assert not any(plan.comments or plan.reasons for plan in plans(committed).values())


def test_accept_removes_nothing_where_nothing_is_accepted(committed: Path, retune: Callable[..., Done]) -> None:
    (committed / "data/train/3/model").mkdir(parents=True)
    assert retune(committed, "accept").out.startswith("Nothing to accept")
    assert (committed / "data/train/3/model").exists()


@pytest.mark.parametrize("fault", ["edited meanwhile", "dvc fails"])
def test_an_accept_that_fails_leaves_the_lock_and_the_run_cache_as_they_were(
    committed: Path, retune: Callable[..., Done], monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    append(committed, "work.py", "# done\n")
    append(committed, "dvc.lock", "# not committed\n")
    lock, run = (committed / "dvc.lock").read_bytes(), dvc_command.run

    def edited(root: Path, *arguments: str) -> None:
        append(root, "work.py", "MORE = 1\n")
        run(root, *arguments)
        if fault == "dvc fails":
            raise PipelineError("dvc commit failed: the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(dvc_command, "run", edited)
        done = retune(committed, "accept")
    assert done.code == 1
    assert done.lines == [
        "error: dvc commit failed: the disk is full"
        if fault == "dvc fails"
        else "error: A file that download@rows reads was edited meanwhile, so dvc.lock is unchanged. Run again: "
        "retune accept"
    ]
    assert (committed / "dvc.lock").read_bytes() == lock
    assert plans(committed)["download@rows"].state == "runs"  # not restored: the edited code has no result yet
    toy.edit(committed, "work.py", "MORE = 1\n", "")
    assert retune(committed, "accept").code == 0


def test_a_run_leaves_alone_what_changed_in_comments(committed: Path, retune: Callable[..., Done]) -> None:
    append(committed, "work.py", "# done\n")
    lock = (committed / "dvc.lock").read_text()
    done = retune(committed, "run")
    assert done.code == 0
    assert "retune accept" in " ".join(done.out.split())
    assert (committed / "dvc.lock").read_text() == lock


def test_a_comment_in_params_is_no_change_and_needs_no_accept(committed: Path) -> None:
    append(committed, "params.yaml", "# done\n")
    assert not any(plan.comments or plan.reasons for plan in plans(committed).values())
    assert "Data and pipelines are up to date" in toy.dvc(committed, "status")


def test_accept_beside_a_run_names_no_option_that_it_lacks(committed: Path, retune: Callable[..., Done]) -> None:
    make_memory(committed)
    with FileLock(committed / LOCK):
        done = retune(committed, "accept")
    assert (done.code, done.lines) == (1, ["error: Another run uses this workspace. Wait for it to end."])


@pytest.mark.parametrize("left", ["schema: '2.0'\nstages: {}\n", "schema: '2.0'\nstages: {cut: {cmd: x}}\n"])
def test_what_a_failed_dvc_leaves_of_dvc_lock_is_undone(
    committed: Path, monkeypatch: pytest.MonkeyPatch, left: str
) -> None:
    append(committed, "work.py", "# done\n")
    before = (committed / "dvc.lock").read_bytes()

    def fail(*args: object) -> None:
        (committed / "dvc.lock").write_text(left)
        raise PipelineError("dvc commit failed")

    monkeypatch.setattr(dvc_command, "run", fail)
    monkeypatch.chdir(committed)
    with pytest.raises(PipelineError, match="dvc commit failed"):
        accept(None)
    assert (committed / "dvc.lock").read_bytes() == before
    assert not list((committed / ".retune").glob("dvc.lock*"))
