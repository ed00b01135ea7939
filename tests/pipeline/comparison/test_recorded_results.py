"""A result is believed only if dvc.lock records it: wherever its file is, and whatever else lies in its place."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from pipeline.comparison.compare import compare
from pipeline.comparison.history import read_history
from pipeline.comparison.render import markdown, terminal
from pipeline.comparison.result import Comparison
from pipeline.comparison.revision import Revision
from pipeline.repository.lock import recorded_md5s
from pipeline.repository.results import read_metrics as read_means
from stages.errors import UnavailableError
from stages.paths import Paths
from tests.pipeline import outcomes
from tests.pipeline.commands import in_process
from tests.pipeline.comparison.commands import commit_results
from tests.pipeline.toy import git

SEEDS = (42, 43)
DATA = outcomes.rows(150)
WRONG = {"good": 9, "bad": 60}
READ = ("data/evaluate", "data/report/metrics.json", "data/tokenize/labels.json", "data/download")


def predictions(tag: str) -> dict[int, object]:
    return {seed: outcomes.predict(DATA, wrong=WRONG[tag], seed=seed) for seed in SEEDS}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tags good and bad, each with its own results; `bad` is checked out."""
    root = outcomes.create(tmp_path_factory.mktemp("recorded") / "project")
    outcomes.set_params(root, seeds=list(SEEDS))
    for tag in WRONG:
        commit_results(root, tag, DATA, predictions(tag))
    return root


@pytest.fixture(scope="module")
def stored(project: Path) -> dict[str, Path]:
    """The project with its results in the cache, in a remote alone, and nowhere but in the workspace."""
    places = {}
    for place in ("cache", "remote", "nowhere"):
        places[place] = shutil.copytree(project, project.parent / place, symlinks=True)
        if place == "remote":
            use_remote(places[place], str(project.parent / "storage"))
            shutil.copytree(project / ".dvc/cache", project.parent / "storage")
        if place != "cache":
            shutil.rmtree(places[place] / ".dvc/cache")
    return places


def use_remote(root: Path, url: str) -> None:
    """Configure a default remote where `git checkout` leaves it."""
    (root / ".dvc/config.local").write_text(f"[core]\nremote = storage\n['remote \"storage\"']\nurl = {url}\n")


def arrange(root: Path, files: str) -> None:
    """Let the result files of the workspace agree with the dvc.lock of `bad`, differ from it, or be missing."""
    for name in READ:
        shutil.rmtree(root / name, ignore_errors=True)
        (root / name).unlink(missing_ok=True)
    if files != "missing":
        outcomes.write_results(root, DATA, predictions("bad" if files == "agrees" else "good"))
    git(root, "checkout", "-qf", "bad")


def judge(root: Path, head: str | None, base: str = "good") -> Comparison:
    return compare(root, base, head, fail_on="worse", require=["test.accuracy >= 0.9"], max_drop=["test.mcc=0.01"])


def terminal_text(comparison: Comparison) -> str:
    console = Console(width=200)
    with console.capture() as captured:
        console.print(terminal.render(comparison))
    return captured.get()


def says(comparison: Comparison, words: str) -> list[str]:
    return [note for note in comparison.notes if words in note]


@pytest.mark.parametrize("files", ["agrees", "differs", "missing"])
@pytest.mark.parametrize("place", ["cache", "remote", "nowhere"])
def test_what_dvc_lock_records_decides(stored: dict[str, Path], place: str, files: str) -> None:
    root = stored[place]
    arrange(root, files)
    for head in (None, "bad"):
        comparison = judge(root, head)
        assert not any(rule.passed or rule.open for rule in comparison.gate), "the bad model is the one that is judged"
        assert comparison.verdict == "worse"
        known = place != "nowhere"
        assert (comparison.test_rows, comparison.changes.data.known) == ((150, True) if known else (None, True))
        assert len(says(comparison, "is compared. To have them in the workspace")) == (
            known and files == "differs" and head is None
        )
        how = "dvc checkout" if place == "cache" else "dvc pull"
        assert all(note.endswith(how) for note in says(comparison, "To have them in the workspace"))
        alone = says(comparison, "the headline metrics alone are known")
        assert len(alone) == (0 if known else 1 if files == "agrees" and head is None else 2)
        if not known and not (files == "agrees" and head is None):
            assert alone[1].partition("known: ")[2] == REASONS[files if head is None else "commit"]


@pytest.mark.parametrize("files", ["agrees", "differs", "missing"])
@pytest.mark.parametrize("place", ["cache", "remote", "nowhere"])
def test_the_same_recorded_predictions_are_identical_wherever_they_are(
    stored: dict[str, Path], place: str, files: str
) -> None:
    root = stored[place]
    arrange(root, files)
    for head in (None, "bad"):
        comparison = judge(root, head, base="bad")
        assert {row.verdict for row in comparison.headline} == {comparison.verdict} == {"identical"}
        dropped, worse = (
            next(rule for rule in comparison.gate if name in rule.rule) for name in ("test.mcc", "headline")
        )
        assert (dropped.passed, worse.passed) == (True, True)
        assert all(row.low == row.high == row.difference == 0 and row.paired for row in comparison.headline)
        assert not says(comparison, "Only the intervals")
        assert len(says(comparison, "the same predictions on both sides")) == (comparison.test_rows is None)
        for text in (markdown.render(comparison), terminal_text(comparison)):
            assert "the same predictions for " in text
    for head, base in (("bad", "good"), (None, "good")):  # other predictions are not, whether anyone has them or not
        assert judge(root, head, base=base).verdict == "worse"


NOWHERE = "not in DVC's cache, and no remote is configured. Write it again:"
REASONS = {
    "differs": "data/report/metrics.json in the workspace is not the one that dvc.lock records, which is "
    f"{NOWHERE} retune run",
    "missing": f"data/report/metrics.json is not in the workspace, and it is {NOWHERE} retune run",
    "commit": f"data/report/metrics.json of bad is {NOWHERE} git checkout bad, retune run",
}


def test_a_ruined_model_does_not_pass_with_the_files_of_the_good_one(stored: dict[str, Path]) -> None:
    for place in ("cache", "nowhere"):
        arrange(stored[place], "differs")
        assert (judge(stored[place], None).verdict, judge(stored[place], None).passed) == ("worse", False)
    git(stored["cache"], "checkout", "-qf", "good")
    outcomes.write_results(stored["cache"], DATA, predictions("bad"))
    git(stored["cache"], "checkout", "-qf", "good")
    assert judge(stored["cache"], None).passed


def test_the_words_name_the_remote_only_where_it_was_asked(stored: dict[str, Path], tmp_path: Path) -> None:
    root = shutil.copytree(stored["nowhere"], tmp_path / "project", symlinks=True)
    for url, words in (
        (str(tmp_path / "empty"), "neither in DVC's cache nor in the remote. Run dvc push on the machine that has it"),
        ("ssh://host/needs-a-package", "not in DVC's cache, and the remote can't be reached. Find out why: dvc pull"),
    ):
        use_remote(root, url)
        with Revision(root, "bad", tmp_path) as revision, pytest.raises(UnavailableError, match=words):
            revision.fetch(Paths().predictions(42))


FILES: dict[str, Callable[[Revision], object]] = {
    "data/evaluate/42/predictions.parquet": lambda side: side.predictions,
    "data/tokenize/labels.json": lambda side: side.target,
    "data/download/dataset/rows.parquet": lambda side: side.rows(),
}


@pytest.mark.parametrize("name", FILES)
def test_each_file_is_that_of_the_lock_or_none(stored: dict[str, Path], name: str, tmp_path: Path) -> None:
    root = shutil.copytree(stored["nowhere"], tmp_path / "project", symlinks=True)
    arrange(root, "agrees")
    with Revision(root, None, tmp_path) as side:
        assert FILES[name](side) is not None
    (root / name).write_bytes((root / name).read_bytes() + b" ")
    whole = "data/download/dataset" if "dataset" in name else name  # whose list of files is nowhere either
    with Revision(root, None, tmp_path) as side, pytest.raises(UnavailableError, match=f"^{whole} in the workspace is"):
        FILES[name](side)
    (root / "dvc.lock").unlink()
    with Revision(root, None, tmp_path) as side, pytest.raises(UnavailableError, match=f"does not record {name}"):
        FILES[name](side)


def test_json_files_of_other_results_are_not_read(stored: dict[str, Path], tmp_path: Path) -> None:
    root = shutil.copytree(stored["nowhere"], tmp_path / "project", symlinks=True)
    arrange(root, "agrees")
    with Revision(root, None, tmp_path) as side:
        assert side.evaluation(42)
        assert side.timing("split")
    (root / "data/evaluate/42/metrics.json").write_text(json.dumps({"test": {"accuracy": {"value": 1.0}}}))
    (root / "data/timing/split.json").write_text('{"seconds": 1}')
    with Revision(root, None, tmp_path) as side:
        assert (side.evaluation(42), side.timing("split")) == ({}, {})


HEADLINE = "data/report/headline.json"


def mix(root: Path, tag: str, headline: str) -> None:
    """Commit the dvc.lock of a tag with another headline, as a merge that was resolved by half."""
    git(root, "checkout", "-qf", tag)
    (root / HEADLINE).write_text(headline)
    git(root, "commit", "-qam", f"Mixed {tag}")
    git(root, "tag", "-f", f"mixed-{tag}")


@pytest.fixture
def mixed(stored: dict[str, Path], tmp_path: Path) -> dict[str, Path]:
    """Tags mixed-bad (with the headline of good) and mixed-good; `forgotten` has nothing that dvc.lock records."""
    roots = {}
    for place in ("cache", "nowhere", "forgotten"):
        root = stored["cache" if place == "cache" else "nowhere"]
        roots[place] = shutil.copytree(root, tmp_path / place, symlinks=True)
        arrange(roots[place], "missing" if place != "cache" else "agrees")
        for tag, other in (("bad", "good"), ("good", "bad")):
            mix(roots[place], tag, git(roots[place], "show", f"{other}:{HEADLINE}"))
    for tag in ("bad", "good"):  # without the commits before it, as in a shallow clone
        tree = git(roots["forgotten"], "rev-parse", f"mixed-{tag}^{{tree}}").strip()
        commit = git(roots["forgotten"], "commit-tree", "-m", f"Mixed {tag}", tree).strip()
        git(roots["forgotten"], "tag", "-f", f"mixed-{tag}", commit)
    return roots


@pytest.mark.parametrize(("place", "source"), [("cache", "metrics.json is read"), ("nowhere", "an earlier commit has")])
def test_a_headline_of_another_run_is_replaced_by_the_recorded_one(
    mixed: dict[str, Path], place: str, source: str
) -> None:
    root = mixed[place]
    git(root, "checkout", "-qf", "mixed-bad")
    for head, name in (("mixed-bad", "mixed-bad"), (None, "workspace")):
        comparison = judge(root, head, "mixed-good")
        assert comparison.verdict == "worse"
        assert not any(rule.passed or rule.open for rule in comparison.gate)
        (_, note) = says(comparison, source)
        assert note.startswith(f"{HEADLINE} of {name} is not the one that its dvc.lock records")
    log = {commit.subject: commit for commit in read_history(root, "mixed-bad", most=9)}
    assert {commit.recorded for commit in log.values()} == {True}
    assert log["Mixed bad"].metrics["test.accuracy"] == log["bad"].metrics["test.accuracy"]


def test_a_headline_of_another_run_decides_no_rule(mixed: dict[str, Path]) -> None:
    root = mixed["forgotten"]
    git(root, "checkout", "-qf", "mixed-bad")
    for head in ("mixed-bad", None):
        comparison = judge(root, head)
        assert comparison.undecided
        assert [rule.open for rule in comparison.gate] == [True] * 3
        assert comparison.outdated in comparison.notes
        assert (
            "its dvc.lock records, so its metrics may be of another run. Update them: retune run" in comparison.outdated
        )
    comparison = judge(root, "good", "mixed-good")
    assert [(rule.open, rule.passed) for rule in comparison.gate] == [(True, False), (False, True), (True, False)]
    (commit,) = read_history(root, "mixed-bad", most=9)
    assert not commit.recorded
    for text in (
        in_process.run(root, "log", "mixed-bad").out,
        in_process.run(root, "log", "mixed-bad", "--markdown").out,
    ):
        assert "Its dvc.lock does not record these metrics, so they may be of another run." in text
    assert in_process.run(root, "log", "bad").out.count("*") == 0


def test_without_dvc_lock_no_headline_is_recorded(mixed: dict[str, Path], tmp_path: Path) -> None:
    root = mixed["forgotten"]
    git(root, "checkout", "-qf", "bad")
    (root / "dvc.lock").unlink()
    with Revision(root, None, tmp_path) as side:
        assert side.found_headline.unrecorded.startswith(f"{HEADLINE} of workspace is not recorded by its dvc.lock, so")
    assert judge(root, None).undecided


def test_earlier_results_that_dvc_lock_does_not_record_count_for_nothing(mixed: dict[str, Path]) -> None:
    root = mixed["cache"]
    looks = judge(root, "bad").looks
    report = json.loads(git(root, "show", f"good:{HEADLINE}"))
    report["test"]["accuracy"]["mean"] = 0.123
    mix(root, "bad", json.dumps(report))
    assert judge(root, "bad").looks == looks


@pytest.mark.parametrize("how", ["dvc.lock without the headline", "merge", "merge the other way"])
def test_a_commit_that_mixes_two_runs_has_the_metrics_of_its_dvc_lock(
    stored: dict[str, Path], tmp_path: Path, how: str
) -> None:
    root = shutil.copytree(stored["cache"], tmp_path / "project", symlinks=True)
    start, of_lock, of_headline = ("bad", "bad", "good") if how == "merge the other way" else ("good", "bad", "good")
    git(root, "checkout", "-qf", "-B", "mixing", start)
    git(root, "commit", "-q", "--allow-empty", "-m", "Before")
    if "merge" in how:
        git(root, "checkout", "-qf", "-B", "other", "good" if start == "bad" else "bad")
        git(root, "commit", "-q", "--allow-empty", "-m", "Other")
        git(root, "checkout", "-qf", "mixing")
        git(root, "merge", "-q", "--no-ff", "--no-commit", "-s", "ours", "other")
    git(root, "checkout", of_lock, "--", "dvc.lock", "params.yaml")
    git(root, "checkout", of_headline, "--", HEADLINE)
    git(root, "commit", "-q", "-m", "Mixed")
    looks = judge(root, "bad").looks
    outcomes.write_results(root, DATA, predictions("bad"))
    git(root, "checkout", HEADLINE)  # as `dvc checkout` leaves it, which git has
    with Revision(root, "bad", tmp_path) as side:
        expected = side.metrics["test.accuracy"].mean
    newest, *_ = read_history(root, None, most=3)
    assert (newest.subject, newest.metrics["test.accuracy"].mean) == ("Mixed", expected)
    assert read_means(root)["test.accuracy"].mean == expected
    assert judge(root, "mixing").looks == looks, "head's own results are no earlier ones"


LOCK = "stages:\n  report:\n    cmd: x\n    outs:\n    - path: a.json\n      {}md5: {}\n      size: 3\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (LOCK.format("hash: md5\n      ", "1" * 32), {"1" * 32}),
        (LOCK.format("", "2" * 32), {"2" * 32}),
        ("schema: '2.0'\nstages: {r: {cmd: x, outs: [{md5: " + "a" * 32 + ", path: a.json}]}}\n", {"a" * 32}),
        (LOCK.format("", "2" * 32).replace("outs", "deps").replace("a.json", "b.json"), set()),
        (LOCK.format("", "3" * 32) + "  r2:\n    deps:\n    - path: a.json\n      md5: " + "4" * 32 + "\n", {"3" * 32}),
        ("stages: [", set()),
        ("", set()),
    ],
)
def test_the_text_of_a_lock_names_the_digest_of_an_output(text: str, expected: set[str]) -> None:
    assert recorded_md5s(text, "a.json") == expected
