"""Where metrics are read: the headline in git, all others in DVC's cache, those of earlier versions in git."""

import json
import shutil
from pathlib import Path

import pytest

from pipeline.comparison.compare import compare
from pipeline.comparison.history import choose_metrics, read_history
from pipeline.comparison.revision import Revision
from pipeline.repository.results import read_metrics
from stages.errors import PipelineError
from stages.paths import Paths
from tests.pipeline import outcomes
from tests.pipeline.toy import add_remote, dvc, git, retune

LAYOUT = (  # what dvc.yaml says of metrics and times, and what it said in earlier versions
    ("      - data/timing/split.json\n", "    metrics:\n      - data/split/timing.json: {cache: false}\n"),
    (
        "      - data/evaluate/${item.seed}/metrics.json\n      - data/timing/evaluate@${item.seed}.json\n",
        "    metrics:\n      - data/evaluate/${item.seed}/metrics.json: {cache: false}\n",
    ),
    (
        "      - data/report/metrics.json\n      - data/timing/report.json\n"
        "    metrics:\n      - data/report/headline.json:\n",
        "    metrics:\n      - data/report/metrics.json:\n",
    ),
)
EXTRA = {"mean": 0.4, "sd": None, "low": 0.3, "high": 0.5}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of an earlier version (`old`), of this one (`new`), and newer ones (`newer`); a remote without them."""
    root = outcomes.create(tmp_path_factory.mktemp("stored") / "project")
    add_remote(root, str(root.parent / "remote"))
    text = (root / "dvc.yaml").read_text()
    former = text
    for now, before in LAYOUT:
        assert former.count(now) == 1
        former = former.replace(now, before)
    (root / "dvc.yaml").write_text(former)
    outcomes.set_params(root, seeds=[1])
    write(root, 5)
    (root / "data/report/headline.json").unlink(missing_ok=True)
    (root / "data/split/timing.json").write_text('{"seconds": 3.5}')
    outcomes.commit(root, "old")
    git(root, "tag", "old")
    git(root, "rm", "-q", "-r", "--cached", "data/report/metrics.json", "data/evaluate", "data/split")
    (root / "data/split/timing.json").unlink()
    (root / "dvc.yaml").write_text(text)
    for name, wrong in (("new", 6), ("newer", 7)):
        write(root, wrong)
        outcomes.commit(root, name)
        git(root, "tag", name)
    return root


def write(root: Path, wrong: int) -> None:
    data = outcomes.rows(60)
    outcomes.write_results(root, data, {1: outcomes.predict(data, wrong=wrong)})
    path = Paths(root).all_metrics
    report = json.loads(path.read_text())
    report["test"]["log_loss"] = EXTRA
    path.write_text(json.dumps(report))


@pytest.fixture
def clone(project: Path, tmp_path: Path) -> Path:
    """A clone whose remote has nothing."""
    git(tmp_path, "clone", "-q", str(project), "clone")
    return tmp_path / "clone"


def test_git_has_the_headline_alone(project: Path) -> None:
    changed = git(project, "diff", "--name-only", "new", "newer").split()
    assert changed == ["data/report/headline.json", "dvc.lock"]


@pytest.mark.parametrize("rev", ["old", "new", "newer", None])
def test_every_metric_of_every_version_is_read(project: Path, rev: str | None, tmp_path: Path) -> None:
    with Revision(project, rev, tmp_path) as revision:
        assert not revision.why_incomplete
        assert revision.metrics["test.log_loss"].mean == 0.4
        assert revision.evaluation(1)["test"]["accuracy"]["value"] == pytest.approx(
            revision.metrics["test.accuracy"].mean, abs=1e-4
        )


def test_an_earlier_version_is_compared_with_this_one(project: Path) -> None:
    comparison = compare(project, "old", "new", require=["test.accuracy.low >= 0.5"], max_drop=["test.log_loss=0.3"])
    assert comparison.gate[0].why.startswith("test.accuracy.low of the champion (seed 1) is")
    assert {cost.stage: cost.seconds for cost in comparison.costs}["split"] == (3.5, 12.5)
    assert {row.name for row in comparison.metrics} >= {"test.log_loss", "test.accuracy"}
    assert not any("headline metrics alone" in note for note in comparison.notes)


@pytest.mark.parametrize(
    ("base", "head", "alone"),
    [("old", "new", ["new"]), ("new", "newer", ["new", "newer"]), ("old", None, ["workspace"])],
)
def test_what_is_neither_in_the_cache_nor_in_the_remote_is_said_once_for_each_side(
    clone: Path, base: str, head: str | None, alone: list[str]
) -> None:
    comparison = compare(clone, base, head, require=["test.accuracy >= 0.5"])
    notes = [note for note in comparison.notes if "the headline metrics alone are known" in note]
    assert [note.split(",")[0].removeprefix("Of ") for note in notes] == alone
    assert [row.name for row in comparison.headline][:1] == ["test.macro_f1"]
    assert comparison.gate[0].passed
    assert "mean over the seeds" in comparison.gate[0].why


def test_a_remote_has_what_the_cache_lacks(project: Path, tmp_path: Path) -> None:
    root = shutil.copytree(project, tmp_path / "project", symlinks=True)
    add_remote(root, str(tmp_path / "own remote"))
    dvc(root, "push", "-q")
    shutil.rmtree(root / ".dvc/cache")
    with Revision(root, "newer", tmp_path) as newer, Revision(root, "new", tmp_path) as new:
        assert (bool(newer.why_incomplete), bool(new.why_incomplete)) == (False, True)


def test_another_checkout_s_metrics_are_not_taken_for_those_of_the_workspace(project: Path, tmp_path: Path) -> None:
    root = shutil.copytree(project, tmp_path / "project", symlinks=True)
    git(root, "checkout", "-q", "new")  # without `dvc checkout`: metrics.json is still that of `newer`
    assert "test.log_loss" not in read_metrics(root)
    assert read_metrics(root)["test.accuracy"].mean == 0.9
    with Revision(root, None, tmp_path) as workspace, Revision(root, "new", tmp_path) as new:
        assert workspace.report == new.report, "the cache has those that dvc.lock records"
    dvc(root, "checkout", "-q")
    assert read_metrics(root)["test.log_loss"].mean == 0.4


def test_the_history_of_a_metric_outside_the_headline(project: Path, clone: Path) -> None:
    assert [commit.subject for commit in read_history(project, None, most=9)] == ["newer", "new", "old"]
    everything = read_history(project, None, most=9, everything=True)
    assert [commit.metrics["test.log_loss"].mean for commit in everything] == [0.4] * 3
    assert choose_metrics(project, everything, "log_loss") == ["test.log_loss"]
    assert retune(project, "log", "--metric", "log_loss").stdout.count("0.400") == 3
    lacking = read_history(clone, None, most=9, everything=True)
    assert ["test.log_loss" in commit.metrics for commit in lacking] == [False, False, True]


def test_a_fresh_clone_shows_the_headline(clone: Path) -> None:
    done = retune(clone, "results")
    assert done.returncode == 0, done.stderr
    assert "macro_f1" in done.stdout


@pytest.mark.parametrize("lacking", [(), ("new",), ("new", "newer")], ids=["all here", "after gc", "not pulled"])
@pytest.mark.parametrize("metric", ["log_loss", "macro_f1"])
def test_the_history_says_of_which_commits_the_headline_alone_is_known(
    project: Path, tmp_path: Path, lacking: tuple[str, ...], metric: str
) -> None:
    root = shutil.copytree(project, tmp_path / "project", symlinks=True)
    shutil.rmtree(root / "data")
    git(root, "checkout", "-q", "newer", "--", "data")
    for name in lacking:
        with Revision(root, name, tmp_path) as revision:
            md5 = revision.hash("data/report/metrics.json")
        (root / f".dvc/cache/files/md5/{md5[:2]}/{md5[2:]}").unlink()
    for form in ((), ("--markdown",)):
        done = retune(root, "log", "--metric", metric, *form)
        assert done.returncode == 0, done.stderr
        assert "workspace" not in done.stdout, "it has what HEAD has, here or elsewhere"
        assert ("the headline metrics alone are known: data/report/metrics.json of" in done.stdout) == bool(
            lacking and metric == "log_loss"
        )
        note = done.stdout.partition("Of ")[2].partition(", the headline")[0]
        assert note.split(", ") == (
            [git(root, "rev-parse", name).strip()[:9] for name in reversed(lacking)]
            if lacking and metric == "log_loss"
            else [""]
        )


@pytest.mark.parametrize("remote", ["empty", "broken"])
def test_a_metric_that_nobody_can_read_is_not_said_to_be_missing(project: Path, tmp_path: Path, remote: str) -> None:
    git(tmp_path, "clone", "-q", str(project), "clone")
    root = tmp_path / "clone"
    (root / ".dvc/config.local").write_text(
        "['remote \"storage\"']\nurl = " + ("ssh://127.0.0.1:1/x" if remote == "broken" else str(tmp_path / "none"))
    )
    commits = [commit for commit in read_history(root, None, most=9, everything=True) if commit.subject != "old"]
    with pytest.raises(PipelineError, match=r"No commit that can be read has the metric test\.log_loss\. Of ") as error:
        choose_metrics(root, commits, "log_loss")
    assert ("can't be reached" in str(error.value)) == (remote == "broken")
    assert all(commit.commit in str(error.value) for commit in commits)
