"""The metrics of the last run, as other modules read and show them."""

import json
from pathlib import Path

import pytest

from pipeline.repository.results import format_interval, format_metric, parse_report, read_metrics
from stages.errors import PipelineError
from stages.metrics.summary import MetricSummary, parse_summaries
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


DAMAGED = {
    "half a file": "{",
    "empty": "",
    "a list": "[]",
    "a number": "5",
    "nested too deep": "[" * 200_000,
    "nested too deep inside": '{"test": ' + '{"a": ' * 200_000,
    "a split that is a number": '{"test": 1}',
    "a split that is a list": '{"test": {}, "val": [1]}',
    "a champion that is a text": '{"champion": "x"}',
    "a repeated split": '{"test": {}, "test": 1}',
    "an integer of 401 digits": '{"test": {"mcc": {"mean": 1' + "0" * 400 + "}}}",
    "an integer of 5,000 digits": '{"test": {"mcc": {"mean": 1' + "0" * 5000 + "}}}",
    "an integer of 401 digits anywhere": '{"other": [1' + "0" * 400 + "]}",
    "a number that no float holds": '{"test": {"mcc": {"mean": 1e999}}}',
    "NaN": '{"test": {"mcc": {"mean": NaN}}}',
    "infinity": '{"test": {"mcc": {"low": -Infinity}}}',
    "bytes that are not UTF-8": "\xff",
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_file_is_an_error(tmp_path: Path, case: str) -> None:
    path = Paths(tmp_path).report / "metrics.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(DAMAGED[case].encode("latin-1"))
    with pytest.raises(PipelineError, match=r"metrics.json is damaged. Write it again: retune run$"):
        read_metrics(tmp_path)


SOUND = {
    "no sections": "{}",
    "sections that are null": '{"test": null, "val": {}, "champion": null}',
    "keys of another version": '{"test": {"mcc": {"mean": 0.5, "note": "x"}, "rows": 5, "names": ["a"]}, "extra": [1]}',
    "a mean that is a text": '{"test": {"mcc": {"mean": "0.5"}}}',
    "large and small numbers": '{"rows": 123456789012345678, "test": {"mcc": {"mean": 1e-300, "sd": 1e300}}}',
}


@pytest.mark.parametrize("case", SOUND)
def test_what_another_version_wrote_is_read(case: str) -> None:
    assert parse_report(SOUND[case], name="metrics.json") == json.loads(SOUND[case])
    parse_summaries(parse_report(SOUND[case], name="metrics.json"))


def test_a_metric_is_shown_with_its_interval_where_it_has_one() -> None:
    assert format_metric(MetricSummary(mean=0.81249, low=0.79, high=0.8331)) == "0.812 (0.790 to 0.833)"
    assert format_metric(MetricSummary(mean=0.5)) == "0.500"
    assert format_metric(MetricSummary(mean=0.5, low=0.4)) == "0.500"
    assert format_interval(MetricSummary(mean=0.5)) == ""
