"""Labels in a row: what auto takes for them, what is refused, and which metric leads."""

import logging

import pytest

from stages.errors import DataError, ParamsError
from stages.targets.rows import ordered
from stages.targets.rows.choice import choose_kind
from stages.targets.target import Target


@pytest.mark.parametrize(
    ("labels", "kind"),
    [
        (["1", "2", "3"], "ordered"),
        (["5", "3", "4", "2", "1"], "ordered"),
        (["-1", "0", "1"], "ordered"),
        (["1.0", "2.0", "3.0"], "ordered"),
        (["0", "1"], "classes"),  # of two, no order matters
        (["1", "2", "4"], "classes"),  # a gap
        (["10", "20", "30"], "classes"),
        (["1", "2", "3", "none"], "classes"),
        (["1", "2", "nan"], "classes"),
        (["1", "2", "inf"], "classes"),
        (["bad", "fair", "good"], "classes"),
    ],
)
def test_auto_takes_three_or_more_whole_numbers_in_a_row(labels: list[str], kind: str) -> None:
    assert choose_kind("auto", labels, named=False) == kind


def test_auto_says_what_it_took_and_how_to_say_otherwise(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        choose_kind("auto", ["10", "9", "8"], named=False)
    (message,) = caplog.messages
    assert message == (
        "download.dataset.target: auto treats the labels as classes in order (consecutive whole numbers, '8', '9', "
        "'10'). "
        "For classes, set download.dataset.target: classes."
    )


def test_names_or_an_order_in_the_parameters_leave_classes_for_auto() -> None:
    assert choose_kind("auto", ["1", "2", "3"], named=True) == "classes"


@pytest.mark.parametrize(
    ("counts", "names", "order", "expected"),
    [
        (["10", "9", "8"], {}, [], ["8", "9", "10"]),
        (["1", "5", "20"], {}, [], ["1", "5", "20"]),  # declared: gaps are allowed
        (["0.5", "1.5", "-2"], {}, [], ["-2", "0.5", "1.5"]),
        (["good", "bad", "fair"], {}, ["bad", "fair", "good"], ["bad", "fair", "good"]),
        (["good", "bad", "fair"], {"1": "bad", "2": "fair", "3": "good"}, [], ["bad", "fair", "good"]),
    ],
)
def test_the_order_is_given_or_that_of_numbers(
    counts: list[str], names: dict[str, str], order: list[str], expected: list[str]
) -> None:
    target = ordered.describe(dict.fromkeys(counts, 5), names=names, order=order)
    assert target == Target("ordered", expected)
    assert Target.of_json(target.to_json()) == target


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        (
            ["good", "bad", "fair"],
            r"\['bad', 'fair', 'good'\] are not numbers, so their order is unknown. Give it from",
        ),
        (["1", "2", "3", "n/a"], r"\['n/a'\] are not numbers, so their order is unknown.*correct these rows"),
        (["1", "2", "nan"], r"\['nan'\] are not numbers"),
        (["1", "2", "inf"], r"\['inf'\] are not numbers"),
        (["1", "2"], r"the rows have 2 labels \('1', '2'\), and an order needs 3. Set .*target: classes"),
        (["1"], "All rows have the label '1'"),
    ],
)
def test_labels_without_an_order_are_one_line_that_says_how_to_give_it(counts: list[str], message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        ordered.describe(dict.fromkeys(counts, 5), names={})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "metric", "leads"),
    [
        ("ordered", "auto", "quadratic_kappa"),
        ("ordered", "mcc", "mcc"),
        ("ordered", "quadratic_kappa", "quadratic_kappa"),
        ("classes", "auto", "macro_f1"),
        ("number", "auto", "r2"),
    ],
)
def test_the_metric_that_leads(kind: str, metric: str, leads: str) -> None:
    assert Target(kind, ["1", "2", "3"]).leading(metric) == leads  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["classes", "number"])
def test_quadratic_kappa_needs_an_order(kind: str) -> None:
    with pytest.raises(ParamsError, match=f"quadratic_kappa does not measure this label .{kind}.. Set one of: auto, "):
        Target(kind, ["a", "b"]).leading("quadratic_kappa")  # type: ignore[arg-type]
