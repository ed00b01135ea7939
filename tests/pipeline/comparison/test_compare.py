"""Comparisons in a real git and DVC repository whose results were written by hand."""

import hashlib
import json
import re
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline.comparison.compare import compare
from pipeline.comparison.render import markdown
from pipeline.comparison.result import Comparison
from pipeline.comparison.revision import Revision
from stages.errors import PipelineError
from stages.paths import Paths
from tests.pipeline import outcomes
from tests.pipeline.commands import in_process
from tests.pipeline.comparison.commands import commit_results, write_times
from tests.pipeline.toy import add_remote, dvc, git

HOSTILE = "<script>alert(1)</script> | `x` @someone #1 ![i](https://example.com/i.png) </details> \u202e\n\n# Big"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tags: empty (no results), base, twin (another seed's luck), worse (see below), many and fewer (three seeds)."""
    root = outcomes.create(tmp_path_factory.mktemp("compare") / "project")
    git(root, "tag", "empty")
    outcomes.set_params(root, finetune__learning_rate=5e-5)
    data = outcomes.rows(600)
    commit_results(root, "base", data, {42: outcomes.predict(data, wrong=60, seed=1)})
    commit_results(root, "twin", data, {42: outcomes.predict(data, wrong=62, seed=2)})
    changed = {name: values[5:] for name, values in data.items()}  # rows 0 to 4 are gone
    changed["label"][0:2] = ["spam" if label == "ham" else "ham" for label in changed["label"][0:2]]
    changed["text"][2] = "another text"
    for name, value in (("id", "new"), ("text", HOSTILE), ("label", "spam")):
        changed[name].append(value)
    changed["text"][7] = HOSTILE
    outcomes.set_params(root, finetune__learning_rate=3e-5, report__gate__require=["test.accuracy >= 0.85"])
    code = root / "stages/finetune/training/fit.py"
    code.write_text(code.read_text() + "\n")
    commit_results(root, "worse", changed, {42: outcomes.predict(changed, wrong=150, seed=3)})
    outcomes.set_params(root, seeds=[1, 2, 3], report__show_text=False, report__gate__require=[])
    commit_results(
        root, "many", data, {seed: outcomes.predict(data, wrong=50 + 10 * seed, seed=seed + 20) for seed in (1, 2, 3)}
    )
    return root


@pytest.fixture(scope="module")
def worse(project: Path) -> Comparison:
    return compare(project, "base", "worse")


def test_two_lucky_draws_are_within_noise(project: Path) -> None:
    comparison = compare(project, "base", "twin")
    assert comparison.verdict == "within noise"
    assert comparison.test_rows == 600
    assert [row.name for row in comparison.headline] == ["test.macro_f1", "test.accuracy", "test.mcc"]
    assert all(row.low is not None and row.low < 0 < row.high for row in comparison.headline)  # type: ignore[operator]
    assert all(row.min_detectable is None for row in comparison.headline)  # seeds vary by more than base leaves to gain
    assert any("One seed per side: the variation between seeds" in note for note in comparison.notes)  # those of `many`
    assert comparison.changes.params == {}
    assert not any("by length" in note for note in comparison.notes)


def test_every_command_prints_the_same_digits_for_the_same_thing(project: Path) -> None:
    report = json.loads((project / "data/report/metrics.json").read_text())  # of `many`, three seeds
    mean, ships = (
        f"{value:.3f}"
        for value in (report["test"]["accuracy"]["mean"], report["champion"]["test"]["accuracy"]["value"])
    )
    assert mean != ships
    results, log, compared = (
        in_process.run(project, *arguments).out
        for arguments in (["results"], ["log", "--metric", "accuracy", "-n", "1"], ["compare", "base", "many"])
    )
    (line,) = [line.split() for line in results.splitlines() if line.startswith("accuracy")]
    assert (line[1], line[5]) == (ships, mean)
    assert "model that ships," in results
    assert "over 3 seeds" in results
    line = log.splitlines()[1].split()
    assert (line[2], line[3], line[7]) == ("3", mean, ships)
    (line,) = [line.split() for line in compared.splitlines() if line.startswith("test.accuracy")]
    assert line[2] == mean
    assert "base is the model of one seed, head the mean over 3 seeds" in compared
    assert f"test.accuracy {compare(project, 'base', 'many').ships['test.accuracy'][0]:.3f} -> {ships}" in compared


def test_many_more_mistakes_are_worse(worse: Comparison) -> None:
    assert worse.verdict == "differ"  # one seed per side, and no earlier result on these test rows has several
    assert {row.verdict for row in worse.headline} == {"differ"}
    assert all(row.paired and row.low is not None and row.high < 0 for row in worse.headline)  # type: ignore[operator]


def test_what_changed_is_named(worse: Comparison) -> None:
    changes = worse.changes
    assert changes.params["finetune.learning_rate"] == (5e-5, 3e-5)
    assert changes.code == {"finetune": ["stages/finetune/training/fit.py"]}
    assert changes.data.rows == (600, 596)
    assert changes.data.added == {"spam": 1}
    assert sum(changes.data.removed.values()) == 5
    assert sum(changes.data.relabelled.values()) == 2
    assert sum(changes.data.rewritten.values()) == 2
    assert "seed 42" in changes.models


def test_other_test_rows_are_said_and_the_common_ones_compared(worse: Comparison) -> None:
    assert worse.test_rows == 595
    assert any("600 in base, 596 in worse" in note and "only the 595 common" in note for note in worse.notes)
    assert any("2 of the compared rows have another label" in note for note in worse.notes)


def test_rows_fixed_and_broken_add_up(worse: Comparison) -> None:
    flips = worse.flips
    assert flips is not None
    accuracy = next(row for row in worse.metrics if row.name == "test.accuracy")
    assert flips.fixed - flips.broken == round(accuracy.difference * 595)
    assert sum(count.fixed for count in flips.classes) == flips.fixed
    assert sum(count.broken for count in flips.slices) == flips.broken  # the quarters by length hold every row once
    assert all(count.name.endswith(" tokens") for count in flips.slices)
    assert len(flips.fixed_rows) == len(flips.broken_rows) == 10
    assert all(row.head == row.label != row.base for row in flips.fixed_rows)
    assert all(row.base == row.label != row.head for row in flips.broken_rows)
    gains = [row.gain for row in flips.broken_rows]
    assert gains == sorted(gains)
    assert all(row.text for row in flips.fixed_rows)


def test_costs_and_sizes(worse: Comparison) -> None:
    assert {cost.stage for cost in worse.costs} >= {"download@dataset", "tokenize", "finetune@42", "report"}
    assert worse.costs[0].seconds == (12.5, 12.5)
    assert worse.model_bytes[0] == pytest.approx(worse.model_bytes[1], abs=100)
    assert set(worse.calibration) == {"observed calibration error", "Brier score", "log loss"}


def test_a_commit_is_identical_to_itself(project: Path) -> None:
    comparison = compare(project, "base", "base")
    assert comparison.verdict == "identical"
    assert not comparison.changes.any
    assert not any("seed" in note for note in comparison.notes)


def test_other_files_than_results_change_no_metric_and_break_no_rule(project: Path, tmp_path: Path) -> None:
    root = shutil.copytree(project, tmp_path / "project", symlinks=True)
    (root / "README.md").write_text("Only words.\n")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "Words")
    drops = [f"{split}.{metric}=0" for split in ("test", "val") for metric in ("accuracy", "auroc", "ece", "log_loss")]
    comparison = compare(root, "many", "HEAD", fail_on="worse", max_drop=drops)
    assert comparison.verdict == "identical"
    assert all(row.low == row.high == 0 for row in comparison.metrics)
    assert comparison.passed


def test_the_level_falls_with_every_comparison_on_the_same_rows(project: Path, tmp_path: Path) -> None:
    root = shutil.copytree(project, tmp_path / "project", symlinks=True)
    data, levels = outcomes.rows(600), []
    for number in range(3):
        values = {seed: outcomes.predict(data, wrong=60 + number, seed=30 + number + seed) for seed in (1, 2, 3)}
        commit_results(root, f"next-{number}", data, values)
        looks = compare(root, "HEAD~1", "HEAD").looks
        assert looks is not None
        levels.append((looks.earlier, looks.level))
    assert [earlier for earlier, _ in levels] == [3, 4, 5] or [earlier for earlier, _ in levels] == [2, 3, 4]
    assert levels[0][1] > levels[1][1] > levels[2][1]
    git(root, "commit", "-q", "--amend", "-m", "The same results again")  # no further comparison
    headline = root / "data/report/headline.json"
    headline.write_text(json.dumps({**json.loads(headline.read_text()), "more": {}}))
    git(root, "commit", "-qam", "The same metrics of test beside others")  # nor this
    assert compare(root, "HEAD~1", "HEAD").verdict == "identical"
    again = compare(root, "HEAD~2", "HEAD").looks
    assert again is not None
    assert (again.earlier, again.level) == levels[2]


def test_other_test_rows_were_never_compared(project: Path, tmp_path: Path) -> None:
    root = shutil.copytree(project, tmp_path / "project", symlinks=True)
    data = outcomes.rows(600)
    values = {seed: outcomes.predict(data, wrong=60, seed=seed) for seed in (1, 2, 3)}
    outcomes.write_results(root, data, values, test=range(500))
    outcomes.commit(root, "Fewer test rows")
    comparison = compare(root, "many", "HEAD")
    assert comparison.looks is not None
    assert comparison.looks.earlier == 0
    assert comparison.confidence == pytest.approx(1 - 0.0219, abs=1e-4)


def test_what_dvc_lock_keeps_of_a_stage_that_is_gone_counts_for_nothing(project: Path, tmp_path: Path) -> None:
    """`dvc repro` leaves the entries of former seeds, which name the inputs of their time."""
    root = shutil.copytree(project, tmp_path / "project", symlinks=True)
    data = outcomes.rows(500, seed=3)
    outcomes.set_params(root, seeds=[7])
    code = root / "stages/evaluate/rule.py"
    code.write_text(code.read_text() + "\n# changed\n")
    commit_results(root, "one", data, {7: outcomes.predict(data, wrong=60, seed=5)})
    commit_results(root, "two", data, {7: outcomes.predict(data, wrong=250, seed=6)})
    assert "evaluate@1:" in (root / "dvc.lock").read_text()
    with Revision(root, "two", tmp_path) as two:
        for path in (Paths().split("test"), Paths().rows.parent):
            assert two.hash(path.as_posix()) == two.project.digest(path.as_posix()).md5  # type: ignore[union-attr]
        assert not {"evaluate@1", "finetune@42"} & set(two.lock)
    earlier = compare(root, "many", "one")
    assert {name for name, (_, after) in earlier.changes.models.items() if after is None} == {
        "seed 1",
        "seed 2",
        "seed 3",
    }
    comparison = compare(root, "one", "two")
    assert comparison.verdict == "differ"  # nothing says how far seeds are apart on these rows
    assert comparison.changes.code == {}


def test_one_seed_per_side_without_earlier_seeds_leaves_fail_on_worse_undecided(tmp_path: Path) -> None:
    root = outcomes.create(tmp_path / "project")
    data = outcomes.rows(300)
    outcomes.set_params(root, seeds=[42])
    for tag, wrong in (("good", 20), ("bad", 90)):
        commit_results(root, tag, data, {42: outcomes.predict(data, wrong=wrong, seed=wrong)})
    down = in_process.run(root, "compare", "good", "bad", "--fail-on", "worse")
    assert down.code == 4
    assert down.out.startswith("these two models differ: test.macro_f1")
    assert "UNDECIDED: no headline metric is worse" in down.out
    assert "Train at least two seeds per side" in " ".join(down.out.split())
    assert (
        "The gate can't be decided"
        in in_process.run(root, "compare", "good", "bad", "--fail-on", "worse", "--markdown").out
    )
    assert in_process.run(root, "compare", "bad", "good", "--fail-on", "worse").code == 0
    broken = in_process.run(root, "compare", "good", "bad", "--fail-on", "worse", "--require", "test.accuracy > 0.9")
    assert broken.code == 3  # a rule that is broken outweighs one that is open
    assert "test.accuracy of the champion (seed 42) is 0.7" in broken.out


def test_several_seeds_are_a_second_source_of_chance(project: Path) -> None:
    comparison = compare(project, "base", "many")
    assert all(row.seeds_share is not None for row in comparison.headline)
    assert any(
        "base has one seed: its variation between seeds is estimated from the 3 seeds of many" in note
        for note in comparison.notes
    )


def test_no_text_where_it_may_not_be_shown(project: Path) -> None:
    comparison = compare(project, "many", "base")  # `many` forbids it
    assert comparison.flips is not None
    assert comparison.flips.broken_rows
    for shown in (json.dumps(comparison.as_json()), markdown.render(comparison)):
        assert "word" not in shown


def test_the_workspace_is_head_and_stays_untouched(project: Path, tmp_path: Path) -> None:
    root = shutil.copytree(project, tmp_path / "project", symlinks=True)
    before = write_times(root)
    assert compare(root, "many").verdict == "identical"
    compare(root, "base", "worse")
    assert write_times(root) == before
    (root / "stages/evaluate/metrics.py").write_text("other = 1\n")
    assert any("evaluate@1" in note and "retune run" in note for note in compare(root, "many").notes)


def test_predictions_come_from_the_remote_of_a_clone(project: Path, tmp_path: Path) -> None:
    source = shutil.copytree(project, tmp_path / "source", symlinks=True)
    add_remote(source, str(tmp_path / "remote"))
    shutil.copytree(source / ".dvc/cache/files", tmp_path / "remote/files")  # as a push after each commit leaves it
    git(source, "commit", "-q", "-a", "-m", "A remote")
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", str(source), str(clone))
    comparison = compare(clone, "base", "worse")
    assert comparison.test_rows == 595, comparison.notes
    assert comparison.changes.data.known
    assert not (clone / "data/evaluate/42/predictions.parquet").exists()


def test_without_predictions_the_intervals_are_compared(project: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", str(project), str(clone))
    comparison = compare(clone, "base", "worse")
    assert comparison.test_rows is None
    assert comparison.flips is None
    assert not comparison.changes.data.known
    assert any("Only the intervals" in note and "no remote is configured" in note for note in comparison.notes)
    row = comparison.headline[0]
    assert not row.paired
    assert row.largest_drop == pytest.approx(0.15 + 0.03 * 2**0.5, abs=0.02)
    assert comparison.verdict == "differ"  # 0.90 against 0.75


def test_predictions_of_an_older_version_give_no_slices_by_length(project: Path, tmp_path: Path) -> None:
    root = shutil.copytree(project, tmp_path / "project", symlinks=True)
    for seed in (1, 2, 3):
        path = Paths(root).predictions(seed)
        table = pq.read_table(path).drop_columns("tokens")
        path.unlink()  # it may be a link into DVC's cache
        pq.write_table(table, path)
    dvc(root, "commit", "-q", "--force")
    comparison = compare(root, "base")
    assert any("workspace was evaluated by an older version" in note for note in comparison.notes)
    assert comparison.flips is not None
    assert comparison.flips.slices == []
    assert comparison.flips.classes


def test_common_rows_may_be_none(project: Path, tmp_path: Path) -> None:
    root = shutil.copytree(project, tmp_path / "project", symlinks=True)
    data = outcomes.rows(60)
    data["id"] = [f"other-{number}" for number in range(60)]
    commit_results(root, "others", data, {seed: outcomes.predict(data, wrong=5) for seed in (1, 2, 3)})
    comparison = compare(root, "many", "others")
    assert any("no test row in common" in note for note in comparison.notes)


@pytest.mark.parametrize(
    ("base", "head", "message"),
    [
        ("nowhere", None, "nowhere is not a revision of this repository"),
        ("base", "--oops", "--oops is not a revision of this repository"),
        ("empty", None, r"empty has no results \(data/report/headline.json is missing\). Choose a revision"),
        ("base", "empty", "empty has no results"),
    ],
)
def test_a_revision_that_can_not_be_compared(project: Path, base: str, head: str | None, message: str) -> None:
    with pytest.raises(PipelineError, match=message):
        compare(project, base, head)


def test_other_labels_are_another_task(project: Path, tmp_path: Path) -> None:
    root = shutil.copytree(project, tmp_path / "project", symlinks=True)
    data = outcomes.rows(60)
    data["label"] = ["junk" if label == "spam" else label for label in data["label"]]
    probabilities = {seed: outcomes.predict(outcomes.rows(60), wrong=5) for seed in (1, 2, 3)}
    outcomes.write_results(root, data, probabilities, labels=["ham", "junk"])
    dvc(root, "commit", "-q", "--force")
    message = r"label sets differ \(only many has spam; only workspace has junk\)"
    with pytest.raises(PipelineError, match=message):
        compare(root, "many")


def test_damaged_and_missing_metrics_of_the_workspace(project: Path, tmp_path: Path) -> None:
    root = shutil.copytree(project, tmp_path / "project", symlinks=True)
    for name in ("metrics", "headline"):
        path = root / f"data/report/{name}.json"
        path.unlink()  # it may be a link into DVC's cache
        path.write_text("{")
    with pytest.raises(PipelineError, match="headline.json of workspace is damaged. Write it again: retune run$"):
        compare(root, "base")
    path.unlink()
    record(root, "data/report/metrics.json", "{")
    with pytest.raises(PipelineError, match="metrics.json of workspace is damaged. Write it again: retune run$"):
        compare(root, "base")
    for name in ("data/report/metrics.json", "dvc.lock"):
        (root / name).unlink()
    with pytest.raises(PipelineError, match=r"workspace has no results .* Run it: retune run"):
        compare(root, "base")


def record(root: Path, name: str, text: str) -> None:
    """Let dvc.lock record a text as an output."""
    md5 = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
    lock = (root / "dvc.lock").read_text()
    changed = re.sub(rf"(- path: {re.escape(name)}\n +hash: md5\n +md5: )\w+", rf"\g<1>{md5}", lock)
    assert changed != lock
    (root / "dvc.lock").write_text(changed)


METRICS = Paths().headline.as_posix()
DAMAGE = {  # what a pull request could bring: file -> content -> what is said of it
    "a report of brackets": (METRICS, "[" * 200_000, f"{METRICS} of evil is damaged"),
    "a number of 401 digits": (
        METRICS,
        '{"test": {"mcc": {"mean": 1' + "0" * 400 + "}}}",
        f"{METRICS} of evil is damaged",
    ),
    "a split that is a number": (METRICS, '{"test": 1}', f"{METRICS} of evil is damaged"),
    "metrics of a seed": (
        "data/evaluate/42/metrics.json",
        '{"test": [1]}',
        "evaluate/42/metrics.json of evil is damaged",
    ),
    "a calibration": (
        "data/evaluate/42/metrics.json",
        '{"calibration": 5}',
        "evaluate/42/metrics.json of evil is damaged",
    ),
    "times": (Paths().timing("evaluate@42").as_posix(), "[1]", "evaluate.* of evil is damaged"),
    "names of objects": ("dvc.lock", "../../../../etc/passwd", "dvc.lock of evil is damaged|dvc.lock in .* is damaged"),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_a_damaged_revision_is_said_in_one_line(project: Path, tmp_path: Path, case: str) -> None:
    root = shutil.copytree(project, tmp_path / "project", symlinks=True)
    git(root, "checkout", "-q", "twin")
    file, text, message = DAMAGE[case]
    if file == "dvc.lock":
        text = re.sub(r"md5: [0-9a-f]{32}", f"md5: {text}", (root / file).read_text())
    (root / file).parent.mkdir(parents=True, exist_ok=True)
    if file not in ("dvc.lock", METRICS):
        record(root, file, text)
    (root / file).unlink()
    (root / file).write_text(text)
    git(root, "add", "-f", file, "dvc.lock")
    git(root, "commit", "-qm", "Evil")
    git(root, "tag", "evil")
    with pytest.raises(PipelineError, match=message) as caught:
        compare(root, "base", "evil")
    assert "\n" not in str(caught.value)


def test_the_command_gates_with_its_exit_code(project: Path) -> None:
    assert in_process.run(project, "compare", "base", "twin", "--fail-on", "worse").code == 0
    assert in_process.run(project, "compare", "base", "worse", "--fail-on", "worse").code == 3
    stated = in_process.run(project, "compare", "base", "worse")  # report.gate of `worse` asks for accuracy 0.85
    assert stated.code == 3
    assert "FAILED: test.accuracy >= 0.85" in stated.out
    assert in_process.run(project, "compare", "base", "twin", "--max-drop", "test.mcc=0.2").code == 0
    assert in_process.run(project, "compare", "base", "twin", "--max-drop", "test.mcc=0.01").code == 3


def test_the_command_says_what_is_wrong_in_one_line(project: Path) -> None:
    for arguments, words in (
        (["nowhere"], "not a revision"),
        ([""], "A revision is empty. Give one, or leave it out."),  # a variable of a script that is not set
        (["base", ""], "A revision is empty."),
        (["base", "twin", "--require", "test.nothing > 0"], "head has no metric test.nothing"),
        (["base", "twin", "--max-drop", "test.mcc"], "expected METRIC=DROP"),
    ):
        done = in_process.run(project, "compare", *arguments)
        assert done.code == 1
        assert len(done.err.strip().splitlines()) == 1
        assert words in done.err


def test_the_terminal_fits_a_screen_and_begins_with_the_verdict(project: Path) -> None:
    done = in_process.run(project, "compare", "base", "worse")
    lines = done.out.splitlines()
    assert lines[0].startswith("these two models differ: test.macro_f1")
    assert len(lines) <= 45
    assert "finetune.learning_rate 5e-05 -> 3e-05" in done.out


def test_json_is_json(project: Path) -> None:
    comparison = json.loads(in_process.run(project, "compare", "base", "twin", "--json").out)
    assert comparison["verdict"] == "within noise"
    assert comparison["passed"] is True
    assert comparison["metrics"][0].keys() >= {
        "name",
        "base",
        "head",
        "difference",
        "low",
        "high",
        "p_value",
        "min_detectable",
    }
