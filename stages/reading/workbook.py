"""Rows of an Excel workbook (xlsx), a row at a time, within limits on what a small file can grow to.

openpyxl, which reads it, keeps the workbook's strings in memory and nothing else; zipfile reads no more of a part than
the directory of the workbook states, so the sizes there are the limit.
"""

import zipfile
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO
from xml.etree.ElementTree import ParseError

from stages.errors import DataError
from stages.messages import NAMES, examples, short
from stages.reading.dialect import Dialect
from stages.reading.lines import Row
from stages.reading.values import as_text

MOST_ROWS = 1_048_576  # of a sheet, as Excel has them
MOST_BYTES = 2_000_000_000  # of all parts, unpacked
MOST_KEPT = 300_000_000  # bytes of the parts that stay in memory: all but the sheets
MOST_PARTS = 10_000
OLD = b"\xd0\xcf\x11\xe0"  # first bytes of xls, and of a workbook with a password
DAMAGE = (
    zipfile.BadZipFile,
    RuntimeError,  # a part that is encrypted, or, as NotImplementedError, packed in a way that zipfile does not know
    zlib.error,
    ParseError,
    KeyError,
    ValueError,
    TypeError,
    AttributeError,
    IndexError,
    EOFError,
)


def read_workbook(file: BinaryIO, name: str, dialect: Dialect) -> tuple[list[str], Iterator[Row]]:
    """Return the names of the columns of a sheet, and its rows that are not blank, each cell as text.

    Cells beyond the first row's are left out. A cell with an error (`#N/A`) and a formula without a result are empty,
    but the row is one as long as any cell of it is not blank: as many rows come out as a person sees.

    Args:
        file: The workbook, which can be read at any place.
        name: What messages call it.
        dialect: Its sheet, and whether it has a header; without one, the names are numbers from 0.

    Raises:
        DataError: It can't be read, has no such sheet, or is too large; or openpyxl is missing.
    """
    try:
        book = _open_book(file, name)
        sheet = _sheet(book, name, dialect)
        sheet.reset_dimensions()  # which some programs write wrong
        rows = _rows(sheet, name)
        first = next(rows, None)
    except DAMAGE as error:
        raise _damaged(name, error) from error
    if first is None:
        return [], iter(())
    cells = first.cells if isinstance(first.cells, list) else []
    width = len(cells)
    if dialect.header:
        names = ["" if cell is None else str(cell) for cell in cells]
        return names, _of_width(rows, width, name)
    return list(map(str, range(width))), _of_width(_chain(first, rows), width, name)


def sheet_names(file: BinaryIO, name: str) -> list[str]:
    """Return the names of the sheets of a workbook, in its order.

    Raises:
        DataError: It can't be read, or is too large; or openpyxl is missing.
    """
    try:
        return [sheet.title for sheet in _open_book(file, name).worksheets]
    except DAMAGE as error:
        raise _damaged(name, error) from error
    finally:
        file.seek(0)


def _open_book(file: BinaryIO, name: str) -> Any:
    try:
        import openpyxl  # an extra
    except ImportError as error:
        raise DataError(f"{name} is a workbook, which openpyxl reads. Run: pip install 'retune[excel]'") from error
    _check_parts(file, name)
    return openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)


def _chain(first: Row, rest: Iterator[Row]) -> Iterator[Row]:
    yield first
    yield from rest


def _of_width(rows: Iterator[Row], width: int, name: str) -> Iterator[Row]:
    """Give each row as many cells as there are columns."""
    try:
        for row in rows:
            cells = list(row.cells or ())[:width]
            yield row._replace(cells=cells + [None] * (width - len(cells)))
    except DAMAGE as error:
        raise _damaged(name, error) from error


def _check_parts(file: BinaryIO, name: str) -> None:
    """Check how large the parts of a workbook are, before one is read."""
    start = file.read(4)
    file.seek(0)
    if start == OLD:
        raise DataError(f"{name} is an old workbook (xls), or has a password. Save it as xlsx without a password.")
    with zipfile.ZipFile(file) as parts:
        sizes = {part.filename: part.file_size for part in parts.infolist()}
    if "xl/workbook.xml" not in sizes and not any(part.endswith("workbook.xml") for part in sizes):
        raise DataError(f"{name} is no Excel workbook (xlsx). Save it as one, or as CSV (UTF-8).")
    kept = sum(size for part, size in sizes.items() if not part.startswith("xl/worksheets/"))
    if sum(sizes.values()) > MOST_BYTES or kept > MOST_KEPT or len(sizes) > MOST_PARTS:
        raise DataError(
            f"{name} is too large for a workbook: it unpacks to {sum(sizes.values()) / 1e6:,.0f} MB. Save its sheet as "
            "CSV (UTF-8)."
        )
    file.seek(0)


def _sheet(book: Any, name: str, dialect: Dialect) -> Any:
    sheets, wanted = book.worksheets, dialect.sheet
    names = [sheet.title for sheet in sheets]
    if wanted is None and sheets:
        return sheets[0]
    if isinstance(wanted, str) and wanted in names:
        return sheets[names.index(wanted)]
    if isinstance(wanted, int) and 0 <= wanted < len(sheets):
        return sheets[wanted]
    raise DataError(
        f"{name} has no sheet {short(wanted)}. It has: {examples(names, most=NAMES)}. Correct {dialect.settings.sheet}."
    )


def _rows(sheet: Any, name: str) -> Iterator[Row]:
    for number, cells in enumerate(sheet.iter_rows(), start=1):
        if number > MOST_ROWS:
            raise DataError(f"{name} has a row beyond {MOST_ROWS:,}, where sheets end. Save its sheet as CSV (UTF-8).")
        width = max((index for index, cell in enumerate(cells, start=1) if cell.value not in (None, "")), default=0)
        if width:
            yield Row(number, [None if cell.data_type == "e" else as_text(cell.value) for cell in cells[:width]])


def _damaged(name: str, error: Exception) -> DataError:
    problem = " ".join(str(error).split()) or type(error).__name__
    return DataError(
        f"{name} can't be read as a workbook: {problem[:200]}. Save it again, or save its sheet as CSV (UTF-8)."
    )
