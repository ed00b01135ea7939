"""Reading the metrics of the report's metrics.json."""

import pytest

from stages.metrics.summary import MetricSummary, parse_champion, parse_summaries


def test_every_metric_is_read_by_its_full_name_test_first() -> None:
    report = {
        "champion": {"seed": 1, "test": {"mcc": {"value": 0.1}}},
        "val": {"mcc": {"mean": 0.5, "sd": 0.1, "low": 0.4, "high": 0.6}},
        "test": {"mcc": {"mean": 1, "sd": None, "low": 0.9, "high": 1.0}, "accuracy": {"mean": 0.25}},
    }
    summaries = parse_summaries(report)
    assert list(summaries) == ["test.mcc", "test.accuracy", "val.mcc"]
    assert summaries["test.mcc"] == MetricSummary(mean=1.0, sd=None, low=0.9, high=1.0)
    assert summaries["test.accuracy"] == MetricSummary(mean=0.25, sd=None, low=None, high=None)
    assert summaries["val.mcc"] == MetricSummary(mean=0.5, sd=0.1, low=0.4, high=0.6)


def test_the_deviation_of_the_headline_is_that_of_its_seeds() -> None:
    def of(seeds: object) -> float | None:
        return parse_summaries({"test": {"mcc": {"mean": 0.5, "seeds": seeds}}})["test.mcc"].sd

    assert of([0.4, 0.5, 0.6]) == pytest.approx(0.1)
    assert [of(seeds) for seeds in ([0.5], [], None, "ab", [0.5, "b"])] == [None] * 5


def test_what_is_not_a_metric_is_skipped() -> None:
    assert parse_summaries({"test": {"per_class": {"ham": {}}, "note": "text", "bad": {"mean": "high"}}}) == {}
    assert parse_summaries({"test": None}) == {}
    assert parse_summaries({}) == {}


def test_the_model_that_ships_is_read_from_either_file() -> None:
    entry = {"mean": 0.5, "low": 0.1, "high": 0.9, "seeds": [0.4, 0.6]}
    headline = {"test": {"mcc": entry}, "val": {}, "seeds": [41, 42], "champion": {"seed": 42, "mcc": 0.6}}
    assert parse_champion(headline) == {"test.mcc": MetricSummary(0.6)}
    full = {"champion": {"seed": 42, "test": {"mcc": {"value": 0.6, "low": 0.2, "high": 0.8}}}, "seeds": [41, 42]}
    assert parse_champion(full) == {"test.mcc": MetricSummary(0.6, None, 0.2, 0.8)}
    for older in ({}, {"champion": {"seed": 7}}, headline | {"seeds": [1, 2]}, {"test": {"mcc": entry}}):
        assert parse_champion(older) == {}
