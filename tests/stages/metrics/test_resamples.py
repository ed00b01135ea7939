"""The fewest resamples of a verdict are those with which the strongest difference gets one, and one fewer none."""

from pathlib import Path

import pytest

from pipeline.comparison.statistics.paired_tests import holm
from pipeline.comparison.verdicts import ComparisonOptions, compare_paired
from stages.errors import ParamsError
from stages.metrics.bootstrap import Bootstrap
from stages.metrics.resamples import least_resamples, two_sided_p_value
from stages.params import parse_params, parse_yaml
from tests.pipeline.comparison.test_verdicts import model, paired

CONFIDENCES = (0.6, 0.75, 0.8, 0.9, 0.95, 0.975, 0.99, 0.995, 0.999)
LEAST = {  # by tests: at each of the confidences
    1: (4, 7, 9, 20, 39, 79, 199, 399, 1999),
    3: (14, 23, 29, 60, 119, 239, 599, 1199, 5999),
    5: (24, 39, 49, 100, 199, 399, 999, 1999, 9999),
}
TABLE = [
    (confidence, tests, least)
    for tests, row in LEAST.items()
    for confidence, least in zip(CONFIDENCES, row, strict=True)
]


@pytest.mark.parametrize(("confidence", "tests", "least"), TABLE)
def test_the_least_is_the_first_that_can_give_a_verdict(confidence: float, tests: int, least: int) -> None:
    def best(resamples: int) -> float:
        return max(holm(dict.fromkeys(map(str, range(tests)), two_sided_p_value(0, resamples))).values())

    assert abs(least_resamples(confidence, tests) - least) <= 1  # 1 - 0.9 is less than 0.1 in binary
    least = least_resamples(confidence, tests)
    assert best(least) <= 1 - confidence < best(least - 1)


@pytest.mark.parametrize("confidence", [0.8, 0.9, 0.95, 0.99])
def test_a_comparison_gives_a_verdict_from_there_on(confidence: float) -> None:
    least = least_resamples(confidence, 3)
    for resamples, verdict in ((least, "better"), (least - 1, "within noise")):
        options = ComparisonOptions("mcc", Bootstrap(resamples, confidence, seed=1))
        assert compare_paired(paired(model(80), model(0)), "test", options)[0].verdict == verdict


PARAMS = Path(__file__).parents[3] / "params.yaml"


@pytest.mark.parametrize("confidence", CONFIDENCES)
def test_params_want_as_many(confidence: float) -> None:
    values = parse_yaml(PARAMS.read_text(encoding="utf-8"), name="params.yaml")
    least = max(100, least_resamples(confidence, 3))
    values["evaluate"] |= {"confidence": confidence, "resamples": least}
    assert parse_params(values, name="params.yaml").evaluate.resamples == least
    values["evaluate"]["resamples"] = least - 1
    with pytest.raises(ParamsError, match=rf"evaluate\.resamples: expected {least} or more.*, got {least - 1}"):
        parse_params(values, name="params.yaml")


@pytest.mark.parametrize("confidence", ["high", 1.0, 2, None])
def test_a_wrong_confidence_is_its_own_error(confidence: object) -> None:
    values = parse_yaml(PARAMS.read_text(encoding="utf-8"), name="params.yaml")
    values["evaluate"]["confidence"] = confidence
    with pytest.raises(ParamsError, match=r"evaluate\.confidence: expected [^;]*$"):
        parse_params(values, name="params.yaml")
