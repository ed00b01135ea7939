"""Is there a row that can be read?"""

from collections.abc import Iterator
from dataclasses import replace

from stages.errors import DataError
from stages.reading.dialect import PARAMS
from stages.reading.lines import Row

SETTINGS = replace(PARAMS, quoting="-S download.dataset.quoting=false", verb="Add")  # as `init` takes them


def with_a_good_one(rows: Iterator[Row], name: str, header: bool | None) -> Iterator[Row]:
    """Yield the rows; `header`: whether the first has the names of the columns, None: nobody said.

    Raises:
        DataError: Rows are broken, and no other but the header can be read.
    """
    needed, broken = 1 if header is False else 2, None
    for row in rows:
        needed -= row.problem is None
        broken = broken or (row if row.problem else None)
        yield row
    if needed > 0 and broken:
        problem = str(broken.problem)
        advice = f", or add {SETTINGS.quoting} if quotes are plain characters"
        raise DataError(
            f"{name} row {broken.number}: {problem}, and no other row can be read. Correct the rows"
            f"{'' if SETTINGS.quoting in problem else advice}."
        )
