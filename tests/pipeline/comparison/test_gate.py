"""Rules that a change must meet."""

import re
from dataclasses import replace

import pytest

from pipeline.comparison.gate import OPERATORS, Gate, check_rules, read_gate
from pipeline.comparison.metric_row import MetricRow
from stages.errors import PipelineError
from stages.metrics.summary import MetricSummary

WHAT = "the champion (seed 42)"
HEAD = {
    "test.mcc": MetricSummary(mean=0.6, low=0.5, high=0.7),
    "test.macro_f1": MetricSummary(mean=0.8),
    "val.accuracy": MetricSummary(mean=0.9),
}


def test_the_gate_of_params_and_of_the_command_line() -> None:
    params = {"report": {"gate": {"fail_on": "worse", "require": ["test.mcc > 0.1"], "max_drop": {"test.mcc": 0.1}}}}
    assert read_gate(params) == Gate("worse", ["test.mcc > 0.1"], {"test.mcc": 0.1})
    more = read_gate(params, fail_on="none", require=["val.mcc > 0"], max_drop=["test.mcc=0.2", "val.mcc = 0"])
    assert more == Gate("none", ["test.mcc > 0.1", "val.mcc > 0"], {"test.mcc": 0.2, "val.mcc": 0.0})
    assert read_gate({}) == Gate("none", [], {})  # a revision from before there were gates


@pytest.mark.parametrize(
    ("gate", "place"),
    [
        (None, "report.gate"),
        (5, "report.gate"),
        ([], "report.gate"),
        ({"requires": ["test.mcc > 0"]}, "report.gate.requires"),
        ({"fail_on": "Worse"}, "report.gate.fail_on"),
        ({"fail_on": None}, "report.gate.fail_on"),
        ({"require": "test.mcc > 0"}, "report.gate.require"),
        ({"require": [5]}, "report.gate.require.0"),
        ({"require": ["test.mcc >= 0.8.0"]}, "report.gate.require.0"),
        ({"require": ["test.mcc >= ."]}, "report.gate.require.0"),
        ({"max_drop": ["test.mcc"]}, "report.gate.max_drop"),
        ({"max_drop": {"test.mcc": "a"}}, "report.gate.max_drop.test.mcc"),
        ({"max_drop": {"test.mcc": -1}}, "report.gate.max_drop.test.mcc"),
    ],
)
def test_a_typo_in_the_gate_of_a_commit_does_not_switch_it_off(gate: object, place: str) -> None:
    with pytest.raises(PipelineError, match=rf"^{re.escape(place)} of head's params.yaml is invalid \("):
        read_gate({"report": {"gate": gate, "of_an_older_schema": 1}})


@pytest.mark.parametrize("number", ["0.8", "-.5", "1", "1.", "1e-3", "2.5E+1"])
def test_a_bound_is_a_number_for_the_params_and_for_the_command(number: str) -> None:
    gate = read_gate({"report": {"gate": {"require": [f"test.mcc > {number}"]}}}, require=[f"test.mcc > {number}"])
    results = check_rules(gate, "better", [], HEAD, what=WHAT)
    assert [result.passed for result in results] == [float(number) < 0.6] * 2


@pytest.mark.parametrize("number", ["0.8.0", ".", "e3", "", "1e", "--1", "٣"])
def test_another_bound_is_refused_in_one_line(number: str) -> None:
    with pytest.raises(PipelineError, match="is invalid. Write it like this"):
        check_rules(Gate(require=[f"test.mcc > {number}"]), "better", [], HEAD, what=WHAT)


@pytest.mark.parametrize(
    ("rule", "passed", "why"),
    [
        ("test.mcc >= 0.6", True, "test.mcc of the champion (seed 42) is 0.6"),
        ("test.mcc > 0.6", False, "test.mcc of the champion (seed 42) is 0.6"),
        ("test.mcc <= 0.6", True, "test.mcc of the champion (seed 42) is 0.6"),
        ("test.mcc < 0.6", False, "test.mcc of the champion (seed 42) is 0.6"),
        ("test.mcc.low >= 0.55", False, "test.mcc.low of the champion (seed 42) is 0.5"),
        (" test.mcc.high<=7e-1 ", True, "test.mcc.high of the champion (seed 42) is 0.7"),
        ("test.mcc > -0.5", True, "test.mcc of the champion (seed 42) is 0.6"),
        ("val.accuracy >= 0.5", True, "val.accuracy of the champion (seed 42) is 0.9"),
        ("val.accuracy.low >= 0.5", False, "val.accuracy has no interval"),
    ],
)
def test_a_bound_is_checked_against_the_metrics_of_head(rule: str, passed: bool, why: str) -> None:
    (result,) = check_rules(Gate(require=[rule]), "better", [], HEAD, what=WHAT)
    assert (result.rule, result.passed, result.why) == (rule.strip(), passed, why)


@pytest.mark.parametrize("sign", [">=", ">", "<=", "<"])
@pytest.mark.parametrize("value", [0.7951, 0.79996, 0.800000001, 0.8])
def test_a_bound_is_checked_with_every_digit_and_shows_those_that_decide(sign: str, value: float) -> None:
    (result,) = check_rules(
        Gate(require=[f"test.mcc {sign} 0.80"]), "better", [], {"test.mcc": MetricSummary(value)}, what=WHAT
    )
    shown = float(result.why.rpartition(" ")[2])
    assert result.passed == OPERATORS[sign](value, 0.8)
    assert (shown > 0.8, shown < 0.8) == (value > 0.8, value < 0.8)


@pytest.mark.parametrize(
    ("drop", "limit", "passed", "why"),
    [
        (0.02, 0.01, False, "the drop may be as large as 0.0200"),
        (0.02, 0.02, True, "the drop is at most 0.0200"),
        (-0.01, 0.0, True, "the drop is at most 0.0000"),
        (None, 1.0, False, "test.mcc has no interval, so no drop can be excluded"),
    ],
)
def test_a_larger_drop_must_be_excluded(drop: float | None, limit: float, passed: bool, why: str) -> None:
    rows = [MetricRow(f"test.{name}", 0.6, 0.6, -1.0, 0.05) for name in ("accuracy", "mcc")]
    rows = [replace(row, largest_drop=drop if row.name == "test.mcc" else 1.0) for row in rows]
    (result,) = check_rules(Gate(max_drop={"test.mcc": limit}), "within noise", rows, HEAD, what=WHAT)
    assert (result.rule, result.passed, result.why) == (f"test.mcc drops by at most {limit:g}", passed, why)


@pytest.mark.parametrize("limit", [0.01, 0.03])
def test_a_drop_of_rows_that_are_not_paired_is_said(limit: float) -> None:
    rows = [MetricRow("test.mcc", 0.6, 0.6, -1.0, 0.05, paired=False, largest_drop=0.02)]
    (result,) = check_rules(Gate(max_drop={"test.mcc": limit}), "within noise", rows, HEAD, what=WHAT)
    assert result.why.endswith("from two separate intervals, because its rows are not paired")


@pytest.mark.parametrize(("drop", "open_"), [(0.01, True), (0.05, False)])
def test_a_metric_that_rows_make_too_high_never_passes(drop: float, open_: bool) -> None:
    row = replace(MetricRow("test.mcc", 0.6, 0.6, -0.01, 0.01), largest_drop=drop, biased=True)
    (result,) = check_rules(Gate(max_drop={"test.mcc": 0.02}), "within noise", [row], HEAD, what=WHAT)
    assert (result.passed, result.open) == (False, open_)
    assert result.why.startswith("undecided: with so few test rows per class") == open_


def test_worse_fails_and_noise_does_not() -> None:
    rows = [
        MetricRow("test.mcc", 0.6, 0.5, -0.2, -0.05, verdict="worse"),
        MetricRow("test.accuracy", 0.5, 0.6, -0.2, -0.05, verdict="better"),
        MetricRow("test.log_loss", 0.5, 0.6, 0.05, 0.2, verdict="worse"),
        MetricRow("val.mcc", 0.6, 0.5, -0.2, -0.05, verdict="worse"),
    ]
    (result,) = check_rules(Gate("worse"), "worse", rows, HEAD, what=WHAT)
    assert (result.rule, result.passed, result.open) == ("no headline metric is worse", False, False)
    assert result.why == "worse: test.mcc, test.log_loss"
    (result,) = check_rules(Gate("worse"), "within noise", [rows[1], rows[3]], HEAD, what=WHAT)
    assert (result.passed, result.why) == (True, "the verdict is within noise")
    assert check_rules(Gate("none"), "worse", rows, HEAD, what=WHAT) == []


@pytest.mark.parametrize(("name", "head"), [("test.mcc", 0.5), ("test.log_loss", 0.7)])
def test_with_one_seed_a_worse_model_leaves_the_rule_open_and_a_better_one_meets_it(name: str, head: float) -> None:
    row = MetricRow(name, 0.6, head, None, None, verdict="differ")
    (result,) = check_rules(Gate("worse"), "differ", [row], HEAD, what=WHAT)
    assert (result.passed, result.open) == (False, True)
    assert f"head's model is worse in {name}" in result.why
    assert "Train at least two seeds per side" in result.why
    (result,) = check_rules(Gate("worse"), "differ", [replace(row, base=head, head=0.6)], HEAD, what=WHAT)
    assert result.passed


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        (
            Gate(require=["mcc is good"]),
            r'The rule "mcc is good" is invalid. Write it like this: test.macro_f1 >= 0.80',
        ),
        (Gate(require=["test.auc > 0"]), r"head has no metric test.auc. Its metrics of test: test.mcc, test.macro_f1."),
        (Gate(max_drop={"test.auc": 0.1}), r"head has no metric test.auc"),
        (Gate(max_drop={"test.mcc": 0.1}), r"Only head has test.mcc, so its drop is unknown. Remove it from max_drop."),
    ],
)
def test_rules_that_can_not_be_checked(rules: Gate, message: str) -> None:
    with pytest.raises(PipelineError, match=message):
        check_rules(rules, "better", [], HEAD, what=WHAT)


def test_a_split_without_metrics_is_said() -> None:
    with pytest.raises(PipelineError, match="Its metrics of val: none"):
        check_rules(Gate(require=["val.mcc > 0"]), "better", [], {"test.mcc": HEAD["test.mcc"]}, what=WHAT)


@pytest.mark.parametrize("text", ["test.mcc", "mcc=0.1", "test.mcc=-1", "test.mcc=much", "test.mcc=nan"])
def test_an_invalid_drop(text: str) -> None:
    with pytest.raises(PipelineError, match="expected METRIC=DROP"):
        read_gate({}, max_drop=[text])
