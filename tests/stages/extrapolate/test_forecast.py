"""The interval of what more labels would bring contains it, is wider with less to go by, and has the metric's sign."""

import numpy as np
import pytest
from numpy.typing import NDArray

from stages.extrapolate.curve import curve_sizes
from stages.extrapolate.forecast import Curve, fit_curve, forecast_json, round_number
from stages.extrapolate.heads import HEADS

SIZES = curve_sizes(800)


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stages.extrapolate.forecast.RESAMPLES", 200)


def simulated(seed: int, *, rows: int = 400, draws: int = 10, groups: NDArray[np.int64] | None = None) -> Curve:
    """The curve of a model whose accuracy is 0.9 - n^-0.5 on average, with rows that are harder than others."""
    random = np.random.default_rng(seed)
    hardness = random.random(rows) if groups is None else random.random(groups.max() + 1)[groups]
    labels = np.arange(rows) % 2
    shares = 0.9 - SIZES**-0.5 + random.normal(0, 0.1, (draws, 1)) * SIZES**-0.5
    shares[:, -1] = shares[0, -1]
    right = hardness < shares[..., None]
    answers = np.where(right, labels, 1 - labels)
    return fit_curve(HEADS["classes"].score, labels, answers, metric="accuracy", sizes=SIZES, groups=groups, seed=seed)


def test_the_interval_contains_the_truth_about_as_often_as_it_says() -> None:
    truth = 800**-0.5 - 1600**-0.5
    gains = [simulated(seed).gain(800, confidence=0.9) for seed in range(40)]
    inside = np.mean([gain.low <= truth <= gain.high for gain in gains])
    assert inside >= 0.8
    assert np.mean([gain.change for gain in gains]) == pytest.approx(truth, abs=0.003)
    assert np.mean([gain.high - gain.low for gain in gains]) < 0.05


def test_less_to_go_by_is_a_wider_interval() -> None:
    def width(curve: Curve, confidence: float = 0.9) -> float:
        gain = curve.gain(800, confidence=confidence)
        return gain.high - gain.low

    groups = np.arange(1_000) // 20
    full = np.median([width(simulated(seed, rows=1_000)) for seed in range(5)])
    assert full < np.median([width(simulated(seed, rows=100)) for seed in range(5)])
    assert full < np.median([width(simulated(seed, rows=1_000, groups=groups)) for seed in range(5)])
    assert full < np.median([width(simulated(seed, rows=1_000), 0.99) for seed in range(5)])


def test_an_error_falls() -> None:
    random = np.random.default_rng(0)
    labels = random.normal(size=300)
    noise = random.normal(size=(10, 1, 300)) * 2 * SIZES[None, :, None] ** -0.4 + 0.1
    noise[:, -1] = noise[0, -1]
    score = HEADS["number"].score
    curve = fit_curve(score, labels, labels + noise, metric="mean_absolute_error", sizes=SIZES, groups=None, seed=0)
    gain = curve.gain(1_600, confidence=0.8)
    assert gain.low < gain.change < 0
    assert curve.at(2_400) < curve.at(800)
    assert curve.at(800) == pytest.approx(curve.values[-1], abs=0.02)


SHAPES = {
    "a power law": (lambda rows: 2 * rows**-0.4, None),
    "no change": (lambda rows: 0.5 + 0 * rows, None),
    "worse all the way": (lambda rows: 0.2 * rows**0.4, "worse"),
    "worse in the end": (lambda rows: 2 * rows**-0.4 + (rows / 400) ** 3, "worse"),
    "a leap in the end": (lambda rows: np.where(rows < 800, 1.5, 0.5), "beside"),
}


@pytest.mark.parametrize("metric", ["r2", "mean_absolute_error", "root_mean_squared_error"])
@pytest.mark.parametrize("shape", SHAPES)
def test_points_that_no_power_law_describes_are_named(shape: str, metric: str) -> None:
    of_rows, expected = SHAPES[shape]
    found = []
    for seed in range(20):
        random = np.random.default_rng(seed)
        labels = random.normal(size=300)
        shared, own = random.normal(size=(1, 1, 300)), random.normal(size=(10, 8, 300))
        errors = (0.8 * shared + 0.6 * own) * of_rows(SIZES.astype(np.float64))[None, :, None]
        errors[:, -1] = errors[0, -1]
        score = HEADS["number"].score
        curve = fit_curve(score, labels, labels + errors, metric=metric, sizes=SIZES, groups=None, seed=0)
        found.append(curve.contradiction(confidence=0.95))
    assert found.count(expected) >= 18


@pytest.mark.parametrize("metric", ["r2", "mean_absolute_error", "root_mean_squared_error"])
@pytest.mark.parametrize("far", [0.0, 1e4], ids=["plain", "a row far from all others"])
def test_there_is_no_forecast_where_the_metric_could_become_anything(metric: str, far: float) -> None:
    random = np.random.default_rng(0)
    labels = random.normal(size=60)
    noise = random.normal(size=(10, 8, 60)) * SIZES[None, :, None] ** -0.2
    noise[..., 0] += far * random.normal(size=(10, 8)) * SIZES**-0.5
    noise[:, -1] = noise[0, -1]
    score = HEADS["number"].score
    curve = fit_curve(score, labels, labels + noise, metric=metric, sizes=SIZES, groups=None, seed=0)
    gains = curve.gains(confidence=0.95)
    assert [gain.known for gain in gains] == [far == 0] * len(gains)


def test_the_interval_ends_where_the_metric_does() -> None:
    """All rows right in the end, and draws that vary: what chance adds would lead beyond 1."""
    random = np.random.default_rng(0)
    labels = np.arange(40) % 2
    right = random.random((10, 8, 40)) < random.uniform(0.7, 1, (10, 8, 1))
    right[:, -1] = True
    answers = np.where(right, labels, 1 - labels)
    score = HEADS["classes"].score
    curve = fit_curve(score, labels, answers, metric="accuracy", sizes=SIZES, groups=None, seed=0)
    gain = curve.gain(1_600, confidence=0.9)
    assert gain.low <= gain.change <= gain.high <= 1 - np.quantile(curve.resampled.at(800), 0.05) + 1e-12
    assert gain.known


def test_the_file_has_every_number_once_and_the_same_each_time() -> None:
    content = forecast_json(simulated(1), measured=400, confidence=0.95)
    assert content == forecast_json(simulated(1), measured=400, confidence=0.95)
    assert (content["metric"], content["rows"], content["measured_rows"], content["confidence"]) == (
        "accuracy",
        800,
        400,
        0.95,
    )
    assert [gain["rows"] for gain in content["gains"]] == [200, 500, 1_000, 2_000]
    assert [point["rows"] for point in content["points"]] == SIZES.tolist()
    assert content["points"][-1] == {"rows": 800, "value": content["value"], "sd": 0.0}
    assert (content["law"][0]["rows"], content["law"][-1]["rows"]) == (SIZES[0], 2_800)
    for gain in content["gains"]:
        assert gain["low"] <= gain["change"] <= gain["high"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.2, 1),
        (1, 1),
        (1.3, 1),
        (3, 2),
        (3.5, 5),
        (368, 500),
        (700, 500),
        (736, 1_000),
        (800, 1_000),
        (2_229, 2_000),
        (7_200, 10_000),
    ],
)
def test_numbers_are_rounded_to_1_2_and_5(value: float, expected: int) -> None:
    assert round_number(value) == expected
