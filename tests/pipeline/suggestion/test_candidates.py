"""The candidates are the most uncertain rows of all windows, each text once, whatever the windows are."""

import numpy as np
import pyarrow as pa
import pytest

from pipeline.prediction.window import Window, choose_rows, join_windows
from pipeline.suggestion.candidates import Candidates


def window_of(rows: list[int], *, kind: str = "table") -> Window:
    texts = [f"text {row}" for row in rows]
    data = pa.table({"n": rows}) if kind == "table" else [{"n": row} for row in rows]
    lines = None if kind == "table" else [f'{{"n":{row}}}' for row in rows]
    return Window(texts, None, [None] * len(rows), data, len(rows), lines=lines)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["table", "objects"])
@pytest.mark.parametrize("size", [1, 7, 100])
@pytest.mark.parametrize("most", [1, 5, 60, 1_000])
def test_the_most_uncertain_of_all_windows_are_kept_once(kind: str, size: int, most: int) -> None:
    random = np.random.default_rng(0)
    keys = random.integers(0, 150, 300)
    uncertainty = np.round(random.random(150), 1)[keys]  # equal texts are equally uncertain; many others are too
    candidates = Candidates(most)
    for start in range(0, 300, size):
        part = slice(start, start + size)
        candidates.add(window_of(list(range(300))[part], kind=kind), uncertainty[part], keys[part])
        assert len(candidates) < 2 * most + size
    window, kept = candidates.best()
    first = np.unique(keys, return_index=True)[1]
    expected = sorted(sorted(first.tolist(), key=lambda row: (-uncertainty[row], row))[:most])
    assert window.texts == [f"text {row}" for row in expected]
    assert kept.tolist() == uncertainty[expected].tolist()
    data = window.data.to_pylist() if isinstance(window.data, pa.Table) else window.data
    assert data == [{"n": row} for row in expected]
    assert window.lines == (None if kind == "table" else [f'{{"n":{row}}}' for row in expected])


def test_windows_with_and_without_bytes_become_one() -> None:
    """A column is of bytes only in windows that have a cell which is not UTF-8."""
    plain = Window(["a"], ["p"], [None], pa.table({"t": ["a"], "p": ["p"]}), 1)
    broken = Window(
        ["b"], ["q"], [None], pa.table({"t": pa.array([b"b\xff"]), "p": pa.array([None], "binary")}), 2, True
    )
    joined = join_windows([plain, broken])
    assert joined.has_bytes
    assert joined.data.to_pylist() == [{"t": b"a", "p": b"p"}, {"t": b"b\xff", "p": None}]  # type: ignore[union-attr]
    assert (joined.texts, joined.text_pairs, joined.position) == (["a", "b"], ["p", "q"], 2)


def test_rows_are_chosen_in_their_order() -> None:
    assert choose_rows(window_of([5, 6, 7]), [2, 0]).texts == ["text 7", "text 5"]
    assert len(choose_rows(window_of([5, 6, 7]), [])) == 0
