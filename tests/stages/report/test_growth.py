"""What more labels would bring is said in a sentence, about half as many rows as there are, with signs."""

from pathlib import Path
from typing import Any

import pytest

from stages.errors import ReportError
from stages.files import write_json
from stages.params import Params, read_params
from stages.paths import Paths
from stages.report.growth import read_growth

RECIPE = Path(__file__).parents[3] / "recipes/default.yaml"


def params_with(seeds: list[int]) -> Params:
    values = read_params(RECIPE).model_dump()
    values["extrapolate"]["seeds"] = seeds
    return Params.model_validate(values)


def forecast(**changes: Any) -> dict[str, Any]:
    gains = [(200, 0.01, 0.004, 0.02), (500, 0.0219, 0.0096, 0.0304), (1_000, 0.03, 0.011, 0.05)]
    content: dict[str, Any] = {
        "metric": "macro_f1",
        "rows": 1_234,
        "measured_rows": 321,
        "value": 0.8123456,
        "confidence": 0.95,
        "points": [{"rows": rows, "value": 0.9 - rows**-0.5, "sd": 0.0} for rows in (77, 1_234)],
        "contradiction": None,
        "law": [{"rows": rows, "value": 0.9 - rows**-0.5} for rows in (77, 2_234)],
        "gains": [dict(zip(("rows", "change", "low", "high", "known"), (*gain, True), strict=True)) for gain in gains],
    }
    return content | changes


def test_off_is_nothing(tmp_path: Path) -> None:
    assert read_growth(Paths(tmp_path), params_with([])) is None


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match=r"forecast\.json is missing\. Create it with: dvc repro"):
        read_growth(Paths(tmp_path), params_with([7]))


def test_the_sentence_is_about_half_as_many_rows(tmp_path: Path) -> None:
    write_json(Paths(tmp_path).forecast(7), forecast())
    growth = read_growth(Paths(tmp_path), params_with([7]))
    assert growth
    assert growth.sentence == "500 more labels like these would probably bring +0.010 to +0.030 macro F1."
    assert "with 95% probability" in growth.basis
    assert "That model has 0.812 with the 1,234 rows of train, measured on the 321 rows of val and test" in growth.basis
    assert [(gain.rows, gain.change) for gain in growth.gains] == [(200, "+0.010"), (500, "+0.022"), (1_000, "+0.030")]


def test_an_error_falls(tmp_path: Path) -> None:
    gains = [{"rows": 500, "change": -0.02, "low": -0.03, "high": -0.0001, "known": True}]
    write_json(Paths(tmp_path).forecast(7), forecast(metric="mean_absolute_error", gains=gains))
    growth = read_growth(Paths(tmp_path), params_with([7]))
    assert growth
    assert growth.sentence == (
        "500 more labels like these would probably change the mean absolute error by −0.030 to +0.000; "
        "below 0 is better."
    )


def test_an_interval_that_leaves_nothing_out_is_no_forecast(tmp_path: Path) -> None:
    gains = [{"rows": 500, "change": 0.5, "low": -1571.0, "high": 1783.0, "known": False}]
    write_json(Paths(tmp_path).forecast(7), forecast(metric="r2", gains=gains))
    growth = read_growth(Paths(tmp_path), params_with([7]))
    assert growth
    assert growth.sentence.startswith("No forecast for 500 more labels: R2 could become anything, because too few rows")
    assert [(gain.change, gain.interval) for gain in growth.gains] == [("no forecast", "anything")]


@pytest.mark.parametrize(
    ("contradiction", "reason"),
    [
        ("worse", "the linear model became worse with more rows of train, and a power law can only become better."),
        ("beside", "the measured points are farther from a power law than chance explains."),
    ],
)
def test_points_that_contradict_the_law_are_no_forecast(tmp_path: Path, contradiction: str, reason: str) -> None:
    write_json(Paths(tmp_path).forecast(7), forecast(contradiction=contradiction))
    growth = read_growth(Paths(tmp_path), params_with([7]))
    assert growth
    assert growth.sentence == f"No forecast for 500 more labels: {reason}"
    assert {(gain.change, gain.interval) for gain in growth.gains} == {("no forecast", "unknown")}
