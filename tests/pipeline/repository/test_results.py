"""The metrics of the last run, as other modules read and show them."""

import json
from pathlib import Path

import pytest

from pipeline.repository.results import format_interval, format_metric, read_metrics, read_sound_metrics
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


CONFLICT = '{\n<<<<<<< HEAD\n  "test": {}\n=======\n  "test": {"a": 1}\n>>>>>>> other\n}\n'
DAMAGED = {
    "{": "is damaged",
    "": "is damaged",
    "[]": "is damaged",
    "5": "is damaged",
    '{"test": [1]}': "is damaged",
    "\xff": "is damaged",
    CONFLICT: "line 2 is a conflict marker of a git merge",
}


@pytest.mark.parametrize("text", DAMAGED, ids=repr)
def test_a_damaged_file_is_an_error_that_a_run_can_mend(tmp_path: Path, text: str) -> None:
    write(tmp_path, "")
    (Paths(tmp_path).report / "metrics.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(PipelineError, match=rf"metrics.json {DAMAGED[text]}.*: retune run$"):
        read_metrics(tmp_path)
    assert read_sound_metrics(tmp_path) == {}, "what is about to be written again stops no run"


def test_the_sound_metrics_are_the_metrics(tmp_path: Path) -> None:
    write(tmp_path, json.dumps({"test": {"mcc": {"mean": 0.5}}}))
    assert read_sound_metrics(tmp_path) == read_metrics(tmp_path) != {}


def test_a_metric_is_shown_with_its_interval_where_it_has_one() -> None:
    assert format_metric(MetricSummary(mean=0.81249, low=0.79, high=0.8331)) == "0.812 (0.790 to 0.833)"
    assert format_metric(MetricSummary(mean=0.5)) == "0.500"
    assert format_metric(MetricSummary(mean=0.5, low=0.4)) == "0.500"
    assert format_interval(MetricSummary(mean=0.5)) == ""
