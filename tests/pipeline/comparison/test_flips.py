"""Rows fixed and broken: their number, by class and slice, and the rows themselves."""

import pyarrow as pa

from pipeline.comparison.flips import FlipCount, FlippedRow
from pipeline.comparison.paired_rows import PairedRows
from pipeline.comparison.targets.classes import find_flips
from tests.pipeline.comparison.builders import paired, predictions

IDS = [str(number) for number in range(8)]


def all_flipped(*, tokens: list[int] | None = None) -> PairedRows:
    """Even rows have the label no and are fixed, odd rows have the label yes and are broken."""
    head = predictions(IDS, [0, 1] * 4, [[0.9, 0.1]] * 8, tokens=tokens)
    return paired(predictions(IDS, [0, 1] * 4, [[0.1, 0.9]] * 8), head)


def data_set() -> pa.Table:
    return pa.table(
        {
            "id": IDS,
            "text": ["x" * (number + 1) for number in range(8)],
            "text_pair": pa.array([None, "p", *[None] * 6], pa.string()),
            "label": ["no", "yes"] * 4,
            "group": ["app", "web"] * 4,
            "split": pa.nulls(8, pa.string()),
            "cluster": [1, 2] * 4,
            "slice:version": ["new"] * 2 + ["old"] * 6,
        }
    )


def test_slices_by_tokens_group_and_kept_columns() -> None:
    flips = find_flips(all_flipped(tokens=[5, 6, 7, 8, 9, 10, 11, 12]), (1, 1), data_set(), show_text=True, most=3)
    assert {(count.name, count.rows, count.fixed, count.broken) for count in flips.slices} == {
        ("length 1 to 6 tokens", 2, 1, 1),
        ("length 7 to 8 tokens", 2, 1, 1),
        ("length 9 to 10 tokens", 2, 1, 1),
        ("length 11 to 12 tokens", 2, 1, 1),
        ("group app", 4, 4, 0),
        ("group web", 4, 0, 4),
        ("version new", 2, 1, 1),
        ("version old", 6, 3, 3),
    }
    assert flips.slices[0].name == "version old"  # most flips first
    assert (flips.fixed, flips.broken, flips.wrong) == (4, 4, 0)
    assert flips.classes == [FlipCount("no", 4, 4, 0), FlipCount("yes", 4, 0, 4)]


def test_without_tokens_there_are_no_slices_by_length() -> None:
    flips = find_flips(all_flipped(), (1, 1), data_set(), show_text=True, most=3)
    assert {count.name.partition(" ")[0] for count in flips.slices} == {"group", "version"}


def test_without_the_data_set_there_are_slices_by_length_and_no_texts() -> None:
    flips = find_flips(all_flipped(tokens=list(range(8))), (1, 1), None, show_text=True, most=3)
    assert {count.name.partition(" ")[0] for count in flips.slices} == {"length"}
    assert [row.text for row in flips.fixed_rows] == [None] * 3


def test_a_data_set_that_lacks_a_compared_row_is_not_used() -> None:
    flips = find_flips(all_flipped(), (1, 1), data_set().slice(1), show_text=True, most=3)
    assert flips.slices == []
    assert flips.fixed_rows[0].text is None


def test_texts_are_shown_where_allowed_with_the_second_text_of_a_pair() -> None:
    shown = find_flips(all_flipped(), (1, 1), data_set(), show_text=True, most=2)
    assert [row.text for row in shown.fixed_rows] == ["x", "xxx"]
    assert [row.text for row in shown.broken_rows] == ["xx / p", "xxxx"]
    single = find_flips(all_flipped(), (1, 1), data_set().drop_columns("text_pair"), show_text=True, most=2)
    assert [row.text for row in single.broken_rows] == ["xx", "xxxx"]
    hidden = find_flips(all_flipped(), (1, 1), data_set(), show_text=False, most=2)
    assert [row.text for row in hidden.fixed_rows] == [None, None]


def test_the_largest_gains_and_losses_come_first() -> None:
    ids, labels = ["a", "b", "c", "d", "e", "f"], [0, 0, 1, 1, 0, 1]
    base = predictions(ids, labels, [[0.4, 0.6], [0.1, 0.9], [0.4, 0.6], [0.1, 0.9], [0.9, 0.1], [0.9, 0.1]])
    head = predictions(ids, labels, [[0.6, 0.4], [0.8, 0.2], [0.6, 0.4], [0.9, 0.1], [0.8, 0.2], [0.7, 0.3]])
    flips = find_flips(paired(base, head), (1, 1), None, show_text=False, most=10)
    assert [(row.id, round(row.gain, 3)) for row in flips.fixed_rows] == [("b", 0.7), ("a", 0.2)]
    assert [(row.id, round(row.gain, 3)) for row in flips.broken_rows] == [("d", -0.8), ("c", -0.2)]
    assert flips.broken_rows[0] == FlippedRow("d", "yes", "yes", "no", flips.broken_rows[0].gain)
    assert (flips.fixed, flips.broken, flips.wrong) == (2, 2, 1)
    assert len(find_flips(paired(base, head), (1, 1), None, show_text=False, most=1).fixed_rows) == 1


def test_the_champions_of_both_sides_are_compared() -> None:
    base = predictions(["a"], [0], [[0.1, 0.9]], seed=5)
    head = predictions(["a"], [0], [[0.9, 0.1]], seed=6)
    assert find_flips(paired(base, head), (5, 6), None, show_text=False, most=1).fixed == 1


def test_rows_with_the_same_gain_stay_in_the_order_of_the_data() -> None:
    ids, gains = [str(row) for row in range(60)], [0.6, 0.8, 0.7]
    base = predictions(ids, [0] * 60, [[0.0, 1.0]] * 60)
    head = predictions(ids, [0] * 60, [[gains[row % 3], 1 - gains[row % 3]] for row in range(60)])
    flips = find_flips(paired(base, head), (1, 1), None, show_text=False, most=60)
    assert [row.id for row in flips.fixed_rows] == [*ids[1::3], *ids[2::3], *ids[0::3]]


def test_the_largest_gains_are_gains_and_the_largest_losses_losses() -> None:
    base = predictions(["up", "down"], [1, 1], [[0.5, 0.4, 0.1], [0.2, 0.45, 0.35]])
    head = predictions(["up", "down"], [1, 1], [[0.3, 0.35, 0.35], [0.1, 0.44, 0.46]])
    both = find_flips(paired(base, head, ["a", "b", "c"]), (1, 1), None, show_text=False, most=3)
    assert (both.fixed, both.broken) == (1, 1)
    assert both.fixed_rows == []  # fixed though its label lost: the label before it lost more
    assert [row.id for row in both.broken_rows] == ["down"]
    back = find_flips(paired(head, base, ["a", "b", "c"]), (1, 1), None, show_text=False, most=3)
    assert back.broken_rows == []
    assert [(row.id, row.gain > 0) for row in back.fixed_rows] == [("down", True)]


def test_slices_of_two_columns_that_read_alike_stay_two() -> None:
    columns = {"slice:app": ["web new", "x"] * 4, "slice:app web": ["new", "y"] * 4}
    table = data_set().select(["id", "text", "text_pair", "label"])
    for name, values in columns.items():
        table = table.append_column(name, pa.array(values))
    flips = find_flips(all_flipped(), (1, 1), table, show_text=False, most=3)
    assert [count.name for count in flips.slices].count("app web new") == 2
