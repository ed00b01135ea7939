"""Metrics of label sets against scikit-learn, and their intervals against simulated test sets."""

import numpy as np
import pytest
from sklearn import metrics as sk

from stages.metrics.bootstrap import Bootstrap
from stages.metrics.label_set_intervals import SetModel, measure_labels, measure_sets
from stages.metrics.label_sets import label_confusions, score_label, score_sets, set_features, set_losses

BOOTSTRAP = Bootstrap(resamples=100, confidence=0.95, seed=0)


def draw_rows(rows: int, *, seed: int, num_labels: int = 4) -> tuple[np.ndarray, SetModel]:
    """Label sets, many of them empty, and the answers of a calibrated model."""
    chance = np.random.default_rng(seed)
    chances = 1 / (1 + np.exp(-2 * chance.normal(size=(rows, num_labels)) + np.linspace(0, 3, num_labels)))
    labels = chance.random(chances.shape) < chances
    probabilities = chances.astype(np.float32)
    return labels, SetModel(probabilities, probabilities, probabilities >= 0.5)


def scores_of(labels: np.ndarray, preds: np.ndarray) -> dict[str, float]:
    sums = set_features(labels, preds).sum(0)
    return {name: float(value) for name, value in score_sets(sums, num_labels=labels.shape[1]).items()}


@pytest.mark.parametrize("seed", range(5))
def test_metrics_are_those_of_scikit_learn(seed: int) -> None:
    labels, model = draw_rows(60, seed=seed)
    of_sk = {"zero_division": np.nan}
    assert scores_of(labels, model.preds) == pytest.approx(
        {
            "micro_f1": sk.f1_score(labels, model.preds, average="micro"),
            "macro_f1": sk.f1_score(labels, model.preds, average="macro", **of_sk),
            "micro_precision": sk.precision_score(labels, model.preds, average="micro"),
            "micro_recall": sk.recall_score(labels, model.preds, average="micro"),
            "sample_f1": sk.f1_score(labels, model.preds, average="samples", zero_division=1),
            "subset_accuracy": sk.accuracy_score(labels, model.preds),
            "hamming_loss": sk.hamming_loss(labels, model.preds),
        }
    )
    measured = measure_sets(labels, [model], groups=None, bootstrap=BOOTSTRAP)
    assert measured["average_precision"].value == pytest.approx(
        sk.average_precision_score(labels, model.probabilities, average="macro")
    )
    losses = [sk.log_loss(labels[:, label], model.probabilities[:, label].astype(np.float64)) for label in range(4)]
    assert measured["log_loss"].value == pytest.approx(np.mean(losses), rel=1e-5)
    assert set_losses(labels, model.probabilities)["brier"].mean() == pytest.approx(
        sk.mean_squared_error(labels, model.probabilities), rel=1e-5
    )
    assert (
        label_confusions(labels, model.preds).tolist() == sk.multilabel_confusion_matrix(labels, model.preds).tolist()
    )


@pytest.mark.parametrize("seed", range(3))
def test_metrics_of_a_label_are_those_of_scikit_learn(seed: int) -> None:
    labels, model = draw_rows(60, seed=seed)
    for label, measured in enumerate(measure_labels(labels, [model], groups=None, bootstrap=BOOTSTRAP)):
        own, preds = labels[:, label], model.preds[:, label]
        expected = {
            "f1": sk.f1_score(own, preds),
            "precision": sk.precision_score(own, preds, zero_division=0),
            "recall": sk.recall_score(own, preds),
            "average_precision": sk.average_precision_score(own, model.probabilities[:, label]),
        }
        assert {name: estimate.value for name, estimate in measured.items()} == pytest.approx(expected)


def test_a_worked_example() -> None:
    labels = np.array([[1, 1, 0], [0, 0, 0], [0, 1, 0], [0, 0, 0]], dtype=bool)
    preds = np.array([[1, 0, 0], [0, 0, 0], [0, 1, 1], [1, 0, 0]], dtype=bool)
    scores = scores_of(labels, preds)
    assert scores["micro_f1"] == pytest.approx(2 * 2 / (3 + 4))
    assert scores["macro_f1"] == pytest.approx((2 / 3 + 2 / 3 + 0) / 3)
    assert scores["sample_f1"] == pytest.approx((2 / 3 + 1 + 2 / 3 + 0) / 4)  # the second row: none is right
    assert scores["subset_accuracy"] == 1 / 4
    assert scores["hamming_loss"] == pytest.approx(3 / 12)


def test_a_label_that_nothing_has_is_left_out_of_the_macro_average() -> None:
    labels = np.array([[1, 0], [0, 0]], dtype=bool)
    assert scores_of(labels, labels)["macro_f1"] == 1
    assert score_label(set_features(labels, labels).sum(0), 1, num_labels=2)["f1"] == 0


def test_several_models_are_averaged() -> None:
    labels, first = draw_rows(80, seed=1)
    second = SetModel(first.probabilities[::-1], first.calibrated[::-1], first.preds[::-1])
    both, *single = (
        measure_sets(labels, models, groups=None, bootstrap=BOOTSTRAP)
        for models in ([first, second], [first], [second])
    )
    for name, estimate in both.items():
        assert estimate.value == pytest.approx(np.mean([one[name].value for one in single]))


def test_rows_of_one_group_are_worth_less() -> None:
    labels, model = draw_rows(50, seed=2)
    repeated = SetModel(*(np.tile(values, (4, 1)) for values in (model.probabilities, model.calibrated, model.preds)))
    of_rows = measure_sets(labels, [model], groups=None, bootstrap=BOOTSTRAP)
    of_groups = measure_sets(np.tile(labels, (4, 1)), [repeated], groups=np.tile(np.arange(50), 4), bootstrap=BOOTSTRAP)
    for name in ("micro_f1", "macro_f1", "subset_accuracy", "average_precision"):
        widths = [estimate.high - estimate.low for estimate in (of_rows[name], of_groups[name])]
        assert widths[1] == pytest.approx(widths[0], rel=0.15)


@pytest.mark.parametrize("of", [0.0, 1.0])
def test_intervals_lie_within_the_range_and_have_a_width(of: float) -> None:
    labels, model = draw_rows(20, seed=3)
    probabilities = np.clip(np.where(labels, of, 1 - of), 0.02, 0.98).astype(np.float32)  # all right, or all wrong
    extreme = SetModel(probabilities, probabilities, probabilities >= 0.5)
    for name, estimate in measure_sets(labels, [extreme], groups=None, bootstrap=BOOTSTRAP).items():
        assert 0 <= estimate.low <= estimate.value <= estimate.high, name
        assert estimate.high > estimate.low, name
        if not name.endswith("loss"):
            assert estimate.high <= 1, name
    assert model.preds.shape == labels.shape


def test_the_interval_contains_the_truth_about_as_often_as_it_says() -> None:
    labels, model = draw_rows(200_000, seed=4)
    truth = {
        name: value.value for name, value in measure_sets(labels, [model], groups=None, bootstrap=BOOTSTRAP).items()
    }
    names = ("micro_f1", "macro_f1", "sample_f1", "subset_accuracy", "hamming_loss", "average_precision")
    inside = dict.fromkeys(names, 0)
    for seed in range(150):
        own, answers = draw_rows(60, seed=100 + seed)
        measured = measure_sets(own, [answers], groups=None, bootstrap=BOOTSTRAP)
        for name in names:
            inside[name] += measured[name].low <= truth[name] <= measured[name].high
    assert all(0.89 <= count / 150 <= 0.995 for count in inside.values()), inside
