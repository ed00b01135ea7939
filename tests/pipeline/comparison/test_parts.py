"""Parts of a comparison that need no repository: changes, pairing, judging, rules, calibration."""

import numpy as np
import pyarrow as pa
import pytest

from pipeline.comparison import changes, flips, gate, pairing, verdicts
from pipeline.comparison.gate import Gate, read_gate
from pipeline.comparison.revision import Predictions
from pipeline.comparison.verdicts import MetricRow, Options
from stages.errors import PipelineError

OPTIONS = Options(metric="mcc", confidence=0.95, resamples=300, seed=1)
HEAD = {"test": {"mcc": {"mean": 0.6, "low": 0.5, "high": 0.7}}, "val": {}}


def predictions(ids: list[str], labels: list[int], probabilities: list[list[float]]) -> Predictions:
    return Predictions(pa.array(ids), np.array(labels), {1: np.array(probabilities, dtype=np.float32)})


def test_params_are_compared_by_dotted_key() -> None:
    found = changes.changed_params({"a": {"b": 1, "c": [1]}, "d": 2}, {"a": {"b": 1.5, "c": [1]}, "e": {}})
    assert found == {"a.b": (1, 1.5), "e": (changes.GONE, {}), "d": (2, changes.GONE)}


def test_code_is_compared_by_stage_and_a_new_seed_is_no_change() -> None:
    base = {"finetune@1": {"x.py": "1", "y.py": "1"}, "split": {"z.py": "1"}}
    head = {"finetune@1": {"x.py": "2", "y.py": "1"}, "finetune@2": {"x.py": "2"}, "split": {"z.py": "1", "w.py": "1"}}
    assert changes.changed_code(base, head) == {"finetune": ["x.py"], "split": ["w.py"]}


def test_rows_are_compared_by_id() -> None:
    base = pa.table({"id": ["a", "b", "c", "d"], "text": ["1", "2", "3", "4"], "label": ["x", "x", "y", "y"]})
    head = pa.table({"id": ["e", "d", "b", "a"], "text": ["5", "4!", "2", "1"], "label": ["y", "y", "y", "x"]})
    found = changes.changed_rows(base, head)
    assert (found.added, found.removed) == ({"y": 1}, {"y": 1})
    assert (found.relabelled, found.rewritten) == ({"x -> y": 1}, {"y": 1})
    assert not changes.changed_rows(base, base).any


def test_pairs_follow_the_ids_whatever_their_order() -> None:
    base = predictions(["a", "b", "c"], [0, 1, 0], [[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]])
    head = predictions(["c", "x", "a"], [1, 1, 0], [[0.1, 0.9], [0.5, 0.5], [0.8, 0.2]])
    pairs = pairing.join(base, head, ["no", "yes"])
    assert pairs is not None
    assert pairs.ids.to_pylist() == ["c", "a"]
    assert pairs.labels.tolist() == [1, 0]  # head's
    assert pairs.relabelled == 1
    assert pairs.base.preds.tolist() == [[1, 0]]
    assert not pairs.same_rows
    assert pairing.join(base, predictions(["z"], [0], [[1, 0]]), ["no", "yes"]) is None


def test_labels_in_another_order_are_the_same_task() -> None:
    base = predictions(["a", "b", "c"], [0, 1, 2], [[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.2, 0.3, 0.5]])
    found = pairing.reorder(base, ["x", "y", "z"], ["z", "x", "y"])
    assert found.labels.tolist() == [1, 2, 0]
    assert found.preds.tolist() == [[1, 2, 0]]


def test_a_lower_log_loss_is_better() -> None:
    row = MetricRow("test.log_loss", 0.5, 0.6, 0.05, 0.15)
    assert row.lower_is_better
    assert row.worst == 0.15
    assert MetricRow("test.mcc", 0.5, 0.6, 0.05, 0.15).worst == -0.05


def test_intervals_without_pairs_say_less() -> None:
    def side(mean: float) -> dict[str, object]:
        return {"mcc": {"mean": mean, "low": mean - 0.05, "high": mean + 0.05}, "per_class": {"x": {}}}

    (near,) = verdicts.interval_rows(side(0.6), side(0.65), "test", OPTIONS)
    (far,) = verdicts.interval_rows(side(0.6), side(0.7), "test", OPTIONS)
    assert (near.verdict, far.verdict) == ("within noise", "better")
    assert near.high - near.low == pytest.approx(2 * 0.05 * 2**0.5)  # type: ignore[operator]
    assert not near.paired
    assert verdicts.interval_rows({}, side(0.6), "test", OPTIONS) == []


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        (["worse", "within noise"], "worse"),
        (["better", "worse"], "mixed"),
        (["within noise"], "within noise"),
        (["identical"], "identical"),
        ([], "unknown"),
    ],
)
def test_one_verdict_for_all(verdicts: list[str], expected: str) -> None:
    rows = [MetricRow(f"test.m{number}", 0, 0, 0, 0, verdict=one) for number, one in enumerate(verdicts)]  # type: ignore[arg-type]
    assert verdicts.overall([*rows, MetricRow("val.mcc", 0, 0, 0, 0, verdict="worse")]) == expected


def test_the_gate_of_params_and_of_the_command_line() -> None:
    params = {"report": {"gate": {"fail_on": "worse", "require": ["test.mcc > 0.1"], "max_drop": {"test.mcc": 0.1}}}}
    assert read_gate(params) == Gate("worse", ["test.mcc > 0.1"], {"test.mcc": 0.1})
    more = read_gate(params, fail_on="none", require=["val.mcc > 0"], max_drop=["test.mcc=0.2"])
    assert more == Gate("none", ["test.mcc > 0.1", "val.mcc > 0"], {"test.mcc": 0.2})
    assert read_gate({}) == Gate("none", [], {})  # a revision from before there were gates


@pytest.mark.parametrize(
    ("rule", "passed"),
    [
        ("test.mcc >= 0.6", True),
        ("test.mcc > 0.6", False),
        ("test.mcc.low >= 0.55", False),
        ("test.mcc.high<=7e-1", True),
    ],
)
def test_a_floor_is_held_to_what_metrics_json_says(rule: str, passed: bool) -> None:
    (result,) = gate.apply(Gate(require=[rule]), "better", [], HEAD)
    assert result.passed is passed
    assert "test.mcc" in result.why


@pytest.mark.parametrize(("low", "limit", "passed"), [(-0.02, 0.01, False), (-0.02, 0.03, True), (0.01, 0.0, True)])
def test_a_larger_drop_must_be_excluded(low: float, limit: float, passed: bool) -> None:
    rows = [MetricRow("test.mcc", 0.6, 0.6, low, 0.05)]
    (result,) = gate.apply(Gate(max_drop={"test.mcc": limit}), "within noise", rows, HEAD)
    assert result.passed is passed


def test_worse_fails_and_noise_does_not() -> None:
    rows = [MetricRow("test.mcc", 0.6, 0.5, -0.2, -0.05, verdict="worse")]
    assert not gate.apply(Gate("worse"), "worse", rows, HEAD)[0].passed
    assert gate.apply(Gate("worse"), "within noise", [], HEAD)[0].passed
    assert gate.apply(Gate("none"), "worse", rows, HEAD) == []


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        (Gate(require=["mcc is good"]), r'The rule "mcc is good" can\'t be read. Write it as: test.macro_f1 >= 0.80'),
        (Gate(require=["test.auc > 0"]), r"test.auc is no metric of head. It has: test.mcc."),
        (Gate(max_drop={"test.auc": 0.1}), r"test.auc is no metric of head"),
        (Gate(max_drop={"test.mcc": 0.1}), r"test.mcc is a metric of head alone: a drop can't be judged"),
    ],
)
def test_rules_that_make_no_sense(rules: Gate, message: str) -> None:
    with pytest.raises(PipelineError, match=message):
        gate.apply(rules, "better", [], HEAD)


@pytest.mark.parametrize("text", ["test.mcc", "mcc=0.1", "test.mcc=-1", "test.mcc=much", "test.mcc=nan"])
def test_a_drop_that_can_not_be_read(text: str) -> None:
    with pytest.raises(PipelineError, match="write METRIC=DROP"):
        read_gate({}, max_drop=[text])


def test_slices_come_from_columns_with_few_values() -> None:
    ids = [str(number) for number in range(8)]
    head = predictions(ids, [0, 1] * 4, [[0.9, 0.1]] * 8)
    base = predictions(ids, [0, 1] * 4, [[0.1, 0.9]] * 8)
    pairs = pairing.join(base, head, ["no", "yes"])
    assert pairs is not None
    rows = pa.table(
        {
            "id": ids,
            "text": ["x" * (number + 1) for number in range(8)],
            "text_pair": pa.nulls(8, pa.string()),
            "label": ["no", "yes"] * 4,
            "group": ["app", "web"] * 4,
            "split": pa.nulls(8, pa.string()),
            "cluster": [1, 2] * 4,
            "slice:version": ["new"] * 2 + ["old"] * 6,
            "number": list(range(8)),
        }
    )
    found = flips.describe(pairs, (1, 1), rows, show_text=True, most=3)
    slices = {group.name: (group.rows, group.fixed, group.broken) for group in found.slices}
    assert slices["group app"] == (4, 4, 0)
    assert slices["group web"] == (4, 0, 4)
    assert slices["version new"] == (2, 1, 1)
    assert not any(name.startswith("cluster") for name in slices)
    assert slices["shortest quarter"][0] == 2
    assert len(found.best) == 3
    assert found.best[0].text == "x"
    without = flips.describe(pairs, (1, 1), None, show_text=True, most=3)
    assert without.slices == []
    assert without.best[0].text is None
