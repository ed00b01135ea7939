"""Which rows belong together."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from stages.components import join_rows, read_components


@pytest.mark.parametrize(
    ("keys", "component"),
    [
        ([[-1, -1, -1]], [0, 1, 2]),  # a negative value joins nothing
        ([[0, 1, 0]], [0, 1, 0]),
        ([[0, -1, 0], [-1, -1, -1]], [0, 1, 0]),
        ([[0, 0, 1, 1, 2], [-1, 7, 7, -1, -1]], [0, 0, 0, 0, 1]),  # through other rows; a value need not be the next
        ([[0, 1, 2, 3], [1, 2, 3, -1]], [0, 1, 2, 3]),  # equal values of two columns join nothing
        ([[2, 0, 1], [-1, 0, -1], [5, -1, 5]], [0, 1, 0]),
        ([[]], []),
    ],
)
def test_rows_that_share_a_value_are_one_component(keys: list[list[int]], component: list[int]) -> None:
    columns = [np.array(key, dtype=np.int64) for key in keys]
    assert join_rows(columns, rows=len(component)).tolist() == component


@pytest.mark.parametrize(
    ("duplicates", "component"),
    [("together", [0, 0, 1, 1, 2, 1]), ("drop", [0, 0, 1, 1, 2, 1]), ("keep", [0, 0, 1, 2, 3, 1])],
)
def test_groups_join_rows_and_texts_join_them_unless_they_are_kept(
    tmp_path: Path, duplicates: str, component: list[int]
) -> None:
    columns = {
        "group": pa.array(["x", "x", "y", None, None, "y"], pa.string()),
        "text_key": pa.array([7, -7, 8, 8, 9, 5], pa.int64()),
        "cluster": pa.array([None, None, None, None, None, None], pa.int64()),
    }
    write(tmp_path, {name: pa.concat_arrays([column[3:4], column]) for name, column in columns.items()})
    positions = np.arange(1, 7)  # a row that is not asked for joins nothing
    assert read_components(tmp_path, positions, duplicates=duplicates).tolist() == component


def test_nearly_equal_texts_are_one_component(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "group": pa.array([None] * 4, pa.string()),
            "text_key": pa.array([1, 2, 3, 1], pa.int64()),
            "cluster": pa.array([None, 4, 4, None], pa.int64()),
        },
    )
    assert read_components(tmp_path, np.arange(4), duplicates="together").tolist() == [0, 1, 1, 0]
    assert read_components(tmp_path, np.arange(0), duplicates="together").tolist() == []


def write(folder: Path, columns: dict[str, pa.Array]) -> None:
    table = pa.table(columns)
    with pa.OSFile(str(folder / "tokens.arrow"), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)
