"""Curves over the rows: MCC per batch, and precision against recall."""

import numpy as np
import pytest
from sklearn.metrics import matthews_corrcoef

from stages.predictions import Predictions
from stages.report.charts.curves import batch_mcc, precision_recall


def test_mcc_per_batch_is_scikit_learns_on_the_rows_of_each_batch() -> None:
    chance = np.random.default_rng(0)
    labels, preds = chance.integers(2, size=80), chance.integers(2, size=80)
    size, scores = batch_mcc(labels, preds, batch_size=32, num_labels=2)
    assert size == 32
    parts = [slice(0, 32), slice(32, 64), slice(64, 80)]
    assert scores == pytest.approx([matthews_corrcoef(labels[part], preds[part]) for part in parts], abs=1e-4)
    many = np.zeros(5000, dtype=np.int64)
    assert len(batch_mcc(many, many, batch_size=32, num_labels=2)[1]) <= 60


def _predictions(labels: np.ndarray, positive: np.ndarray) -> Predictions:
    probabilities = np.stack([1 - positive, positive], axis=1).astype(np.float32)
    return Predictions(np.arange(len(labels)), [], labels, probabilities)


def test_precision_and_recall_start_at_the_highest_threshold() -> None:
    labels, positive = np.array([1, 0, 1, 1, 0]), np.array([0.9, 0.8, 0.8, 0.3, 0.1])
    recall, precision = precision_recall(_predictions(labels, positive))
    assert recall == pytest.approx([1 / 3, 2 / 3, 1, 1], abs=1e-4)
    assert precision == pytest.approx([1, 2 / 3, 3 / 4, 3 / 5], abs=1e-4)


def test_a_long_precision_recall_curve_keeps_its_ends() -> None:
    labels, positive = np.arange(1000) % 2, np.linspace(0, 1, 1000)
    recall, precision = precision_recall(_predictions(labels, positive))
    assert len(recall) == len(precision) == 200
    assert (recall[0], precision[0]) == (0.002, 1)
    assert (recall[-1], precision[-1]) == (1, 0.5)


def test_without_a_row_of_the_second_label_there_is_no_curve() -> None:
    assert precision_recall(_predictions(np.zeros(3, dtype=np.int64), np.array([0.1, 0.2, 0.9]))) == ([], [])
