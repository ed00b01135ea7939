"""What makes a model useless is said in a sentence."""

import re
from typing import Any

import pytest

from stages.metrics.failures import describe_failures, weighs_classes


def report(
    *,
    low: float = 0.1,
    high: float = 0.3,
    collapsed: dict[str, Any] | None = None,
    tfidf: tuple[float, float] = (0.01, 0.2),
    stuck: Any = None,
) -> dict[str, Any]:
    lead = {"value": 0.2, "difference": 0.125, "low": low, "high": high}
    words = {"value": 0.6, "difference": sum(tfidf) / 2, "low": tfidf[0], "high": tfidf[1]}
    return {
        "metric": "macro_f1",
        "seeds": [1, 2, 3],
        "champion": {"seed": 2},
        "collapsed": collapsed or {},
        "baselines": {"majority": {"macro_f1": lead}, "tfidf": {"macro_f1": words}},
        "stuck": stuck or {},
    }


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, []),
        (
            {"low": 0.0},
            ["The model is no better than always predicting the most frequent label: macro_f1 0.325 against"],
        ),
        ({"low": -0.4, "high": -0.1}, ["The model is worse than always predicting the most frequent label: macro_f1"]),
        ({"tfidf": (-0.1, 0.05)}, []),  # as good as
        (
            {"tfidf": (-0.3, -0.1)},
            ["The model is worse than TF-IDF + logistic regression, which counts words: macro_f1 0.400 against 0.600"],
        ),
        ({"tfidf": (-0.3, -0.1), "low": 0.0}, ["The model is no better than always"]),  # the worse is enough
        ({"collapsed": {"2": "ham"}}, ["The model always predicts “ham”"]),
        ({"collapsed": {"2": "ham"}, "low": 0.0}, ["The model always predicts “ham”"]),  # not both
        ({"collapsed": {"1": "ham", "3": "spam"}}, ["2 of 3 seeds always predict one label (1, 3), which lowers the"]),
        (
            {"collapsed": {"1": "ham"}, "low": 0.0},
            ["The model is no better", "1 of 3 seeds always predicts one label (1)"],
        ),
        ({"collapsed": {"2": ["ham"], "3": ["ham"]}}, ["The model always predicts “ham”", "2 of 3 seeds"]),  # headline
        ({"stuck": {"2": "The loss did not get below: lower finetune.learning_rate."}}, ["The loss did not get below"]),
        ({"stuck": {"2": ["damaged"], "3": "of another seed"}}, []),
        (
            {"collapsed": {"2": "ham", "3": "ham"}},
            ["The model always predicts “ham”", "2 of 3 seeds always predict one label (2, 3)"],
        ),
    ],
)
def test_every_failure_has_a_sentence(values: dict[str, Any], expected: list[str]) -> None:
    sentences = describe_failures(report(**values))
    assert len(sentences) == len(expected)
    for sentence, start in zip(sentences, expected, strict=True):
        assert sentence.startswith(start)
    assert not sentences or any("finetune.learning_rate" in sentence for sentence in sentences)


def test_the_metric_is_called_as_the_reader_calls_it() -> None:
    (sentence,) = describe_failures(report(low=-0.1), {"macro_f1": "Macro F1"})
    assert (
        "Macro F1 0.325 against 0.200, a difference that may be chance (interval of the difference -0.100 to 0.300)"
        in sentence
    )


def test_a_collapse_says_the_cause_that_its_loss_tells() -> None:
    sentences = describe_failures(report(collapsed={"2": "ham"}, stuck={"2": "The loss did not get below: raise it."}))
    assert sentences == [
        "The model always predicts “ham”: its answer does not depend on the text. The loss did not get below: raise it."
    ]


@pytest.mark.parametrize(
    ("baseline", "metric", "low", "high", "expected"),
    [
        ("mean", "r2", 0.1, 0.4, None),
        ("mean", "r2", -0.1, 0.4, "no better than always predicting the mean of train"),
        ("mean", "r2", -0.4, -0.1, "worse than always predicting the mean of train"),
        ("mean", "mean_absolute_error", -4.0, -1.0, None),
        ("mean", "mean_absolute_error", -4.0, 1.0, "no better than always predicting the mean of train"),
        ("mean", "mean_absolute_error", 1.0, 4.0, "worse than always predicting the mean of train"),
        ("tfidf_ridge", "mean_absolute_error", -4.0, 1.0, None),
        ("tfidf_ridge", "mean_absolute_error", 1.0, 4.0, r"worse than TF-IDF \+ ridge regression, which counts words"),
    ],
)
def test_a_model_of_numbers_is_measured_in_the_direction_of_its_metric(
    baseline: str, metric: str, low: float, high: float, expected: str | None
) -> None:
    lead = {"value": 5.0, "difference": (low + high) / 2, "low": low, "high": high}
    sentences = describe_failures({"metric": metric, "baselines": {baseline: {metric: lead}}})
    assert bool(sentences) == (expected is not None)
    if expected:
        assert re.search(f"The model is {expected}: {metric} ", sentences[0])


@pytest.mark.parametrize("split", ["test", "val"])
@pytest.mark.parametrize(("metric", "weighs"), [("macro_f1", True), ("micro_f1", True), ("r2", False)])
def test_the_advice_is_one_that_the_kind_of_target_takes(split: str, metric: str, weighs: bool) -> None:
    report = {split: {metric: {"mean": 0.1}}, "seeds": [1], "champion": {"seed": 1}, "collapsed": {"1": "3.5"}}
    (sentence,) = describe_failures(report)
    assert ("class_weights" in sentence) == weighs


WEIGHTS = "finetune.class_weights"


@pytest.mark.parametrize("values", [{"low": 0.0}, {"collapsed": {"2": "ham"}}, {"collapsed": {"1": "ham"}}])
def test_classes_that_are_weighed_already_are_no_advice(values: dict[str, Any]) -> None:
    assert any(WEIGHTS in sentence for sentence in describe_failures(report(**values)))
    weighted = describe_failures(report(**values), weighted=True)
    assert not any(WEIGHTS in sentence for sentence in weighted)
    assert any("Try another finetune.learning_rate or more finetune.max_epochs; the" in text for text in weighted)


@pytest.mark.parametrize(
    ("params", "weighted"),
    [
        ({"finetune": {"class_weights": "balanced"}}, True),
        ({"finetune": {"class_weights": {"ham": 1.0, "spam": 3.0}}}, True),
        ({"finetune": {"class_weights": "none"}}, False),
        ({"finetune": {}}, False),
        ({"finetune": None}, False),
        ({}, False),
    ],
)
def test_params_of_any_version_say_whether_classes_are_weighed(params: dict[str, Any], weighted: bool) -> None:
    assert weighs_classes(params) is weighted


@pytest.mark.parametrize("low", [-0.4, 0.0, 0.1])
@pytest.mark.parametrize(("splits", "measured"), [(("test", "val"), "test"), (("val",), "val")])
def test_rows_of_one_label_cannot_measure_the_model_and_no_training_is_advised(
    low: float, splits: tuple[str, ...], measured: str
) -> None:
    champion = {"seed": 2, **{split: {"macro_f1": {"value": 1.0}} for split in splits}}
    (sentence,) = describe_failures({**report(low=low), "champion": champion, "one_class": {measured: "no"}})
    assert sentence.startswith(f"All rows of {measured} have the label “no”, so they can't show")
    assert "finetune" not in sentence
    other = {"test": "val", "val": "test"}[measured]
    without = describe_failures({**report(low=low), "champion": champion})
    assert describe_failures({**report(low=low), "champion": champion, "one_class": {other: "no"}}) == without
