"""`dvc metrics diff`, `dvc params diff` and `dvc plots diff` between two commits of this project's own graph."""

import json
from pathlib import Path

import pytest

from tests.pipeline import outcomes
from tests.pipeline.toy import dvc


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    root = outcomes.create(tmp_path_factory.mktemp("diff") / "project")
    data = outcomes.rows(60)
    commits = []
    for name, wrong, seeds in (("base", 6, [42]), ("head", 12, [42, 43])):
        outcomes.set_params(root, finetune__learning_rate=wrong * 1e-5, seeds=seeds)
        outcomes.write_results(root, data, {seed: outcomes.predict(data, wrong=wrong) for seed in seeds})
        curve = root / "data/finetune/42/curve.csv"
        curve.write_text(curve.read_text().replace("1", str(wrong)))
        commits.append(outcomes.commit(root, name))
    return root, commits[0], commits[1]


def diff(project: tuple[Path, str, str], what: str, *options: str) -> str:
    root, base, head = project
    return dvc(root, what, "diff", base, head, *options)


def test_metrics_diff_names_what_changed_and_nothing_else(project: tuple[Path, str, str]) -> None:
    changed = json.loads(diff(project, "metrics", "--json").partition("\n\n")[0])
    assert list(changed) == ["data/report/headline.json"]
    report = changed["data/report/headline.json"]
    assert report["test.accuracy.mean"] == pytest.approx({"old": 0.9, "new": 0.8, "diff": -0.1})
    table = diff(project, "metrics", "--md")
    assert "| data/report/headline.json" in table
    assert "test.accuracy.mean" in table


def test_params_diff_shows_the_keys_of_params_yaml(project: tuple[Path, str, str]) -> None:
    changed = json.loads(diff(project, "params", "--json").partition("\n\n")[0])
    assert list(changed) == ["params.yaml"]
    assert set(changed["params.yaml"]) == {"finetune.learning_rate", "seeds"}
    assert changed["params.yaml"]["finetune.learning_rate"] == pytest.approx({"old": 6e-5, "new": 12e-5, "diff": 6e-5})
    assert changed["params.yaml"]["seeds"] == {"old": "[42]", "new": "[42, 43]"}


def test_plots_diff_draws_both_commits(project: tuple[Path, str, str], tmp_path: Path) -> None:
    diff(project, "plots", "--out", str(tmp_path / "plots"))
    page = (tmp_path / "plots/index.html").read_text(encoding="utf-8")
    for title in ("Learning curve", "Confusion matrix", "Token lengths"):
        assert title in page
    for commit in project[1:]:
        assert commit[:7] in page
