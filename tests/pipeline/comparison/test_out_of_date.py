"""What was changed without a run: whose results are out of date, what was measured, and what the gate says."""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from pipeline.comparison.compare import compare
from pipeline.comparison.render import markdown
from pipeline.comparison.result import Comparison
from pipeline.comparison.revision import Revision
from pipeline.planning.plan import make_plan
from tests.pipeline import outcomes
from tests.pipeline.commands import in_process
from tests.pipeline.comparison.commands import commit_results
from tests.pipeline.toy import dvc, edit, git

SEEDS = [42, 43]
TRACKED = "data/samples/more/rows.csv"  # by `dvc add`
ROWS, OTHER_ROWS = "id,content,score\n1,b,3\n", "id,content,score\n2,b,3\n"
Change = Callable[[Path], object]


def params(**values: Any) -> Change:
    return lambda root: outcomes.set_params(root, **values)


def append(name: str, text: str) -> Change:
    return lambda root: (root / name).write_bytes((root / name).read_bytes() + text.encode())


def track_other_rows(root: Path) -> None:
    """What `dvc add` does to other rows."""
    edit(root, f"{TRACKED}.dvc", md5(ROWS), md5(OTHER_ROWS))
    write(root / TRACKED, OTHER_ROWS)


CHANGES: Mapping[str, tuple[Change, str]] = {  # what is changed without a run -> the stages that must run
    "nothing": (append("README.md", "Words.\n"), ""),
    "machine": (params(machine__num_workers=3), ""),
    "comment": (append("stages/finetune/training/fit.py", "# a comment\n"), ""),
    "gate": (params(report__gate__max_drop={"test.mcc": 0.9}), "report"),
    "param": (params(finetune__learning_rate=1e-3), "finetune@42 finetune@43 report"),
    "metric": (params(evaluate__metric="mcc"), "evaluate@42 evaluate@43 report"),
    "confidence": (params(evaluate__confidence=0.6), "evaluate@42 evaluate@43 report"),
    "code": (append("stages/finetune/training/fit.py", "MORE = 1\n"), "finetune@42 finetune@43"),
    "data": (append("data/samples/app_reviews.csv", "x,A new row,5\n"), "download@dataset"),
    "deleted data": (lambda root: (root / "data/samples/answers.csv").unlink(), "download@dataset"),
    "dvc": (track_other_rows, "download@dataset"),
    "corrections": (append("data/corrections.csv", "x,1,2\n"), "download@dataset"),
    "no corrections": (lambda root: (root / "data/corrections.csv").unlink(), "download@dataset"),
    "constraints": (append("constraints.txt", "more==1.0\n"), "download@model report"),
    "cmd": (lambda root: edit(root, "dvc.yaml", "python -m stages.split", "python -P -m stages.split"), "split"),
    "seed added": (params(seeds=[42, 43, 44]), "finetune@44 evaluate@44 report"),
    "seed removed": (params(seeds=[42]), "report"),
    "no lock": (lambda root: (root / "dvc.lock").unlink(), "every stage"),
}
STALE = {name: stages for name, (_, stages) in CHANGES.items()}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tags: good and bad (results of two seeds each); for each change: good, and bad, with that change."""
    root = outcomes.create(tmp_path_factory.mktemp("not_run") / "project")
    (root / "README.md").write_text("")
    (root / "data/samples/more").mkdir()
    (root / TRACKED).write_text(ROWS)
    dvc(root, "add", "-q", TRACKED)
    outcomes.set_params(root, seeds=SEEDS)
    data = outcomes.rows(150)
    for tag, wrong in (("good", 9), ("bad", 60)):
        commit_results(root, tag, data, {seed: outcomes.predict(data, wrong=wrong, seed=seed) for seed in SEEDS})
    for tag in ("good", "bad"):
        for name, (change, _) in CHANGES.items():
            checkout(root, tag)
            change(root)
            commit(root, f"{tag} {name}")
    checkout(root, "bad")
    return root


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def write(path: Path, text: str) -> None:
    path.unlink()  # it may be a link into DVC's cache
    path.write_text(text)


def tag_of(name: str) -> str:
    return name.replace(" ", "-")


def checkout(root: Path, name: str) -> None:
    git(root, "checkout", "-qf", tag_of(name))
    write(root / TRACKED, ROWS if md5(ROWS) in (root / f"{TRACKED}.dvc").read_text() else OTHER_ROWS)


def commit(root: Path, tag: str) -> None:
    git(root, "add", "-A")
    git(root, "commit", "-q", "--allow-empty", "-m", tag)
    git(root, "tag", tag_of(tag))


def judge(root: Path, base: str, head: str | None) -> Comparison:
    return compare(root, tag_of(base), head and tag_of(head), fail_on="worse", require=["test.accuracy >= 0.1"])


def code(comparison: Comparison) -> int:
    return 0 if comparison.passed else 4 if comparison.undecided else 3


def out_of_date(comparison: Comparison) -> list[str]:
    """The sides that a note calls out of date."""
    return [note.partition(":")[0] for note in comparison.notes if "out of date" in note]


@pytest.fixture(scope="module")
def fresh(project: Path) -> Comparison:
    return judge(project, "good", "bad")


@pytest.mark.parametrize("change", CHANGES)
def test_every_dependency_that_git_knows_is_compared_with_the_lock(project: Path, change: str, tmp_path: Path) -> None:
    name = f"bad {change}"
    with Revision(project, tag_of(name), tmp_path) as revision:
        every = [stage.name for stage in revision.project.graph.stages]
        expected = sorted(every if change == "no lock" else STALE[change].split())
        assert sorted(revision.stale()) == expected
    checkout(project, name)
    with Revision(project, None, tmp_path) as workspace:
        assert sorted(workspace.stale()) == expected
        plans = make_plan(workspace.project.graph, workspace.project)
    own = [plan.stage for plan in plans if plan.reasons and not all("output" in reason for reason in plan.reasons)]
    assert set(own) <= set(expected)


@pytest.mark.parametrize("change", CHANGES)
def test_head_s_results_decide_only_about_head(project: Path, change: str, fresh: Comparison) -> None:
    stale, tag = bool(STALE[change]), tag_of(f"bad {change}")
    comparison = judge(project, "good", tag)
    assert code(comparison) == (4 if stale else 3)
    assert out_of_date(comparison) == ([tag] if stale else [])
    assert bool(comparison.outdated) == stale
    for result in comparison.gate:
        assert (result.why == comparison.outdated, "retune run" in result.why) == (stale, stale)
    if change != "no lock":  # which names the predictions
        assert same_measurement(comparison, fresh)
        assert all(stage in comparison.outdated for stage in STALE[change].split()[:3])


@pytest.mark.parametrize("change", ["param", "code", "dvc", "constraints", "seed added", "seed removed", "no lock"])
def test_a_base_that_is_out_of_date_is_noted(project: Path, change: str, fresh: Comparison) -> None:
    comparison = judge(project, f"good {change}", "bad")
    assert out_of_date(comparison) == [tag_of(f"good {change}")]
    assert comparison.outdated == ""
    assert code(comparison) == (4 if change == "no lock" else 3)  # nothing records base's metrics
    assert change == "no lock" or same_measurement(comparison, fresh)


@pytest.mark.parametrize("change", ["nothing", "code", "dvc", "seed added"])
def test_a_change_of_words_passes_on_a_base_that_is_out_of_date(project: Path, change: str) -> None:
    base = f"bad {change}"  # whose outputs are in the workspace
    checkout(project, base)
    (project / "README.md").write_text("Other words.\n")
    same = judge(project, base, None)
    assert (code(same), same.outdated) == (0, "")
    assert len(out_of_date(same)) == (2 if STALE[change] else 0)
    append("stages/finetune/training/fit.py", "OTHER = 1\n")(project)  # of a stage that may be out of date already
    assert code(judge(project, base, None)) == 4


def same_measurement(comparison: Comparison, other: Comparison) -> bool:
    names = ("seeds", "verdict", "metrics", "champions", "ships")
    assert comparison.changes.params == {}
    assert comparison.changes.models == other.changes.models
    return all(getattr(comparison, name) == getattr(other, name) for name in names)


def test_the_first_line_says_it(project: Path) -> None:
    for arguments in ((), ("--require", "test.accuracy >= 0.1"), ("--require", "test.accuracy >= 0.99")):
        done = in_process.run(project, "compare", "good", "bad-code", *arguments)
        assert done.code == (4 if arguments else 0)
        first = " ".join(done.out.split())
        assert first.startswith("bad-code: its results are out of date: finetune@42, finetune@43 did not run with its")
        assert "retune run" in first.partition("worse")[0]
        comment = in_process.run(project, "compare", "good", "bad-code", *arguments, "--markdown").out
        assert comment.startswith("### ❔ ")
        assert "retune run" in comment.splitlines()[0]
        assert "worse: test.macro" in comment.splitlines()[2]


def test_a_run_that_ended_half_way_is_out_of_date(project: Path, tmp_path: Path) -> None:
    """evaluate@42 has its own code and parameters in dvc.lock, but not the model that finetune@42 wrote later."""
    checkout(project, "bad")
    with Revision(project, "good", tmp_path) as good, Revision(project, "bad", tmp_path) as bad:
        former, later = (side.hash("data/finetune/42/model") for side in (good, bad))
    lock = (project / "dvc.lock").read_text()
    before, stage, after = lock.partition("  evaluate@42:\n")
    (project / "dvc.lock").write_text(before + stage + after.replace(str(later), str(former), 1))
    comparison = judge(project, "good", None)
    assert code(comparison) == 4
    assert "evaluate@42" in comparison.outdated


def test_seeds_of_results_that_do_not_name_them_are_those_of_the_lock(project: Path, tmp_path: Path) -> None:
    checkout(project, "bad seed removed")
    headline = project / "data/report/headline.json"
    write(headline, headline.read_text().replace('"seeds": [42, 43], ', ""))
    assert '"seeds"' not in headline.read_text()
    with Revision(project, None, tmp_path) as workspace:
        assert workspace.seeds == SEEDS


@pytest.mark.parametrize("sides", ["base", "head", "both"])
def test_a_seed_that_did_not_run_is_no_measurement(tmp_path: Path, sides: str) -> None:
    root = outcomes.create(tmp_path / "project")
    outcomes.set_params(root, seeds=[42])
    data = outcomes.rows(150)
    for tag, wrong in (("good", 9), ("bad", 60)):
        commit_results(root, tag, data, {42: outcomes.predict(data, wrong=wrong, seed=1)})
    for tag in ("good", "bad"):
        git(root, "checkout", "-qf", tag)
        if sides in ("both", {"good": "base", "bad": "head"}[tag]):
            outcomes.set_params(root, seeds=[42, 43])
        commit(root, f"{tag} again")
    for base, head in (("good-again", "bad-again"), ("good-again", None)):
        comparison = compare(root, base, head, fail_on="worse")
        assert (comparison.verdict, comparison.seeds) == ("differ", ([42], [42]))
        assert any(note.startswith("One seed per side") for note in comparison.notes)
        assert code(comparison) == 4
        assert "mean over" not in markdown.render(comparison).partition("<details>")[0]
