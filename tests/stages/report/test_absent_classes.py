"""A given val or test that lacks classes, or is one row, is measured and reported; so is a class that train lacks."""

import json
from collections.abc import Callable

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stages.paths import Paths
from stages.tokens import open_tokens
from tests.stages.report.reporting import make_report

LABELS = ("a", "b", "c")


@pytest.fixture(scope="module")
def rows(make_project: Callable[..., Paths]) -> Paths:
    return make_project(labels=LABELS, rows=60, seeds=(1,))


@pytest.mark.parametrize(
    ("train", "val", "test"),
    [
        ("abc", "abc", "ab"),
        ("abc", "ab", "abc"),
        ("abc", "abc", "b"),
        ("abc", "b", "abc"),
        ("abc", "abc", "a1"),
        ("abc", "a1", "b1"),
        ("ab", "abc", "ab"),
        ("ab", "ab", "abc"),
        ("ab", "ab", "c"),
    ],
)
def test_it_is_measured_as_it_is(rows: Paths, train: str, val: str, test: str) -> None:
    labels = open_tokens(rows.tokens).labels
    stats = json.loads(rows.split_stats.read_text())
    thirds = np.arange(len(labels)) // len(LABELS) % 3
    for number, (name, wanted) in enumerate({"train": train, "val": val, "test": test}.items()):
        classes = [LABELS.index(label) for label in wanted.strip("1")]
        positions = np.flatnonzero((thirds == number) & np.isin(labels, classes))[: 1 if "1" in wanted else None]
        pq.write_table(pa.table({"position": positions}), rows.split(name))
        counts = np.bincount(labels[positions], minlength=3).tolist()
        stats[name] = {"rows": len(positions), "labels": dict(zip(LABELS, counts, strict=True))}
    rows.split_stats.write_text(json.dumps(stats))
    make_report(rows)
    metrics = json.loads((rows.report / "metrics.json").read_text())
    for split in ("val", "test"):
        for name, entry in metrics[split].items():
            assert np.isfinite([entry["mean"], entry["low"], entry["high"]]).all(), (split, name)
            assert entry["low"] <= entry["mean"] <= entry["high"], (split, name)
            assert f"{entry['low']:.3f}" != f"{entry['high']:.3f}", (split, name)
    for scores in metrics["baselines"].values():
        assert all(f"{lead['low']:.3f}" != f"{lead['high']:.3f}" for lead in scores.values())
    assert {label: score["support"] for label, score in metrics["per_class"].items()} == stats["test"]["labels"]
    confusion = pd.read_csv(rows.evaluation(1) / "confusion.csv")
    assert set(confusion["label"]) == {label for label, count in stats["test"]["labels"].items() if count}
    assert len(pd.read_csv(rows.evaluation(1) / "calibration.csv"))
    for name in ("report.html", "report.md"):
        assert "nan" not in (rows.report / name).read_text().lower().split()
    markdown = (rows.report / "report.md").read_text()
    only = {split: of.strip("1") for split, of in (("val", val), ("test", test)) if len(of.strip("1")) == 1}
    assert metrics["one_class"] == only
    collapsed = "The model always predicts" in markdown  # the worse failure, said in place of this one
    assert ("All rows of test have the label" in markdown) == ("test" in only and not collapsed)
    assert "test" not in only or "no better than always" not in markdown
    for name in ("MCC", "Cohen's kappa", "AUROC", "Average precision"):
        shown = next(line for line in markdown.splitlines() if line.startswith(f"| {name} |")).split("|")
        for split, value in (("test", shown[2]), ("val", shown[4])):
            assert (value.strip() == "–") == (split in only), (name, split)
