"""The fewest resamples of an interval are those with which one is expected beyond either end."""

from pathlib import Path

import pytest

from stages.errors import ParamsError
from stages.metrics.resamples import least_resamples
from stages.params import parse_params, parse_yaml

CONFIDENCES = {0.6: 4, 0.75: 7, 0.8: 9, 0.9: 19, 0.95: 39, 0.975: 79, 0.99: 199, 0.995: 399, 0.999: 1999}


@pytest.mark.parametrize(("confidence", "least"), CONFIDENCES.items())
def test_the_least_have_one_beyond_either_end(confidence: float, least: int) -> None:
    assert least_resamples(confidence) == least
    tail = (1 - confidence) / 2
    assert (least + 1) * tail >= 1 - 1e-9 > least * tail


PARAMS = Path(__file__).parents[3] / "params.yaml"


@pytest.mark.parametrize("confidence", CONFIDENCES)
def test_params_want_as_many(confidence: float) -> None:
    values = parse_yaml(PARAMS.read_text(encoding="utf-8"), name="params.yaml")
    least = max(100, least_resamples(confidence))
    values["evaluate"] |= {"confidence": confidence, "resamples": least}
    assert parse_params(values, name="params.yaml").evaluate.resamples == least
    values["evaluate"]["resamples"] = least - 1
    with pytest.raises(ParamsError, match=rf"evaluate\.resamples: expected {least} or more.*, got {least - 1}"):
        parse_params(values, name="params.yaml")


@pytest.mark.parametrize("resamples", [100, 1_000_000])
def test_a_confidence_that_no_number_of_resamples_reaches_is_to_be_lower(resamples: int) -> None:
    values = parse_yaml(PARAMS.read_text(encoding="utf-8"), name="params.yaml")
    values["evaluate"] |= {"confidence": 0.999999999, "resamples": resamples}
    with pytest.raises(ParamsError, match=r"resamples: expected a lower evaluate\.confidence than 0\.999999999"):
        parse_params(values, name="params.yaml")


@pytest.mark.parametrize("confidence", ["high", 1.0, 2, None])
def test_a_wrong_confidence_is_its_own_error(confidence: object) -> None:
    values = parse_yaml(PARAMS.read_text(encoding="utf-8"), name="params.yaml")
    values["evaluate"]["confidence"] = confidence
    with pytest.raises(ParamsError, match=r"evaluate\.confidence: expected [^;]*$"):
        parse_params(values, name="params.yaml")
