"""This project with results written by the test: real git, real DVC, nothing trained.

`write_results` writes every output that dvc.yaml names, and `dvc commit` records them, as a run would have.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from ruamel.yaml import YAML

from pipeline import recipes
from stages.paths import Paths
from stages.predictions import Predictions, write_predictions
from tests.pipeline.toy import dvc, git

ROOT = Path(__file__).parents[2]
LABELS = ["ham", "spam"]
COPIED = (
    "dvc.yaml",
    "params.yaml",
    "constraints.txt",
    ".dvcignore",
    ".gitignore",
    "recipes",
    "data/samples",
    "data/corrections.csv",
    "data/crossfit/.gitkeep",
    "data/extrapolate/.gitkeep",
)


def create(root: Path) -> Path:
    """A copy of this project without results, committed."""
    for name in COPIED:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, root / name)
    shutil.copytree(ROOT / "stages", root / "stages", ignore=shutil.ignore_patterns("__pycache__"))
    git(root, "init", "-q", "-b", "main")
    dvc(root, "init", "-q")
    shutil.copytree(ROOT / ".dvc/plots", root / ".dvc/plots")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "Begin")
    return root


def rows(count: int, *, seed: int = 0) -> dict[str, list[Any]]:
    """The columns id, text, label of a data set in which every third row is spam."""
    generator = np.random.default_rng(seed)
    return {
        "id": [f"row-{number}" for number in range(count)],
        "text": [" ".join(["word"] * int(generator.integers(1, 30))) + f" {number}" for number in range(count)],
        "label": [LABELS[number % 3 == 0] for number in range(count)],
    }


def predict(data: Mapping[str, Sequence[Any]], *, wrong: int, seed: int = 0) -> np.ndarray:
    """Probabilities with `wrong` rows misclassified, chosen at random; shape (rows, 2)."""
    generator = np.random.default_rng(seed)
    labels = np.array([LABELS.index(label) for label in data["label"]])
    of_label = generator.uniform(0.6, 0.99, len(labels))
    mistakes = generator.choice(len(labels), size=wrong, replace=False)
    of_label[mistakes] = 1 - of_label[mistakes]
    probabilities = np.empty((len(labels), 2), dtype=np.float32)
    probabilities[np.arange(len(labels)), labels] = of_label
    probabilities[np.arange(len(labels)), 1 - labels] = 1 - of_label
    return probabilities


def write_results(
    root: Path,
    data: Mapping[str, Sequence[Any]],
    probabilities: Mapping[int, np.ndarray],
    *,
    test: Sequence[int] | None = None,
    metrics: Mapping[str, Any] | None = None,
    labels: Sequence[str] = LABELS,
) -> None:
    """Write every output: the rows, the predictions of each seed for test (the first row alone is val), the metrics."""
    paths = Paths(root)
    _write_placeholders(root, seeds=list(probabilities))
    table = {"text_pair": pa.nulls(len(data["id"]), pa.string()), "group": pa.nulls(len(data["id"]), pa.string())}
    pq.write_table(pa.table({**data, **table}), paths.rows)
    paths.labels.write_text(json.dumps(list(labels)))
    chosen = list(range(len(data["id"]))) if test is None else list(test)
    for seed, values in probabilities.items():
        given = np.array([list(labels).index(label) for label in data["label"]])
        tokens = np.array([len(text.split()) + 2 for text in data["text"]])
        splits = {
            name: Predictions(
                np.array(rows), [data["id"][row] for row in rows], given[rows], values[rows], tokens[rows]
            )
            for name, rows in (("val", [0]), ("test", chosen))
        }
        write_predictions(paths.predictions(seed), splits)
        (paths.finetuned(seed) / "model.safetensors").write_bytes(values.tobytes())
        right = float((values[chosen].argmax(1) == given[chosen]).mean()) if chosen else 0.0
        accuracy = {"accuracy": {"value": right, "low": right - 0.03, "high": right + 0.03}}
        calibration = {"temperature": 1.0, "threshold": None}
        paths.metrics(seed).write_text(json.dumps({"test": accuracy, "val": {}, "calibration": calibration}))
    (root / "data/split/test.parquet").write_text(json.dumps(chosen))  # other rows are another file
    champion = next(iter(probabilities))
    report = {
        "metric": "macro_f1",
        "seeds": list(probabilities),
        "champion": {"seed": champion, "test": json.loads(paths.metrics(champion).read_text())["test"], "val": {}},
        **(metrics or scores(data, probabilities, chosen, labels)),
    }
    for path in (paths.headline, paths.all_metrics):
        path.write_text(json.dumps(report))


def scores(
    data: Mapping[str, Sequence[Any]],
    probabilities: Mapping[int, np.ndarray],
    test: Sequence[int],
    labels: Sequence[str],
) -> dict[str, Any]:
    """The part of metrics.json that the tests need."""
    true = np.array([list(labels).index(data["label"][row]) for row in test])
    rates = [(values[list(test)].argmax(1) == true).mean() for values in probabilities.values()]
    right = np.mean(rates)
    entry = {
        "mean": round(float(right), 4),
        "sd": round(float(np.std(rates, ddof=1)), 4) if len(rates) > 1 else None,
        "low": round(float(right) - 0.03, 4),
        "high": round(float(right) + 0.03, 4),
    }
    return {split: dict.fromkeys(("accuracy", "macro_f1", "mcc"), entry) for split in ("val", "test")}


def commit(root: Path, message: str) -> str:
    """Record the workspace as the stages' results, in DVC and in git; return the commit."""
    dvc(root, "commit", "-q", "--force")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", message)
    return git(root, "rev-parse", "HEAD").strip()


def set_params(root: Path, **values: Any) -> None:
    """Set values of params.yaml; `__` in a keyword means a dot."""
    path = root / "params.yaml"
    lines = [f"{key.replace('__', '.')}={json.dumps(value)}" for key, value in values.items()]
    path.write_text(recipes.override(path.read_text(), lines))


def _write_placeholders(root: Path, *, seeds: Sequence[int]) -> None:
    """Write a small placeholder at every output of dvc.yaml; stages that are off by default have none."""
    stages = YAML(typ="safe").load(root / "dvc.yaml")["stages"]
    for stage in stages.values():
        if (matrix := stage.get("matrix")) is None:
            items = list(stage.get("foreach") or [""])
        else:
            items = seeds if matrix == {"seed": "${seeds}"} else []
        for kind in ("outs", "metrics", "plots"):
            for out in stage.get("do", stage).get(kind, ()):
                for item in items:
                    path, options = (out, {}) if isinstance(out, str) else next(iter(out.items()))
                    where = root / path.replace("${item.seed}", str(item)).replace("${key}", str(item))
                    _write_placeholder(where, columns=[options.get("x", "x"), options.get("y", "y")])


def _write_placeholder(path: Path, *, columns: Sequence[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.parent.name == "timing":
        path.write_text('{"seconds": 12.5, "peak_memory_mb": 800}')
    elif path.suffix == ".json":
        path.write_text("{}")
    elif path.suffix == ".csv":
        names = [name for column in columns for name in ([column] if isinstance(column, str) else column)]
        path.write_text(",".join(names) + "\n" + ",".join("1" for _ in names) + "\n")
    elif path.suffix:
        path.write_text("placeholder\n")
    else:
        path.mkdir(exist_ok=True)
        names = ("tokenizer.json", "tokenizer_config.json", "config.json", "model.safetensors", "source.json")
        for name in names if path.name in ("model", "dataset") else ("content.txt",):
            (path / name).write_text("placeholder\n")
