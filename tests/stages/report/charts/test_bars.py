"""Bar charts: every row counted once, and bars that start at 0."""

import pytest

from stages.report.charts.bars import Bar, bar_chart, histogram


def test_a_histogram_counts_every_row_once() -> None:
    chart = histogram({3: 5, 4: 7, 200: 1}, x_label="tokens")
    rows = [int(tooltip.split(": ")[1].split()[0]) for *_, tooltip in chart.bars]
    assert sum(rows) == 13
    assert len(rows) <= 32
    assert chart.bars[0][-1] == "3 to 9 tokens: 12 rows"


def test_negative_bars_hang_from_zero() -> None:
    chart = bar_chart([Bar(1, 0.5, "a"), Bar(2, -0.5, "b")], width=1, x_label="batch", line=0.1)
    (_, top, _, height, _), (_, negative_top, _, _, _) = chart.bars
    assert top + height == pytest.approx(negative_top)


@pytest.mark.parametrize(("count", "said"), [(0, "0 rows"), (1, "1 row"), (2, "2 rows"), (1200, "1,200 rows")])
def test_a_tooltip_counts_rows_in_plain_english(count: int, said: str) -> None:
    chart = histogram({5: count, 6: 3}, x_label="tokens")
    assert chart.bars[0][-1] == f"5 tokens: {said}"
