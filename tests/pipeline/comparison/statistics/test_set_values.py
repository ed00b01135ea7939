"""Values of rows for metrics of label sets: their mean is the metric, their spread its derivative."""

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, f1_score

from pipeline.comparison.statistics.differences import compare_values
from pipeline.comparison.statistics.set_values import SetSide, precision_values, set_metric_values
from stages.metrics.label_sets import score_sets, set_features, set_losses

STEP = 1e-5
METRICS = ("micro_f1", "macro_f1", "micro_precision", "micro_recall", "sample_f1", "subset_accuracy", "hamming_loss")


def draw(rows: int = 40, seeds: int = 1, seed: int = 0) -> tuple[NDArray[np.bool_], SetSide]:
    generator = np.random.default_rng(seed)
    labels = np.random.default_rng(9).random((rows, 4)) < np.array([0.5, 0.3, 0.2, 0.1])
    probabilities = np.clip(0.6 * labels + 0.5 * generator.random((seeds, rows, 4)), 0.01, 0.99).astype(np.float32)
    return labels, SetSide(probabilities > 0.55, list(probabilities), list(probabilities))


@pytest.mark.parametrize("metric", METRICS)
def test_a_rows_value_is_the_derivative_by_its_weight(metric: str) -> None:
    labels, side = draw()
    values = {found.name: found.base[0] for found in set_metric_values(labels, side, side)}[metric]
    features, rows = set_features(labels, side.preds[0]), len(labels)
    more, less = (score_sets(features.sum(0) + sign * STEP * features, num_labels=4)[metric] for sign in (1, -1))
    slopes = rows * (more - less) / (2 * STEP)
    assert values - values.mean() == pytest.approx(slopes - slopes.mean(), abs=1e-5)


def test_the_means_are_the_metrics_of_each_seed() -> None:
    labels, base = draw(seeds=2)
    _, head = draw(seeds=3, seed=1)
    found = {values.name: values for values in set_metric_values(labels, base, head)}
    assert list(found)[:2] == ["micro_f1", "macro_f1"]
    for side, name in ((base, "base"), (head, "head")):
        for seed, preds in enumerate(side.preds):
            for average in ("micro", "macro"):
                mean = getattr(found[f"{average}_f1"], name)[seed].mean()
                assert mean == pytest.approx(f1_score(labels, preds, average=average))
            mean = getattr(found["average_precision"], name)[seed].mean()
            assert mean == pytest.approx(average_precision_score(labels, side.probabilities[seed], average="macro"))
            losses = set_losses(labels, side.probabilities[seed])
            assert getattr(found["calibrated_log_loss"], name)[seed].mean() == pytest.approx(losses["log_loss"].mean())


NO_LABEL, EACH = np.zeros((6, 3), dtype=bool), np.ones((6, 3), dtype=bool)


@pytest.mark.parametrize(
    ("labels", "base", "head"),
    [(NO_LABEL, NO_LABEL, NO_LABEL), (NO_LABEL, NO_LABEL, EACH), (EACH, EACH, NO_LABEL), (EACH, EACH, EACH)],
)
def test_the_ends_of_the_range_have_finite_intervals_of_some_width(
    labels: NDArray[np.bool_], base: NDArray[np.bool_], head: NDArray[np.bool_]
) -> None:
    sides = [SetSide(preds[None], [np.where(preds, 0.9, 0.1).astype(np.float32)]) for preds in (base, head)]
    for values in set_metric_values(labels, *sides):
        assert np.isfinite([values.base, values.head]).all(), values.name
        low, high = compare_values(values.base, values.head, (values.unseen, values.unseen_rows)).interval(0.95)
        assert low < high, values.name
        assert low <= values.head.mean() - values.base.mean() <= high, values.name


def test_without_temperatures_there_are_no_calibrated_metrics() -> None:
    labels, side = draw()
    bare = SetSide(side.preds, side.probabilities)
    names = {values.name for values in set_metric_values(labels, bare, side)}
    assert not any(name.startswith("calibrated") for name in names)
    assert {"log_loss", "brier"} <= names


def test_the_average_precision_of_no_label_is_0() -> None:
    assert precision_values(NO_LABEL, np.full((6, 3), 0.5, dtype=np.float32)).tolist() == [0.0] * 6
