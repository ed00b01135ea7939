"""Numbers and texts as the templates write them."""

import math

import pytest

from stages.metrics.summary import MetricValue
from stages.report.render.formats import data_element, decimals, escape_markdown, format_number, four_digits, percent


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
        ({"value": 0.79515, "low": 0.7, "high": 0.9}, "0.80"),
        ({"value": -0.05, "low": -0.0523, "high": -0.0477}, "−0.0500"),
        ({"value": -0.001, "low": -0.5, "high": 0.5}, "0.00"),
        ({"value": None, "low": 0.1, "high": 0.2}, "–"),
        ({"value": 12345, "low": 0.1, "high": 0.2}, "12,345"),
        ({"value": 2 / 3}, "0.667"),
        ({"value": 0.27}, "0.27"),
        ({"value": 0.0}, "0.00"),
        ({"value": 0.00012345}, "0.00012"),
    ],
)
def test_a_number_is_shown_with_the_decimals_that_its_interval_supports(entry: dict[str, object], text: str) -> None:
    assert format_number({"a": entry}, "a", "value") == text


@pytest.mark.parametrize(("half", "places"), [(0.5, 2), (0.05, 3), (0.004, 4), (0.0, 4)])
def test_an_interval_supports_two_digits_of_its_half_width(half: float, places: int) -> None:
    assert decimals(0.5 - half, 0.5 + half) == places


def test_a_number_is_read_from_dataclasses_as_from_mappings_and_is_exact_beside_its_text() -> None:
    metrics = {"test": {"mcc": MetricValue(value=-0.51234, low=-0.625, high=0.1)}}
    assert format_number(metrics, "test", "mcc", "value") == "−0.51"
    assert data_element(metrics, "test", "mcc", "value") == (
        '<data value="-0.51234" data-key="[&#34;test&#34;, &#34;mcc&#34;, &#34;value&#34;]">−0.51</data>'
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.23456, "1.2346"), (0.5, "0.5"), (3, "3"), (0, "0"), (5.5424e-05, "5.542e-05"), (math.nan, "–")],
)
def test_the_learning_curve_has_four_digits(value: float, text: str) -> None:
    assert four_digits(value) == text
