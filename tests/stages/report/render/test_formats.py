"""Numbers and texts as the templates write them."""

import math

import pytest

from stages.metrics.summary import MetricValue
from stages.report.render.formats import data_element, escape_markdown, format_number, four_digits, percent


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
    ("keys", "text"),
    [
        (("b", "value"), "0.50"),
        (("a", "value"), "0.70"),
        (("a", "low"), "−0.05"),
        (("a", "sd"), "–"),
        (("rows",), "12,345"),
    ],
)
def test_a_number_is_shown_with_the_decimals_of_its_neighbours(keys: tuple[str, ...], text: str) -> None:
    metrics = {"a": {"value": 0.7, "low": -0.05, "sd": None}, "b": {"value": 0.5, "low": 0.1}, "rows": 12345}
    assert format_number(metrics, *keys) == text


def test_a_number_is_read_from_dataclasses_as_from_mappings() -> None:
    metrics = {"test": {"mcc": MetricValue(value=-0.5, low=-0.625, high=0.1)}}
    assert format_number(metrics, "test", "mcc", "value") == "−0.500"
    assert data_element(metrics, "test", "mcc", "value") == (
        '<data value="-0.500" data-key="[&#34;test&#34;, &#34;mcc&#34;, &#34;value&#34;]">−0.500</data>'
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.23456, "1.2346"), (0.5, "0.5"), (3, "3"), (0, "0"), (5.5424e-05, "5.542e-05"), (math.nan, "–")],
)
def test_the_learning_curve_has_four_digits(value: float, text: str) -> None:
    assert four_digits(value) == text
