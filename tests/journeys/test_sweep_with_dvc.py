"""A sweep as docs/running.md describes it: queued with `dvc exp`, compared with `retune compare`, one result kept."""

import csv
import io
import json
from pathlib import Path

import pytest

from tests.end_to_end import small_project
from tests.end_to_end.test_pipeline import retune
from tests.journeys.long import minutes_long
from tests.pipeline import toy

pytestmark = [pytest.mark.slow, minutes_long, pytest.mark.timeout(1800)]

RATES = ("0.003", "0.01")


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A project with results and a remote, and the name of the experiment of each learning rate."""
    root = small_project.create(tmp_path_factory.mktemp("sweep") / "project")
    toy.add_remote(root, str(root.parent / "remote"))
    toy.dvc(root, "repro")
    commit(root, "Results")
    toy.dvc(root, "exp", "run", "--queue", "-S", f"finetune.learning_rate=choice({','.join(RATES)})")
    toy.dvc(root, "exp", "run", "--run-all")
    rows = show(root)
    names = {row["finetune.learning_rate"]: row["Experiment"] for row in rows if row["Experiment"]}
    return root, names


def commit(root: Path, message: str) -> None:
    toy.git(root, "add", "-A")
    toy.git(root, "commit", "-q", "-m", message)


def show(root: Path) -> list[dict[str, str]]:
    table = toy.dvc(root, "exp", "show", "--only-changed", "--drop", "^data/", "--csv")
    return list(csv.DictReader(io.StringIO(table)))


def states(root: Path, *options: str) -> dict[str, str]:
    return {line["stage"]: line["state"] for line in json.loads(retune(root, "plan", "--json", *options))}


def test_each_value_is_an_experiment_in_a_table_that_fits_a_screen(swept: tuple[Path, dict[str, str]]) -> None:
    root, names = swept
    assert set(names) == set(RATES)
    assert len(set(names.values())) == len(RATES)
    columns = list(show(root)[0])
    assert len(columns) <= 24
    parameters = [
        name for name in columns if name.startswith(("download", "tokenize", "split", "finetune", "evaluate"))
    ]
    assert parameters == ["finetune.learning_rate"]
    assert toy.git(root, "status", "--porcelain") == ""


def test_an_experiment_is_compared_by_its_name(swept: tuple[Path, dict[str, str]]) -> None:
    root, names = swept
    compared = json.loads(retune(root, "compare", "HEAD", names["0.01"], "--json"))
    assert compared["head"].startswith(f"{names['0.01']} (")
    assert list(compared["changes"]["params"]) == ["finetune.learning_rate"]
    assert compared["test_rows"] == 15


def test_an_experiment_is_applied_or_restored_without_training(swept: tuple[Path, dict[str, str]]) -> None:
    root, names = swept
    planned = states(root, "-S", "finetune.learning_rate=0.01")
    assert {planned[stage] for stage in ("finetune@42", "evaluate@42", "report")} <= {"restored", "fresh"}
    toy.dvc(root, "exp", "apply", names["0.01"])
    assert set(states(root).values()) == {"fresh"}
    changed = {line.split()[1] for line in toy.git(root, "status", "--porcelain").splitlines()}
    assert changed <= {"data/report/headline.json", "dvc.lock", "params.yaml"}
    toy.git(root, "checkout", "-q", "--", ".")
    toy.dvc(root, "checkout", "-q")


def test_an_experiment_becomes_a_branch(swept: tuple[Path, dict[str, str]]) -> None:
    root, names = swept
    toy.dvc(root, "exp", "branch", names["0.003"], "slower")
    compared = json.loads(retune(root, "compare", "main", "slower", "--json"))
    assert list(compared["changes"]["params"]) == ["finetune.learning_rate"]


def test_a_registered_model_is_fetched_by_its_name(swept: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    root, _ = swept
    toy.dvc(root, "push", "-q")
    toy.git(root, "tag", "-a", "classifier@v1.0.0", "-m", "Registered")  # as `gto register classifier` does
    toy.git(tmp_path, "clone", "-q", str(root), "clone")  # without a cache
    toy.dvc(
        tmp_path / "clone", "artifacts", "get", str(tmp_path / "clone"), "classifier", "--out", str(tmp_path / "model")
    )
    fetched = {path.name for path in (tmp_path / "model").iterdir()}
    assert {"model.safetensors", "tokenizer.json", "calibration.json", "README.md"} <= fetched
