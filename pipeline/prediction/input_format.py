"""How an input is read: as options say, else as its name says, else as the data of the model was written."""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.prediction.folders import folder_format, is_folder
from pipeline.prediction.records import dialect_of
from stages.data_format import DataFormat
from stages.errors import DataError
from stages.messages import NAMES, examples, short
from stages.reading.dialect import Dialect
from stages.reading.encodings import contradicts
from stages.reading.lines import is_utf8
from stages.reading.separated import other_delimiter
from stages.reading.suffixes import SUFFIXES

STDIN = "-"
FORMATS = tuple(dict.fromkeys(SUFFIXES.values()))  # of files
PACKED = (".gz", ".zst", ".bz2", ".xz")  # ends of names behind which the format's own end stands
SEPARATED = ("csv", "tsv")
TEXT = (*SEPARATED, "jsonl", "json", "lines")  # formats that have an encoding
WHOLE = ("parquet", "arrow", "excel")  # formats that can't be read from a stream
UNDIVIDED = ("lines", "folders")  # formats whose rows are a text each, without columns
COLUMN = "text"  # of the texts, where nobody named one


@dataclass(frozen=True)
class InputOptions:
    """How the command line says that an input is read; None: not said."""

    format: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    header: bool | None = None
    quoting: bool | None = None
    sheet: str | None = None
    column: str | None = None
    pair_column: str | None = None


@dataclass(frozen=True)
class InputFormat:
    """How an input is read.

    Args:
        dialect: How it is written.
        checked: Are its first bytes checked for UTF-8, because nobody named an encoding?
        columns: Names of the column of the texts; the first that the input has is taken.
        pair_column: Column of the second texts, for a model of pairs.
        taken: What was taken from the model, in words.
    """

    dialect: Dialect
    checked: bool = True
    columns: tuple[str, ...] = (COLUMN,)
    pair_column: str | None = None
    taken: tuple[str, ...] = field(default=())


def format_of(file: str, options: InputOptions, model: DataFormat | None) -> str:
    """Return the format of an input.

    Raises:
        DataError: It is not known, or can't be read from standard input.
    """
    if file != STDIN and is_folder(file):
        return folder_format(Path(file), options.format)
    path = Path(file)
    path = path.with_suffix("") if path.suffix.lower() in PACKED else path
    name = options.format or SUFFIXES.get(path.suffix.lower())
    if name is None and model and model.format in FORMATS and not (file == STDIN and model.format in WHOLE):
        name = model.format
    if file == STDIN and name is None:
        return "csv"
    if name is None or name not in FORMATS:
        formats = ", ".join(FORMATS)
        raise DataError(f"{_shown(file)}: the format is not known. Give one with --format: {formats}.")
    if file == STDIN and name in WHOLE:
        shown = {"parquet": "Parquet", "arrow": "Arrow", "excel": "A workbook"}[name]
        raise DataError(f"{shown} can't be read from standard input. Give the file with --file.")
    return name


def resolve(file: str, options: InputOptions, model: DataFormat | None, head: bytes) -> InputFormat:
    """Return how an input is read.

    Args:
        file: Its name; `-` is standard input.
        options: What the command line says.
        model: How the data of the model was written; None: not known.
        head: The first bytes of the input.

    Raises:
        DataError: The format is not known, or has no pairs of texts and the model needs them, or the other way round.
    """
    name = format_of(file, options, model)
    _check_pairs(name, options, model)
    model = model or DataFormat()
    same = name == model.format or (name in SEPARATED and model.format in SEPARATED)
    encoding, checked = options.encoding or "utf-8", options.encoding is None
    if (
        checked
        and name in (*TEXT, "folders")
        and model.format in (*TEXT, "folders")
        and not is_utf8(model.encoding)
        and not contradicts(head, model.encoding)
    ):
        encoding, checked = model.encoding, False
    delimiter = "\t" if options.delimiter == "\\t" else options.delimiter  # as people write a tab in a shell
    delimiter = delimiter or (model.delimiter if name == model.format else None)
    header = (model.header if same else True) if options.header is None else options.header
    quoting = (model.quoting if same else True) if options.quoting is None else options.quoting
    sheet: str | int | None = options.sheet if options.sheet is not None else model.sheet if same else None
    if isinstance(sheet, str) and options.sheet is not None and sheet.isdecimal() and sheet == str(int(sheet)):
        sheet = int(sheet)
    dialect = dialect_of(name, encoding=encoding, delimiter=delimiter, header=header, quoting=quoting, sheet=sheet)
    numbered = name in (*SEPARATED, "excel") and not header
    text, pair = (_column(column, numbered=numbered) for column in (model.text, model.text_pair))
    if name in UNDIVIDED:
        columns: tuple[str, ...] = (COLUMN,)
        pair_column = None
    else:
        fallbacks = dict.fromkeys(filter(None, [text, "0" if numbered else COLUMN]))
        columns = (options.column,) if options.column else tuple(fallbacks)
        pair_column = options.pair_column or pair
        if model.of_pairs and pair_column is None:
            raise DataError(
                f"{_shown(file)}: the model expects pairs of texts. Name the column of the second texts: --pair-column."
            )
    found = InputFormat(dialect, checked, columns, pair_column)
    return InputFormat(dialect, checked, columns, pair_column, tuple(_taken(found, options)))


def _check_pairs(name: str, options: InputOptions, model: DataFormat | None) -> None:
    """Check that an input of a format can have what the model was trained on: single texts, or pairs."""
    if options.pair_column is not None and model and not model.of_pairs:
        raise DataError("The model was trained on single texts. Leave out --pair-column.")
    if name in UNDIVIDED and model and model.of_pairs:
        raise DataError(
            "The model expects pairs of texts, but this format has one text per row. Give a file with two text columns."
        )
    if name in UNDIVIDED and options.pair_column is not None:
        raise DataError("This format has one text per row. Leave out --pair-column, or give a file with columns.")


def _shown(file: str) -> str:
    return "standard input" if file == STDIN else file


def _column(column: str | int | None, *, numbered: bool) -> str | None:
    """The column of the model's data, if such columns have it: a number where there is no header, else a name."""
    return None if column is None or isinstance(column, int) != numbered else str(column)


def _taken(found: InputFormat, options: InputOptions) -> Iterator[str]:
    """Yield what differs from the usual and was not said on the command line, so the model said it."""
    dialect = found.dialect
    if options.delimiter is None and dialect.delimiter:
        yield f"fields separated by {dialect.delimiter!r} (--delimiter)"
    if options.encoding is None and not is_utf8(dialect.encoding):
        yield f"encoding {dialect.encoding} (--encoding)"
    if options.header is None and not dialect.header:
        yield "no header (--header)"
    if options.quoting is None and not dialect.quoting:
        yield "no quotes (--quoting)"
    if options.sheet is None and dialect.sheet is not None:
        yield f"sheet {dialect.sheet!r} (--sheet)"
    if options.column is None and found.columns[0] != COLUMN:
        yield f"texts in the column {found.columns[0]!r} (--column)"
    if options.pair_column is None and found.pair_column:
        yield f"second texts in {found.pair_column!r} (--pair-column)"


def missing_column(
    name: str, column: str, names: Sequence[str], *, option: str, separated: bool = False, hint: str = ""
) -> DataError:
    """Return the error for a column that an input lacks; names are in quotes, so that blanks in them show.

    Args:
        name: Of the input.
        column: The column.
        names: Of the columns that there are.
        option: The option that names the column.
        separated: Is the input divided by a delimiter, which may be another one?
        hint: A sentence, after a space, that ends the message.
    """
    other = other_delimiter(names) if separated else None
    if other is not None:
        return DataError(
            f"{name} has only one column, {short(names[0])}, and seems to be separated by {other!r}. "
            f"Add: --delimiter {shlex.quote(other)}"
        )
    return DataError(
        f"{name} has no column {short(column)}. It has: {examples(names, most=NAMES)}. Choose one with {option}.{hint}"
    )
