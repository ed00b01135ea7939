"""The metrics of the last run, as other modules read and show them."""

import json
from pathlib import Path

import pytest

from pipeline.repository.results import format_interval, format_metric, read_metrics
from stages.errors import PipelineError
from stages.metrics.summary import MetricSummary
from stages.paths import Paths


def write(root: Path, text: str) -> None:
    path = Paths(root).report / "metrics.json"
    path.parent.mkdir(parents=True)
    path.write_text(text)


def test_metrics_are_read_by_their_full_name(tmp_path: Path) -> None:
    entry = {"mean": 0.8, "sd": None, "low": 0.7, "high": 0.9}
    write(tmp_path, json.dumps({"champion": {"seed": 1}, "test": {"macro_f1": entry}, "val": {}}))
    assert read_metrics(tmp_path) == {"test.macro_f1": MetricSummary(mean=0.8, low=0.7, high=0.9)}


def test_there_are_none_before_the_first_run(tmp_path: Path) -> None:
    assert read_metrics(tmp_path) == {}


def test_a_damaged_file_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, "{")
    with pytest.raises(PipelineError, match=r"metrics.json is damaged. Write it again: retune run report"):
        read_metrics(tmp_path)


def test_a_metric_is_shown_with_its_interval_where_it_has_one() -> None:
    assert format_metric(MetricSummary(mean=0.81249, low=0.79, high=0.8331)) == "0.812 (0.790 to 0.833)"
    assert format_metric(MetricSummary(mean=0.5)) == "0.500"
    assert format_metric(MetricSummary(mean=0.5, low=0.4)) == "0.500"
    assert format_interval(MetricSummary(mean=0.5)) == ""
