"""Rows that stray quotes join are refused with their lines; texts with quoted line ends are read."""

import csv
import io
import random

import pytest

from stages.reading.dialect import DELIMITERS, OPTIONS, Dialect
from stages.reading.lines import Lines, Row, decode
from stages.reading.separated import read_separated

WORDS = ["Hello", "Dear John", "the app", "is good", "1", "2,50", "bye", "thanks", "see: a", "tab\there", "x;y", "yes"]


def rows_of(content: str, file_format: str) -> list[Row]:
    dialect = Dialect(file_format, settings=OPTIONS)
    stream = decode(io.BytesIO(content.encode()), dialect)
    return list(read_separated(Lines(stream, "a", dialect), "a", dialect).rows)


def plain(file_format: str, layout: list[str], line_end: str = "\n", joined: tuple[int, int] = (10, 14)) -> str:
    """40 rows without quoting; quotes stand at the start of the text of one row and the end of that of another."""
    lines = [layout]
    for number in range(40):
        text = f"text number {number}"
        text = f'"Hello {text}' if number == joined[0] else f'{text} bye"' if number == joined[1] else text
        cells = {"text": text, "label": ["good", "bad", "so so"][number % 3], "id": str(number), "note": ""}
        lines.append([cells[column] for column in layout])
    return line_end.join(DELIMITERS[file_format].join(line) for line in [*lines, []])


LAYOUTS = [["text", "label"], ["label", "text"], ["id", "text"], ["id", "text", "label"], ["text", "note", "label"]]


@pytest.mark.parametrize("file_format", DELIMITERS)
@pytest.mark.parametrize("layout", LAYOUTS, ids="-".join)
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("joined", [(10, 14), (10, 11), (0, 1), (0, 39), (38, 39), (3, 30)])
def test_joined_rows_are_refused_with_their_lines(
    file_format: str, layout: list[str], line_end: str, joined: tuple[int, int]
) -> None:
    content = plain(file_format, layout, line_end, joined)
    if joined == (0, 39) and "id" not in layout:
        pytest.skip("no row is left that shows what a label is")
    problems = [(row.number, row.problem) for row in rows_of(content, file_format) if row.problem]
    assert len(problems) == 1
    first, last = joined[0] + 2, joined[1] + 2
    assert problems[0][0] == first
    rows = last - first + 1
    assert problems[0][1] == f"lines {first} to {last} look like {rows} rows that quotes join: add --no-quoting"


def test_quotes_that_join_each_pair_of_rows_are_refused() -> None:
    lines = [f'"a {n}\tgood\nb {n}"\tbad\n' for n in range(20)]
    assert all(row.problem for row in rows_of("text\tlabel\n" + "".join(lines), "tsv"))


@pytest.mark.parametrize("file_format", DELIMITERS)
@pytest.mark.parametrize("layout", LAYOUTS, ids="-".join)
@pytest.mark.parametrize("seed", range(20))
def test_texts_with_line_ends_are_read(file_format: str, layout: list[str], seed: int) -> None:
    """Lines with as many delimiters as columns are among them."""
    draw, expected = random.Random(seed), []
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, delimiter=DELIMITERS[file_format], lineterminator="\n")
    writer.writerow(layout)
    for number in range(200):
        marks = [" ", "\n", ", ", ",", "\t", "\n", "\n"]
        text = "".join(draw.choice(WORDS) + draw.choice(marks) for _ in range(draw.randint(1, 8))) + "end"
        cells = {"text": text, "label": draw.choice(["good", "bad"]), "id": str(number + 100), "note": ""}
        expected.append([cells[column] for column in layout])
        writer.writerow(expected[-1])
    rows = rows_of(stream.getvalue(), file_format)
    assert [(row.cells, row.problem) for row in rows] == [(cells, None) for cells in expected]
