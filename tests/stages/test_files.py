import csv
import errno
import hashlib
import io
import os
from pathlib import Path

import pytest

from stages.errors import explain
from stages.files import csv_writer, read_json, replace_file, replace_folder, sha256, write_json, write_text


def test_a_file_appears_whole(tmp_path: Path) -> None:
    with replace_file(tmp_path / "a/b.txt") as temporary:
        temporary.write_text("new")
        assert not (tmp_path / "a/b.txt").exists()
    assert (tmp_path / "a/b.txt").read_text() == "new"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b.txt"]


def test_a_failure_keeps_the_old_file_and_leaves_no_other(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_text("old")
    with pytest.raises(OSError, match="disk full"), replace_file(tmp_path / "b.txt") as temporary:
        temporary.write_text("half")
        raise OSError("disk full")
    assert (tmp_path / "b.txt").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["b.txt"]


def test_a_folder_appears_whole_and_replaces_the_old_one(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/old").touch()
    (tmp_path / "out.partial").mkdir()
    (tmp_path / "out.partial/left-by-a-killed-run").touch()
    with replace_folder(tmp_path / "out") as temporary:
        (temporary / "new").touch()
    assert [path.relative_to(tmp_path).as_posix() for path in sorted(tmp_path.rglob("*"))] == ["out", "out/new"]


def test_a_failure_keeps_the_old_folder(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/old").touch()
    with pytest.raises(OSError, match="disk full"), replace_folder(tmp_path / "out") as temporary:
        (temporary / "half").touch()
        raise OSError("disk full")
    assert [path.relative_to(tmp_path).as_posix() for path in sorted(tmp_path.rglob("*"))] == ["out", "out/old"]


def test_json_keeps_order_and_letters_and_refuses_nan(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"b": "ä", "a": [1.5]})
    assert (tmp_path / "a.json").read_text(encoding="utf-8") == '{\n  "b": "ä",\n  "a": [\n    1.5\n  ]\n}\n'
    assert list(read_json(tmp_path / "a.json")) == ["b", "a"]
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", float("nan"))
    assert read_json(tmp_path / "a.json")["b"] == "ä"


def test_sha256(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256(tmp_path / "a") == hashlib.sha256(b"abc").hexdigest()


@pytest.mark.parametrize("cell", ["a\rb", "\r", "a\nb", "a\r\nb", 'a"b', "a,b", " a", "", "a\tb"], ids=ascii)
@pytest.mark.parametrize("delimiter", [",", "\t"], ids=ascii)
def test_a_cell_with_any_line_break_is_one_cell(cell: str, delimiter: str) -> None:
    file = io.StringIO(newline="")
    csv_writer(file, delimiter).writerows([[cell, "x"], ["y", cell]])
    assert list(csv.reader(io.StringIO(file.getvalue(), newline=""), delimiter=delimiter)) == [[cell, "x"], ["y", cell]]
    assert file.getvalue().endswith("\n")
    assert not file.getvalue().endswith("\r\n")


def test_a_disk_on_which_nobody_sets_permissions_keeps_a_person_s_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All its files have the same; a refusal at the end would lose what was written."""

    def refuse(path: object, mode: int, **options: object) -> None:
        raise PermissionError(1, "Operation not permitted", str(path))

    write_text(tmp_path / "a.txt", "old")
    monkeypatch.setattr(os, "chmod", refuse)
    write_text(tmp_path / "a.txt", "new", of_person=True)
    assert (tmp_path / "a.txt").read_text() == "new"


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO])
def test_a_full_disk_is_told_with_the_file(tmp_path: Path, code: int) -> None:
    with pytest.raises(OSError) as caught, replace_file(tmp_path / "b.txt"):
        raise OSError(code, os.strerror(code))  # as `write` does, which knows no name
    assert str(explain(caught.value)).startswith(f"{tmp_path / 'b.txt'}: ")


def test_an_error_of_something_else_is_not_that_of_the_file(tmp_path: Path) -> None:
    with pytest.raises(ConnectionRefusedError) as caught, replace_file(tmp_path / "b.txt"):
        raise OSError(errno.ECONNREFUSED, "refused")
    assert caught.value.filename is None
