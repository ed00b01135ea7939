"""Numbers and texts as the templates write them."""

import math

import pytest

from stages.metrics.summary import MetricValue
from stages.report.render.formats import curve_value, data_element, escape_markdown, format_number, percent


def test_markdown_characters_are_shown_and_not_interpreted() -> None:
    assert escape_markdown("a|b <i> *c* _d_ `e`\n# f") == (
        "a&#124;b &#60;i&#62; &#42;c&#42; &#95;d&#95; &#96;e&#96; &#35; f"
    )


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0.0%"), (1, "100.0%"), (0.0625, "6.2%"), (0.00004, "0.004%"), (0.99996, "99.996%")],
)
def test_a_small_share_is_not_rounded_to_none(share: float, text: str) -> None:
    assert percent(share) == text


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ({"value": 0.70004, "low": 0.65, "high": 0.75}, "0.700"),
        ({"value": 0.79515, "low": 0.0, "high": 0.9}, "0.795"),
        ({"value": -0.05, "low": -0.0523, "high": -0.0477}, "−0.050"),
        ({"value": -0.0001}, "0.000"),
        ({"value": None, "low": 0.1, "high": 0.2}, "–"),
        ({"value": 12345, "low": 0.1, "high": 0.2}, "12,345"),
        ({"value": 0.27}, "0.270"),
        ({"value": 12.5}, "12.500"),
    ],
)
def test_a_metric_has_three_decimals_whatever_its_interval(entry: dict[str, object], text: str) -> None:
    assert format_number({"a": entry}, "a", "value") == text


def test_numbers_that_are_no_metrics_have_fewer_decimals() -> None:
    metrics = {"seeds_share_of_variance": {"mcc": 0.5}, "slices": {"length": {"long": {"expected": 3.14159}}}}
    assert format_number(metrics, "seeds_share_of_variance", "mcc") == "0.50"
    assert format_number(metrics, "slices", "length", "long", "expected") == "3.1"


def test_a_number_is_read_from_dataclasses_as_from_mappings_and_is_exact_beside_its_text() -> None:
    metrics = {"test": {"mcc": MetricValue(value=-0.51234, low=-0.625, high=0.1)}}
    assert format_number(metrics, "test", "mcc", "value") == "−0.512"
    assert data_element(metrics, "test", "mcc", "value") == (
        '<data value="-0.51234" data-key="[&#34;test&#34;, &#34;mcc&#34;, &#34;value&#34;]">−0.512</data>'
    )


@pytest.mark.parametrize(
    ("column", "values", "texts"),
    [
        ("epoch", [1, 12], ["1", "12"]),
        ("learning_rate", [2e-4, 5.5424e-05, 0.0], ["2.00e-04", "5.54e-05", "0.00e+00"]),
        ("val_loss", [1.23456, 0.5, math.nan], ["1.235", "0.500", "–"]),
    ],
)
def test_the_numbers_of_a_column_of_the_learning_curve_have_the_same_decimals(
    column: str, values: list[float], texts: list[str]
) -> None:
    assert [curve_value(value, column) for value in values] == texts
