"""Inputs and outputs that can't be: refused before the first row, with nothing left behind and nothing changed."""

import errno
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from stat import S_ISDIR
from typing import Any

import pytest

from pipeline.prediction.input_format import InputOptions
from pipeline.prediction.places import open_file
from pipeline.prediction.request import PredictionRequest
from pipeline.prediction.resume import Counts, PartialOutput
from pipeline.prediction.run import embed_rows, predict_rows
from stages.errors import REFUSED as REFUSED_BY_SYSTEM
from stages.errors import DataError, RetuneError
from stages.inference.classifier import Classifier
from tests.pipeline.commands import in_process
from tests.pipeline.prediction.rows import write_csv


def no_model(folder: Path) -> Classifier:
    raise AssertionError("refusals come before the model is loaded")


def run_predict(request: PredictionRequest) -> None:
    predict_rows(request, no_model, every_label=False)


def run_embed(request: PredictionRequest) -> None:
    embed_rows(request, no_model)


def listing(folder: Path) -> dict[str, tuple[int, int]]:
    found = {str(path): path.lstat() for path in folder.rglob("*")}
    return {
        path: (status.st_mode, 0 if S_ISDIR(status.st_mode) else status.st_mtime_ns) for path, status in found.items()
    }


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A folder with one of everything that can stand where a file is expected."""
    folder = tmp_path / "place"
    (folder / "folder").mkdir(parents=True)
    os.mkfifo(folder / "pipe.parquet")
    (folder / "device.parquet").symlink_to("/dev/full")
    (folder / "circle.parquet").symlink_to(folder / "circle.parquet")
    (folder / "elsewhere.parquet").symlink_to(folder / "folder")
    (folder / "folder.parquet").mkdir()
    (folder / "file").write_text("")
    for name in ("under-file", "under-link"):
        (folder / f"{name}.parquet").write_text("an earlier result")
    (folder / "under-file.parquet.partial").write_text("somebody's")
    (folder / "under-link.parquet.partial").symlink_to(folder / "folder")
    os.mkfifo(folder / "under-pipe.parquet.partial")
    (folder / "under-folder.parquet.partial").mkdir()
    (folder / "under-folder.parquet.partial" / "notes.txt").write_text("somebody's")
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(folder)  # the path of a socket may have 108 characters
        try:
            server.bind("socket.parquet")
        finally:
            os.chdir(here)
        yield folder


OUTS = {
    "folder.parquet": "is a folder",
    "elsewhere.parquet": "is a folder",
    "pipe.parquet": "is a named pipe, not a file",
    "socket.parquet": "is a socket, not a file",
    "device.parquet": "is a device, not a file",
    "none/out.parquet": "none does not exist. Create the folder",
    "file/out.parquet": "file is not a folder",
    "under-file.parquet": r"under-file\.parquet\.partial is in the way",
    "under-link.parquet": r"under-link\.parquet\.partial is in the way",
    "under-pipe.parquet": r"under-pipe\.parquet\.partial is in the way",
    "under-folder.parquet": r"under-folder\.parquet\.partial is in the way",
    "../in.parquet": "is also the input",
    "../hard.parquet": "is also the input",
    "../soft.parquet": "is also the input",
    "../model/out.parquet": "is in the model's folder",
    "../model/onnx/out.parquet": "is in the model's folder",
    "../soft-model/out.parquet": "is in the model's folder",
    "x" * 250 + ".parquet": "can't be written: the name is too long. Shorten it, or give another place",
    "x" * 244 + ".parquet": "can't be written: the name is too long",  # with .partial
    "nul\0.parquet": "can't be written",
    "/proc/out.parquet": r"/proc(/out\.parquet)? can't be written",
}


@pytest.mark.parametrize("command", [run_predict, run_embed])
@pytest.mark.parametrize(("name", "message"), OUTS.items(), ids=[name[:30] for name in OUTS])
def test_an_output_that_can_not_be(
    place: Path, command: Callable[[PredictionRequest], None], name: str, message: str
) -> None:
    file = write_csv(place.parent / "in.parquet", ["good"])
    (place.parent / "hard.parquet").hardlink_to(file)
    (place.parent / "soft.parquet").symlink_to(file)
    model = place.parent / "model"
    (model / "onnx").mkdir(parents=True)
    (place.parent / "soft-model").symlink_to(model)
    before = listing(place.parent)
    with pytest.raises(DataError, match=message):
        command(PredictionRequest(str(file), place / name, model, InputOptions(format="csv")))
    assert listing(place.parent) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
@pytest.mark.parametrize("command", [run_predict, run_embed])
def test_what_may_not_be_read_or_written(tmp_path: Path, command: Callable[[PredictionRequest], None]) -> None:
    file = write_csv(tmp_path / "in.csv", ["good"])
    (tmp_path / "closed").mkdir(mode=0o500)
    (tmp_path / "kept.parquet").touch(mode=0o400)
    (tmp_path / "secret.csv").touch(mode=0o000)
    cases = [
        (file, "closed/out.parquet", "can't be written: permission denied"),
        (file, "kept.parquet", r"kept\.parquet can't be written: permission denied"),
    ]
    try:
        (tmp_path / "secret.csv").read_bytes()  # a capability lets some users read everything
    except PermissionError:
        cases.append((tmp_path / "secret.csv", "out.parquet", r"secret\.csv can't be read: permission denied"))
    for source, out, message in cases:
        before = listing(tmp_path)
        with pytest.raises(DataError, match=message):
            command(PredictionRequest(str(source), tmp_path / out, tmp_path / "model"))
        assert listing(tmp_path) == before


@pytest.mark.parametrize("command", [run_predict, run_embed])
@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("number", [errno.EROFS, errno.ENOSPC, errno.EACCES, errno.EDQUOT, errno.EPERM, errno.EIO])
def test_what_the_system_refuses_is_said_with_its_own_advice(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: Callable[[PredictionRequest], None],
    number: int,
    kept: bool,
) -> None:
    """For a new file, and for one that is there: each is tried, because permissions alone don't tell."""
    file, out = write_csv(tmp_path / "in.csv", ["good"]), tmp_path / "out.parquet"
    if kept:
        out.write_text("an earlier result")
    opened = os.open

    def refuse(path: str | Path, flags: int, *arguments: Any, **options: Any) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR) and (
            str(path) == str(out) if kept else tmp_path in Path(path, "x").parents
        ):
            raise OSError(number, os.strerror(number), str(path))
        return opened(path, flags, *arguments, **options)

    monkeypatch.setattr(os, "open", refuse)
    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    with pytest.raises(DataError) as caught:
        command(PredictionRequest(str(file), out, tmp_path / "model"))
    assert str(caught.value) == f"--out {out} can't be written: {REFUSED_BY_SYSTEM[number]}, or give another place."


INPUTS = {
    "folder": "is a folder. Give a file",
    "elsewhere.parquet": "is a folder. Give a file",
    "pipe.parquet": "is a named pipe, not a file. Send it to standard input: --file - < ",
    "socket.parquet": "is a socket, not a file",
    "device.parquet": "is a device, not a file",
    "/dev/zero": "is a device, not a file",
    "/proc/kmsg": "is a file of the system",  # it would be waited for
    "circle.parquet": "circle.parquet can't be read",
    "none.csv": "is missing",
    "file/in.csv": "can't be read: a file is where a folder is expected",
    "x" * 300: "can't be read: the name is too long. Shorten it, or give another file",
    "nul\0.csv": "can't be read",
    "\udcff.csv": "is missing",
    "file": "is empty",
}


@pytest.mark.parametrize("command", [run_predict, run_embed])
@pytest.mark.parametrize(("name", "message"), INPUTS.items(), ids=[ascii(name[:30]) for name in INPUTS])
def test_an_input_that_can_not_be(
    place: Path, command: Callable[[PredictionRequest], None], name: str, message: str
) -> None:
    before = listing(place.parent)
    with pytest.raises(DataError, match=message):
        command(
            PredictionRequest(
                str(place / name), place / "out.parquet", place.parent / "model", InputOptions(format="csv")
            )
        )
    assert listing(place.parent) == before


def test_a_pipe_put_in_place_of_the_file_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "in.csv")
    regular = write_csv(tmp_path / "other.csv", ["good"]).stat()
    monkeypatch.setattr(Path, "stat", lambda path, **_: regular)  # as it was before the pipe came
    errors = []

    def read() -> None:
        try:
            open_file(tmp_path / "in.csv")
        except DataError as error:
            errors.append(str(error))

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    thread.join(10)
    assert [" is a named pipe, not a file" in error for error in errors] == [True]


REFUSED = {  # contents of the input, name of the output, message
    "no such column": ("body\ngood\n", "out.csv", "has no column 'text'"),
    "a column twice for parquet": ("text,n,n\ngood,1,2\n", "out.parquet", "Two columns have the name 'n'"),
    "a column twice for jsonl": ("text,n,n\ngood,1,2\n", "out.jsonl", "Two columns have the name 'n'"),
    "an added name": ("text,error\ngood,1\n", "out.csv", "already has a column 'error'"),
    "the label's name": ("text,probability_spam\ngood,1\n", "out.csv", "already has a column 'probability_spam'"),
    "a first line that is none": ('text,"a"b\ngood,1\n', "out.csv", "row 1 is not CSV"),
}


@pytest.mark.parametrize("earlier", [False, True])
@pytest.mark.parametrize(("text", "out", "message"), REFUSED.values(), ids=REFUSED)
def test_rows_that_can_not_be_used_leave_nothing(
    predict: Callable[..., Path], tmp_path: Path, text: str, out: str, message: str, earlier: bool
) -> None:
    (tmp_path / "in.csv").write_text(text)
    if earlier:  # an earlier result, and the finished rows of a run that was killed
        (tmp_path / out).write_text("an earlier result")
        (tmp_path / f"{out}.partial").mkdir()
        (tmp_path / f"{out}.partial" / "run.json").write_text("{}")
        (tmp_path / f"{out}.partial" / "000000000000001-000000000000000-000000000000000.part").write_text("x")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(RetuneError, match=message):
        predict(tmp_path / "in.csv", out, every_label=True)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    assert (tmp_path / f"{out}.partial").exists() == earlier


def test_a_missing_model_leaves_nothing(tmp_path: Path) -> None:
    file = write_csv(tmp_path / "in.csv", ["good"])
    with pytest.raises(RetuneError, match="model does not exist"):
        predict_rows(
            PredictionRequest(str(file), tmp_path / "out.csv", tmp_path / "model"), Classifier.load, every_label=False
        )
    assert list(tmp_path.iterdir()) == [file]


def test_two_runs_do_not_write_one_output(predict: Callable[..., Path], tmp_path: Path) -> None:
    file = write_csv(tmp_path / "in.csv", ["good"])
    with PartialOutput(tmp_path / "out.csv", {}, resume=False) as other:
        other.add(b"text\n", Counts(1, 0, 0))
        with pytest.raises(DataError, match=r"Another run is writing .*out\.csv"):
            predict(file, "out.csv")
        assert len(other.files) == 1


@pytest.mark.parametrize("source", ["--file in.csv", "good"])
@pytest.mark.parametrize(
    ("redirected", "message", "unbuffered"),
    [
        ("<&-", b"Standard input is closed", ""),
        (">&-", b"Standard output is closed", ""),
        (">/dev/full", b"Standard output can't be written", ""),  # Python writes what it kept when it ends
        (">/dev/full", b"Standard output can't be written", "1"),
    ],
)
def test_streams_that_are_closed_or_full(
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    source: str,
    redirected: str,
    message: bytes,
    unbuffered: str,
) -> None:
    if redirected == "<&-":
        source = "--file -"
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    write_csv(tmp_path / "in.csv", ["good"])
    shell = f'exec {redirected}; exec "$@"'
    command = [sys.executable, "-m", "pipeline.cli", "predict", *source.split(), "--model", str(model)]
    result = subprocess.run(["sh", "-c", shell, "sh", *command], cwd=tmp_path, capture_output=True, check=False)
    assert result.returncode == 1
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("option", ["column", "pair-column", "format", "encoding", "delimiter", "sheet"])
def test_an_option_without_a_value_is_no_option_left_out(model: Path, tmp_path: Path, option: str) -> None:
    """As a variable of a script that is not set: another column than the meant one would be read."""
    write_csv(tmp_path / "in.csv", ["good"])
    done = in_process.run(tmp_path, "predict", "--file", "in.csv", f"--{option}", "", "--model", str(model))
    assert (done.code, done.err) == (1, f"error: --{option} is empty. Give a value, or leave it out.\n")


@pytest.mark.parametrize("option", ["--out", "--model"])
@pytest.mark.parametrize("command", ["predict --file in.csv", "embed --file in.csv", "suggest in.csv"])
def test_an_empty_path_is_not_the_current_folder(model: Path, tmp_path: Path, command: str, option: str) -> None:
    write_csv(tmp_path / "in.csv", ["good"])
    paths = {"--out": "out.parquet", "--model": str(model), option: ""}
    done = in_process.run(tmp_path, *command.split(), *[word for pair in paths.items() for word in pair])
    assert (done.code, done.err) == (1, f"error: {option} is empty. Give a value, or leave it out.\n")


@pytest.mark.parametrize(
    "option", ["--column x", "--out x.csv", "--resume", "--prefix x", "--spreadsheet-safe", "--no-header", "--sheet 0"]
)
def test_no_option_of_a_file_is_ignored_beside_texts(model: Path, tmp_path: Path, option: str) -> None:
    done = in_process.run(tmp_path, "predict", "good", *option.split(), "--model", str(model))
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("error: Texts have no columns and no file.")
    assert not list(tmp_path.glob("x*"))


@pytest.mark.parametrize("out", ["folder", "/dev/null"])
def test_an_output_that_is_no_file_is_named_so_though_its_name_has_no_format(
    model: Path, tmp_path: Path, out: str
) -> None:
    write_csv(tmp_path / "in.csv", ["good"])
    (tmp_path / "folder").mkdir()
    done = in_process.run(tmp_path, "predict", "--file", "in.csv", "--out", out, "--model", str(model))
    assert done.code == 1
    assert re.match(f"error: --out {out} is (a folder|a device|.*not a file)", done.err)


def test_a_folder_of_a_run_without_its_calibration_is_named(model: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(model, tmp_path / "model")
    (folder / "input.json").write_text('{"format": "csv"}')
    (folder / "calibration.json").unlink(missing_ok=True)
    done = in_process.run(tmp_path, "predict", "good", "--model", str(folder))
    assert done.code == 0
    assert done.err == f"{folder} has no calibration.json, so its answers differ from those of the run\n"


def test_standard_input_that_fails(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Path("/proc/self/mem").open(encoding="utf-8") as unreadable:
        monkeypatch.setattr(sys, "stdin", unreadable)
        done = in_process.run(tmp_path, "predict", "--file", "-", "--model", str(model))
    assert done.code == 1
    assert done.err.startswith("error: standard input can't be read: the disk reports an error")
