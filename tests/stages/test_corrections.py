"""The file of corrections: what can be wrong with it is one line, and what was written is read back."""

from pathlib import Path

import pytest

from stages.corrections import COLUMNS, Correction, latest_of_each, read_corrections, text_hash, write_corrections
from stages.errors import DataError

HEADER = ",".join(COLUMNS)
ROWS = [
    Correction("r1", "00ff", "a", "relabel", "b", "me", "2026-01-01T00:00:00Z", 'says "b",\nplainly'),
    Correction("=1+1", "00ff", "-1", "keep", note=" blank "),
    Correction("r3", "00ff", '["a", "b"]', "relabel", "[]"),
    Correction("r\r4", "00ff", "ü", "set_aside"),
]


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "corrections.csv"
    write_corrections(path, ROWS)
    assert read_corrections(path, name="x") == ROWS


def test_no_file_has_no_corrections(tmp_path: Path) -> None:
    assert read_corrections(tmp_path / "corrections.csv", name="x") == []


EARLY, LATE = "2026-01-01T09:00:00Z", "2026-01-01T10:00:00Z"


@pytest.mark.parametrize(
    ("times", "counts"),
    [
        (["", ""], 1),
        ([EARLY, EARLY], 1),
        ([EARLY, LATE], 1),
        ([LATE, EARLY], 0),
        ([LATE, ""], 1),
        (["", EARLY], 1),
        ([LATE, "", EARLY], 1),
        ([EARLY, "", LATE], 2),
        ([LATE, "01.02.2025 10:00"], 1),
        ([LATE, "2026-01-01"], 1),
        ([LATE, "2026-99-01T10:00:00Z"], 1),
        ([LATE, f" {EARLY} "], 0),
    ],
)
def test_the_latest_line_for_a_row_counts_and_without_times_the_last(times: list[str], counts: int) -> None:
    lines = [Correction("r1", "00ff", "a", "relabel", str(n), when=when) for n, when in enumerate(times)]
    assert latest_of_each([ROWS[1], *lines]) == {ROWS[1].id: ROWS[1], "r1": lines[counts]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "x.csv has no column 'id', 'text_hash'"),
        (b"id,new_label\nr1,b\n", "x.csv has no column 'text_hash', 'old_label', 'decision'"),
        (f"{HEADER}\nr1,0,a,relabel,b\n".encode(), "x.csv line 2 has 5 fields, but the header has 8"),
        (f"{HEADER}\nr1,0,a,maybe,b,,,\n".encode(), "x.csv line 2: decision is 'maybe'. Give one of: relabel, keep"),
        (f"{HEADER}\n,0,a,keep,,,,\n".encode(), "x.csv line 2: id is empty"),
        (f"{HEADER}\nr1,0,a,relabel,,,,\n".encode(), "x.csv line 2: new_label is empty"),
        (f'{HEADER}\nr1,0,a,keep,,,,"open\n'.encode(), "x.csv line 2 is not CSV"),
        (f"{HEADER}\n<<<<<<< HEAD\n".encode(), "x.csv line 2 is a conflict marker of a git merge"),
        (f"{HEADER}\nr1,0,caf\u00e9,keep,,,,\n".encode("cp1252"), "x.csv line 2 is not UTF-8. It looks like cp1252"),
        (b"PK\x03\x04" + bytes(20), "x.csv: expected CSV (UTF-8), got a zip file"),
    ],
    ids=["empty", "columns", "fields", "decision", "id", "new label", "quote", "conflict", "cp1252", "workbook"],
)
def test_what_is_wrong_with_the_file_is_one_line(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "corrections.csv"
    path.write_bytes(content)
    with pytest.raises(DataError) as raised:
        read_corrections(path, name="x.csv")
    assert str(raised.value).startswith(message)
    assert "\n" not in str(raised.value)


def test_remains_of_another_encoding_in_a_text_are_read_as_they_are(tmp_path: Path) -> None:
    """ESC `$B` begins Japanese in ISO-2022-JP, but a file that is UTF-8 throughout is UTF-8."""
    path = tmp_path / "corrections.csv"
    line = Correction("r\x1b$B1", "00ff", "\u00fc", "keep", note="see \x1b$B log")
    write_corrections(path, [line])
    assert read_corrections(path, name="x") == [line]


SAVED = {  # how programs save a file: its bytes
    "a mark of byte order and line ends of Windows": f"\ufeff{HEADER}\nr1,0,a,keep,,,,\n\n".replace(
        "\n", "\r\n"
    ).encode(),
    "semicolons": f"{HEADER}\nr1,0,a,keep,,,,\n".replace(",", ";").encode(),
    "Unicode text": f"{HEADER}\nr1,0,a,keep,,,,\n".replace(",", "\t").encode("utf-16"),
    "emptied rows": f"{HEADER}\n,,,,,,,\nr1,0,a,keep,,,,\n,,,,,,,\n".encode(),
    "the header of the other branch": f"{HEADER}\n\ufeff{HEADER}\r\nr1,0,a,keep,,,,\r\n".encode(),
}


@pytest.mark.parametrize("how", SAVED)
def test_a_file_that_a_program_saved_in_a_form_of_its_own_is_read(how: str, tmp_path: Path) -> None:
    path = tmp_path / "corrections.csv"
    path.write_bytes(SAVED[how])
    assert read_corrections(path, name="x") == [Correction("r1", "0", "a", "keep")]


def test_a_hash_is_sixteen_digits_of_any_key() -> None:
    assert [text_hash(key) for key in (0, -1, -(2**63))] == ["h" + "0" * 16, "h" + "f" * 16, "h8" + "0" * 15]


@pytest.mark.parametrize("key", [1234567890123456, 0x1E5, 0x123E456])
def test_no_program_takes_a_hash_for_a_number(key: int) -> None:
    with pytest.raises(ValueError, match="could not convert"):
        float(text_hash(key))
