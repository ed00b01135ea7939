"""Rows of an Excel workbook (xlsx), a row at a time, within limits on what a small file can grow to.

openpyxl, which reads it, keeps the workbook's strings in memory and nothing else; zipfile reads no more of a part than
the directory of the workbook states, so the sizes there are the limit.
"""

import contextlib
import logging
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, BinaryIO, NamedTuple
from xml.etree.ElementTree import ParseError

from stages.errors import DataError
from stages.messages import NAMES, examples, short
from stages.reading.dialect import Dialect, Settings
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
logger = logging.getLogger(__name__)


class Sheet(NamedTuple):
    """A sheet of a workbook."""

    names: list[str]  # of its columns
    rows: Iterator[Row]
    others: list[str]  # names of the workbook's other sheets


def read_workbook(file: BinaryIO, name: str, dialect: Dialect) -> Sheet:
    """Return the names of the columns of a sheet, and its rows that are not blank, each cell as text.

    Cells beyond the first row's are left out. A cell with an error (`#N/A`) and a formula without a stored result are
    empty, but the row is one as long as any cell of it is not blank: as many rows come out as a person sees. A warning
    counts such formulas.

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
        others = [each.title for each in book.worksheets if each is not sheet]
        rows = _rows(_numbered_rows(book, sheet), name, header=dialect.header)
        first = next(rows, None)
    except DAMAGE as error:
        raise _damaged(name, error) from error
    if first is None:
        return Sheet([], iter(()), others)
    cells = first.cells if isinstance(first.cells, list) else []
    width = len(cells)
    if dialect.header:
        names = ["" if cell is None else str(cell) for cell in cells]
        return Sheet(names, _of_width(rows, width, name), others)
    return Sheet(list(map(str, range(width))), _of_width(_chain(first, rows), width, name), others)


def other_sheets(others: Sequence[str], settings: Settings) -> str:
    """Return the sentence of a message that names the other sheets of a workbook; empty where there are none."""
    return f" The workbook has other sheets: {examples(others, most=NAMES)} ({settings.sheet})." if others else ""


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
        import openpyxl.reader.excel  # an extra
    except ImportError as error:
        raise DataError(f"{name} is a workbook, which openpyxl reads. Run: pip install 'retune[excel]'") from error

    class Reader(openpyxl.reader.excel.ExcelReader):  # type: ignore[misc]
        def read_chartsheet(self, sheet: Any, relation: Any) -> None:
            with contextlib.suppress(AttributeError):  # openpyxl fails if it has no chart; it is listed by then
                super().read_chartsheet(sheet, relation)

    _check_parts(file, name)
    reader = Reader(file, read_only=True, data_only=True, keep_links=False)
    reader.read()
    return reader.wb


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
        raise DataError(f"{name} is not an Excel workbook (xlsx). Save it as one, or as CSV (UTF-8).")
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
    if not sheets:
        raise DataError(f"{name} has no sheet with rows, but only charts. Give a workbook with rows.")
    if wanted is None:
        return sheets[0]
    if str(wanted) in names:  # a name wins over a number, also one that YAML reads as a number
        return sheets[names.index(str(wanted))]
    if isinstance(wanted, int) and 0 <= wanted < len(sheets):
        return sheets[wanted]
    raise DataError(
        f"{name} has no sheet {short(wanted)}. It has: {examples(names, most=NAMES)}. Correct {dialect.settings.sheet}."
    )


def _numbered_rows(book: Any, sheet: Any) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """Yield the rows of a sheet that the file has, each with its number in the sheet.

    A cell is a mapping: `column` (from 1), `value` and `data_type`, which is `f` for a formula without a stored result.
    The rows of openpyxl's own sheets hide which blank cells these are, so its parser is used.
    """
    from openpyxl.worksheet._reader import FORMULA_TAG, WorkSheetParser

    class Parser(WorkSheetParser):  # type: ignore[misc]
        def parse_cell(self, element: Any) -> dict[str, Any]:
            cell: dict[str, Any] = super().parse_cell(element)
            # a formula whose stored result is an empty text has the type `str`: that cell is blank
            if cell["value"] is None and cell["data_type"] != "str" and element.find(FORMULA_TAG) is not None:
                cell["data_type"] = "f"
            return cell

    with sheet._get_source() as source:
        parser = Parser(
            source,
            sheet._shared_strings,
            data_only=True,
            epoch=book.epoch,
            date_formats=book._date_formats,
            timedelta_formats=book._timedelta_formats,
        )
        yield from parser.parse()


def _rows(numbered: Iterable[tuple[int, list[dict[str, Any]]]], name: str, *, header: bool) -> Iterator[Row]:
    """Yield the rows that are not blank, and warn of formulas without a stored result: at once where names are some."""
    formulas: list[int] = []  # the row of each
    for number, cells in numbered:
        if number > MOST_ROWS:
            raise DataError(f"{name} has a row beyond {MOST_ROWS:,}, where sheets end. Save its sheet as CSV (UTF-8).")
        formulas += [number for cell in cells if cell["data_type"] == "f"]
        filled = [cell for cell in cells if cell["value"] not in (None, "") or cell["data_type"] == "f"]
        if not filled:
            continue
        if header and formulas:
            _warn_of_formulas(name, formulas, "names of columns")
            formulas = []
        header = False
        values: list[str | None] = [None] * max(cell["column"] for cell in filled)
        for cell in filled:
            values[cell["column"] - 1] = None if cell["data_type"] == "e" else as_text(cell["value"])
        yield Row(number, values)
    if formulas:
        _warn_of_formulas(name, formulas, "cells")


def _warn_of_formulas(name: str, rows: Sequence[int], what: str) -> None:
    logger.warning(
        "%s: formulas without a stored result count as empty: %d %s (row %s). Open the workbook in a spreadsheet "
        "program, and save it.",
        name,
        len(rows),
        what,
        examples(list(dict.fromkeys(rows))),
    )


def _damaged(name: str, error: Exception) -> DataError:
    problem = " ".join(str(error).split()) or type(error).__name__
    return DataError(
        f"{name} can't be read as a workbook: {problem[:200]}. Save it again, or save its sheet as CSV (UTF-8)."
    )
