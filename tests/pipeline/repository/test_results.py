"""The metrics of the last run, as other modules read and show them."""

import json
from pathlib import Path

import pytest

from pipeline.repository.results import (
    RunResults,
    format_interval,
    format_metric,
    parse_report,
    read_metrics,
    read_results,
    read_sound_metrics,
    seeds_title,
)
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
    "half a file": "{",
    "empty": "",
    "a list": "[]",
    "a number": "5",
    "nested too deep": "[" * 200_000,
    "nested too deep inside": '{"test": ' + '{"a": ' * 200_000,
    "a split that is a number": '{"test": 1}',
    "a split that is a list": '{"test": {}, "val": [1]}',
    "a champion that is a text": '{"champion": "x"}',
    "a split of the champion that is a list": '{"champion": {"test": [1]}}',
    "collapsed that is a list": '{"collapsed": [1]}',
    "a baseline that is a number": '{"baselines": {"majority": 1}}',
    "a repeated split": '{"test": {}, "test": 1}',
    "an integer of 401 digits": '{"test": {"mcc": {"mean": 1' + "0" * 400 + "}}}",
    "an integer of 5,000 digits": '{"test": {"mcc": {"mean": 1' + "0" * 5000 + "}}}",
    "an integer of 401 digits anywhere": '{"other": [1' + "0" * 400 + "]}",
    "a number that no float holds": '{"test": {"mcc": {"mean": 1e999}}}',
    "NaN": '{"test": {"mcc": {"mean": NaN}}}',
    "infinity": '{"test": {"mcc": {"low": -Infinity}}}',
    "bytes that are not UTF-8": "\xff",
    "a conflict": CONFLICT,
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_file_is_an_error_that_a_run_can_mend(tmp_path: Path, case: str) -> None:
    write(tmp_path, "")
    (Paths(tmp_path).report / "metrics.json").write_bytes(DAMAGED[case].encode("latin-1"))
    problem = "line 2 is a conflict marker of a git merge" if case == "a conflict" else "is damaged"
    with pytest.raises(PipelineError, match=rf"metrics.json {problem}.*: retune run$"):
        read_metrics(tmp_path)
    assert read_sound_metrics(tmp_path) == {}, "what is about to be written again stops no run"


SOUND = {
    "no sections": "{}",
    "sections that are null": '{"test": null, "val": {}, "champion": null}',
    "keys of another version": '{"test": {"mcc": {"mean": 0.5, "note": "x"}, "rows": 5, "names": ["a"]}, "extra": [1]}',
    "a mean that is a text": '{"test": {"mcc": {"mean": "1", "seeds": ["x"]}}, "seeds": [1], "champion": {"seed": 1}}',
    "a lead without numbers": '{"metric": "mcc", "baselines": {"majority": {"mcc": {"low": "x"}}}}',
    "a lead that is a text": '{"metric": "mcc", "baselines": {"majority": {"mcc": "x"}}}',
    "large and small numbers": '{"rows": 123456789012345678, "test": {"mcc": {"mean": 1e-300, "sd": 1e300}}}',
}


@pytest.mark.parametrize("case", SOUND)
def test_what_another_version_wrote_is_read(case: str) -> None:
    report = parse_report(SOUND[case])
    assert report == json.loads(SOUND[case])
    RunResults.parse(report or {})


def test_the_sound_metrics_are_the_metrics(tmp_path: Path) -> None:
    write(tmp_path, json.dumps({"test": {"mcc": {"mean": 0.5}}}))
    assert read_sound_metrics(tmp_path) == read_metrics(tmp_path) != {}


def test_a_metric_is_shown_with_its_interval_where_it_has_one() -> None:
    assert format_metric(MetricSummary(mean=0.81249, low=0.79, high=0.8331)) == "0.812 (0.790 to 0.833)"
    assert format_metric(MetricSummary(mean=0.5)) == "0.500"
    assert format_metric(MetricSummary(mean=0.5, low=0.4)) == "0.500"
    assert format_interval(MetricSummary(mean=0.5)) == ""


def test_the_model_that_ships_and_the_means_are_apart(tmp_path: Path) -> None:
    model, mean = {"value": 0.75, "low": 0.6, "high": 0.9}, {"mean": 0.5, "sd": 0.1, "low": 0.4, "high": 0.6}
    report = {
        "metric": "mcc",
        "seeds": [1, 2],
        "champion": {"seed": 2, "test": {"mcc": model}, "val": {}},
        "test": dict.fromkeys(("accuracy", "mcc", "brier"), mean),
        "val": {},
    }
    write(tmp_path, json.dumps(report))
    results = read_results(tmp_path)
    assert results.model == {"test.mcc": MetricSummary(0.75, None, 0.6, 0.9)}
    assert results.means["test.mcc"] == MetricSummary(0.5, 0.1, 0.4, 0.6)
    assert (results.seed, results.seeds, results.failures) == (2, [1, 2], [])
    assert results.headline == ["test.mcc", "test.accuracy"]


@pytest.mark.parametrize(
    ("params", "advised"),
    [("finetune: {class_weights: balanced}", False), ("finetune: {class_weights: none}", True), ("[", True)],
)
def test_class_weights_are_advised_where_params_yaml_has_none(tmp_path: Path, params: str, advised: bool) -> None:
    write(tmp_path, json.dumps({"champion": {"seed": 1}, "collapsed": {"1": "ham"}}))
    (tmp_path / "params.yaml").write_text(params)
    (failure,) = read_results(tmp_path).failures
    assert ("finetune.class_weights" in failure) is advised


@pytest.mark.parametrize(
    "report", [{}, {"champion": None}, {"champion": {"seed": 3}}, {"seeds": 3}, {"baselines": {}, "metric": "mcc"}]
)
def test_a_file_of_another_version_has_no_model(report: dict[str, object]) -> None:
    results = RunResults.parse(report)
    assert (results.model, results.seeds, results.failures, results.headline) == ({}, [], [], [])


def test_a_mean_is_called_by_its_seeds() -> None:
    assert [seeds_title(seeds) for seeds in ([42], [1, 2], [])] == [
        "seed 42",
        "mean over 2 seeds",
        "mean over the seeds",
    ]
