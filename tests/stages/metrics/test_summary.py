"""Reading the metrics of the report's metrics.json."""

import pytest

from stages.metrics.summary import MetricSummary, parse_summaries


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
