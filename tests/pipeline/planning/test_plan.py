"""The plan against what `dvc repro` then really does."""

import re
import shutil
from pathlib import Path

import pytest

from pipeline.execution import workspace
from pipeline.planning.plan import StagePlan, make_plan
from pipeline.repository.project import Project
from stages.errors import PipelineError
from tests.pipeline import toy


def plan(root: Path, **options: object) -> dict[str, StagePlan]:
    with Project(root, **options) as project:  # type: ignore[arg-type]
        return {found.stage: found for found in make_plan(project.graph, project)}


def states(root: Path, **options: object) -> dict[str, str]:
    return {name: found.state for name, found in plan(root, **options).items()}


def reasons(root: Path, stage: str, **options: object) -> tuple[str, ...]:
    return plan(root, **options)[stage].reasons


def ran(text: str) -> set[str]:
    return set(re.findall(r"^Running stage '(.*)'", text, re.MULTILINE))


def restored(text: str) -> set[str]:
    return set(re.findall(r"^Stage '(.*)' is cached", text, re.MULTILINE))


def in_state(found: dict[str, str], *wanted: str) -> set[str]:
    return {name for name, state in found.items() if state in wanted}


def test_after_a_run_all_is_fresh(toy_that_ran: Path) -> None:
    assert set(states(toy_that_ran).values()) == {"fresh"}


def test_before_any_run_the_first_run_and_the_rest_waits(tmp_path: Path) -> None:
    root = toy.create(tmp_path / "project")
    found = states(root)
    assert in_state(found, "runs") == {"download@rows", "download@model"}
    assert in_state(found, "pending") == {"cut", "train@1", "train@2", "report"}
    assert reasons(root, "download@rows") == ("not in dvc.lock yet",)


def test_a_param_that_no_file_has_is_refused_as_dvc_refuses_to_run_its_stage(project: Path) -> None:
    toy.edit(project, "dvc.yaml", "params: [cut]", "params: [cut, cutt]")
    with pytest.raises(
        PipelineError, match=r"the params of cut name cutt, which is not in params.yaml. Correct the name"
    ):
        plan(project)
    with pytest.raises(AssertionError, match="cutt.* missing"):
        toy.dvc(project, "repro")
    toy.git(project, "add", "-A")
    toy.git(project, "commit", "-qm", "A wrong name")
    assert "cutt is not in params.yaml" in reasons(project, "cut", rev="HEAD")


@pytest.mark.parametrize(
    ("name", "old", "new", "stage", "reason"),
    [
        ("params.yaml", "2.0e-5", "3e-5", "train@1", "train.rate 2e-05 -> 3e-05"),
        ("params.yaml", "title: toy", "title: [a]", "report", 'report.title toy -> ["a"]'),
        ("params.yaml", "{title: toy}", "{title: toy, more: 1}", "report", "report.more is new (1)"),
        ("params.yaml", ", delay: 0", "", "train@1", "train.delay was removed"),
        ("code/two.py", "2", "3", "cut", "code/two.py changed"),
        ("input/rows.csv", "1,2", "1,3", "download@rows", "input/rows.csv changed"),
        ("pins.txt", "one", "two", "download@model", "pins.txt changed"),
        ("dvc.yaml", "--param cut\n", "--param  cut\n", "cut", "command changed"),
        (
            "dvc.yaml",
            "deps: [work.py, code, data",
            "deps: [work.py, code, pins.txt, data",
            "cut",
            "pins.txt is a new dependency",
        ),
    ],
)
def test_reasons_by_name(project: Path, name: str, old: str, new: str, stage: str, reason: str) -> None:
    toy.edit(project, name, old, new)
    found = plan(project)
    assert found[stage].reasons == (reason,)
    assert found[stage].state == "runs"
    done = ran(toy.dvc(project, "repro"))
    before = {name: one.state for name, one in found.items()}
    assert in_state(before, "runs") <= done <= in_state(before, "runs", "pending")


def test_the_newest_value_wins_over_the_order_of_edits(project: Path) -> None:
    toy.edit(project, "params.yaml", "2.0e-5", "3e-5")
    toy.dvc(project, "repro")
    toy.edit(project, "params.yaml", "3e-5", "2.0e-5")
    before = states(project)
    assert in_state(before, "restored") == {"train@1", "train@2", "report"}
    text = toy.dvc(project, "repro")
    assert restored(text) == {"train@1", "train@2", "report"}
    assert ran(text) == set()


def test_missing_and_changed_outputs(project: Path) -> None:
    shutil.rmtree(project / "data/cut/tokens")
    (project / "data/train/1/curve.csv").write_text("by hand\n")
    assert reasons(project, "cut") == ("output data/cut/tokens missing",)
    assert reasons(project, "train@1") == ("output data/train/1/curve.csv changed",)
    assert in_state(states(project), "restored") == {"cut", "train@1"}
    assert restored(toy.dvc(project, "repro")) == {"cut", "train@1"}


def test_an_output_that_the_cache_lost_is_computed_again(project: Path) -> None:
    with Project(project) as seen:
        md5 = seen.locked("report").outs["data/report/report.md"].md5
    (project / ".dvc/cache/files/md5" / md5[:2] / md5[2:]).unlink()
    found = plan(project)["report"]
    assert (found.state, found.reasons) == ("runs", ("output data/report/report.md not in the cache",))
    assert ran(toy.dvc(project, "repro")) == {"report"}


def test_early_cut_off_shows_once_the_stage_has_run(project: Path) -> None:
    toy.edit(project, "code/one.py", "1", "2")
    assert in_state(states(project), "runs") == {"cut"}
    assert in_state(states(project), "pending") == {"train@1", "train@2", "report"}
    toy.dvc(project, "repro", "-s", "cut")
    assert set(states(project).values()) == {"fresh"}


def test_a_new_seed_alone_runs(project: Path) -> None:
    text = (project / "params.yaml").read_text().replace("[1, 2]", "[1, 2, 3]")
    found = states(project, params_text=text)
    assert in_state(found, "runs") == {"train@3"}
    assert in_state(found, "pending") == {"report"}
    (project / "params.yaml").write_text(text)
    assert ran(toy.dvc(project, "repro")) == {"train@3", "report"}


def test_a_seed_taken_out_counts_as_gone_already(project: Path) -> None:
    """Its folder is still there, but a fresh clone has none, and the next run removes it."""
    toy.edit(project, "params.yaml", "[1, 2]", "[1]")
    with Project(project) as seen:
        assert seen.leftovers() == ("data/train/2/curve.csv", "data/train/2/model") or seen.leftovers() == (
            "data/train/2",
            "data/train/2/curve.csv",
            "data/train/2/model",
        )
        assert not [name for name in seen.files("data/train") if name.startswith("2/")]


def test_what_plain_dvc_keeps_of_a_seed_is_named_until_a_run_removes_it(project: Path) -> None:
    toy.edit(project, "params.yaml", "[1, 2]", "[1]")
    toy.dvc(project, "repro")  # counts the folder of seed 2, too
    (reason,) = plan(project)["report"].reasons
    assert reason.endswith("changed (ignoring data/train/2, which no stage writes any more)")
    with Project(project) as seen:
        workspace.prune(project, seen)
    assert ran(toy.dvc(project, "repro")) == {"report"}
    assert set(states(project).values()) == {"fresh"}


def test_a_folder_whose_last_stage_is_gone_counts_without_what_that_left(project: Path) -> None:
    (project / "data/train/.gitkeep").touch()
    toy.edit(project, "params.yaml", "[1, 2]", "[]")
    toy.dvc(project, "repro")
    assert plan(project)["report"].state == "runs"
    with Project(project) as seen:
        digest = seen.digest("data/train")
        workspace.prune(project, seen)
    with Project(project) as seen:
        assert seen.digest("data/train") == digest
    assert ran(toy.dvc(project, "repro")) == {"report"}


def test_a_clone_without_data_is_planned_from_git_alone(project: Path, tmp_path: Path) -> None:
    toy.git(project, "add", "-f", "dvc.lock")
    toy.git(project, "commit", "-qm", "Lock")
    clone = tmp_path / "clone"
    toy.git(project, "clone", "-q", str(project), str(clone))
    found = plan(clone)
    assert {name for name, one in found.items() if one.state == "runs"} == {"download@rows", "download@model"}
    assert found["download@model"].reasons[0] == "output data/download/model missing"
    assert found["cut"].waits_for == ("download@rows",)


def test_a_clone_with_a_remote_restores(project: Path, tmp_path: Path) -> None:
    toy.add_remote(project, str(tmp_path / "remote"))
    toy.git(
        project,
        "add",
        "-f",
        "dvc.lock",
        ".dvc/config",
        *[str(p.relative_to(project)) for p in project.glob("data/**/*.csv")],
        *[str(p.relative_to(project)) for p in project.glob("data/**/*.json")],
    )
    toy.git(project, "commit", "-qm", "Lock and metrics")
    toy.dvc(project, "push")
    clone = tmp_path / "clone"
    toy.git(project, "clone", "-q", str(project), str(clone))
    found = plan(clone)
    assert {one.state for one in found.values()} == {"restored"}
    assert {one.where for one in found.values()} == {"remote"}
    toy.edit(clone, "params.yaml", "2.0e-5", "3e-5")
    found = plan(clone)
    assert {name for name, one in found.items() if one.state == "runs"} == {"train@1", "train@2"}
    assert found["train@1"].reasons[0] == "train.rate 2e-05 -> 3e-05"
    assert found["report"].waits_for == ("train@1", "train@2")


def test_another_revision(project: Path) -> None:
    toy.git(project, "add", "-f", "dvc.lock")
    toy.git(project, "commit", "-qm", "Lock")
    toy.git(project, "checkout", "-q", "-b", "other")
    toy.edit(project, "params.yaml", "2.0e-5", "3e-5")
    toy.git(project, "commit", "-qam", "Faster")
    toy.git(project, "checkout", "-q", "main")
    assert set(states(project).values()) == {"fresh"}
    assert reasons(project, "train@1", rev="other") == ("train.rate 2e-05 -> 3e-05",)
    assert in_state(states(project, rev="other"), "runs") == {"train@1", "train@2"}


def test_the_changed_file_is_named_from_git_where_no_plan_saw_the_folder_before(project: Path) -> None:
    shutil.rmtree(project / ".retune", ignore_errors=True)
    toy.edit(project, "code/one.py", "1", "x")
    (project / "code/three.py").write_text("3")
    assert reasons(project, "cut") == ("code/one.py changed", "code/three.py changed")


def test_seconds_come_from_history_then_timing_then_siblings(project: Path) -> None:
    assert plan(project)["download@rows"].seconds == 0.0
    toy.edit(project, "pins.txt", "one", "two")
    assert plan(project)["download@model"].seconds == 1.5
    (project / ".retune").mkdir(exist_ok=True)
    (project / ".retune/seconds.json").write_text('{"download@model": 7.5, "train@1": 9.0}')
    found = plan(project)
    assert (found["download@model"].seconds, found["train@2"].seconds, found["report"].seconds) == (7.5, 9.0, None)


def test_targets(project: Path) -> None:
    with Project(project) as seen:
        assert {stage.name for stage in seen.graph.select(["cut"]).stages} == {"download@rows", "cut"}
        assert {stage.name for stage in seen.graph.select(["train"]).stages} == {
            "download@rows",
            "download@model",
            "cut",
            "train@1",
            "train@2",
        }
        with pytest.raises(
            PipelineError, match=r"dvc.yaml has no stage trian. The stages are: download, cut, train, report"
        ):
            seen.graph.select(["trian"])


def test_forced_stages_run_and_those_below_wait(project: Path) -> None:
    with Project(project) as seen:
        found = {one.stage: one for one in make_plan(seen.graph, seen, force=["cut"])}
    assert found["cut"].reasons == ("refresh requested",)
    assert found["train@1"].state == "pending"


def test_json(project: Path) -> None:
    toy.edit(project, "code/one.py", "1", "x")
    assert plan(project)["train@1"].as_json() == {
        "stage": "train@1",
        "state": "pending",
        "reasons": ["cut first"],
        "seconds": None,
        "seconds_low": None,
        "seconds_high": None,
    }
