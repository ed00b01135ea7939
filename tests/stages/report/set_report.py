"""What the files of a report of label sets must say."""

import json
from collections.abc import Sequence
from pathlib import Path


def read(folder: Path, name: str) -> str:
    return (folder / name).read_text(encoding="utf-8")


def check_report(folder: Path, labels: Sequence[str]) -> None:
    """Check that every file of a report is there and says what sets need."""
    page, text, card = read(folder, "report.html"), read(folder, "report.md"), read(folder, "model/README.md")
    metrics = json.loads(read(folder, "metrics.json"))
    sections = ("metrics", "baselines", "curve", "labels", "calibration", "slices", "mistakes", "suspects", "data")
    for anchor in sections:
        assert f'<section id="{anchor}">' in page
        assert f'href="#{anchor}"' in page
    for document in (page, text, card):
        for name in ("Micro F1", "Macro F1", "Sample F1", "Subset accuracy", "Hamming loss", "Average precision"):
            assert name in document
        for label in labels:
            assert label in document
    assert "TF-IDF + logistic regression" in page
    assert "Most frequent set" in text
    assert "multi-label-classification" in card
    assert set(metrics["per_label"]) == set(labels) == set(metrics["champion"]["thresholds"])
    assert list(json.loads(read(folder, "headline.json"))["test"]) == [
        *("micro_f1", "macro_f1", "sample_f1", "subset_accuracy"),
    ]
    assert {"temperature", "thresholds", "max_length", "truncation"} <= set(
        json.loads(read(folder, "model/calibration.json"))
    )
