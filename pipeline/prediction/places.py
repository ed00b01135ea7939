"""The files that a run reads and writes: refused before the first row where they can't be."""

import os
import tempfile
from io import BufferedReader
from pathlib import Path

from pipeline.prediction.resume import IDENTITY, partial_folder
from stages.errors import DataError, refusal
from stages.files import follow_link
from stages.special_files import SpecialFileError, kind_of, open_regular


def open_file(path: Path) -> BufferedReader:
    """Open a regular file for reading; never wait for another program.

    Raises:
        DataError: It is missing, is not a regular file, or may not be read.
    """
    try:
        return open_regular(path)
    except SpecialFileError as error:
        if error.kind == "a folder":
            raise DataError(f"--file {path} is a folder. Give a file.") from error
        message = f"--file {path} is {error.kind}, not a file. Send it to standard input: --file - < {path}"
        raise DataError(message) from error
    except FileNotFoundError as error:
        raise DataError(f"{path} is missing. Give an existing file, or - for standard input.") from error
    except (OSError, ValueError, RuntimeError) as error:  # a name with a NUL; a link that leads to itself
        raise DataError(f"--file {path} can't be read: {refusal(error, 'give another file')}") from error


def check_out(out: Path, *, file: Path | None, model: Path) -> None:
    """Check that `out` can become the file of the results, and that this destroys nothing else.

    Args:
        out: The file to write.
        file: The input; None: standard input.
        model: The model's folder.

    Raises:
        DataError: It can't be written, or is of the input or the model.
    """
    try:
        target = follow_link(out)
        for place in dict.fromkeys((out, target)):
            _check_file(place)
        _check_partial(partial_folder(target), file)
        if file and file.exists() and out.exists() and out.samefile(file):
            raise DataError(f"--out {out} is also the input. Give another name.")
        if model.resolve() in out.resolve().parents:
            raise DataError(f"--out {out} is in the model's folder {model}. Give a place outside it.")
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: links that lead in a circle
        raise DataError(f"--out {out} can't be written: {refusal(error, 'give another place')}") from error


def _check_file(out: Path) -> None:
    if not out.parent.is_dir():
        problem = "is not a folder" if out.parent.exists() else "does not exist"
        raise DataError(f"--out {out}: {out.parent} {problem}. Create the folder, or give another one.")
    kind = kind_of(out.stat()) if out.exists() else None
    if kind == "a folder":
        raise DataError(f"--out {out} is a folder. Give the name of a file in it.")
    if kind:
        raise DataError(f"--out {out} is {kind}, not a file. Leave out --out, and redirect standard output there.")
    with tempfile.TemporaryFile(dir=out.parent):  # the system says why not: permissions, a read-only disk, a quota
        pass
    if out.exists():
        os.close(os.open(out, os.O_WRONLY | os.O_NONBLOCK))


def _check_partial(folder: Path, file: Path | None) -> None:
    """Refuse what stands where finished rows are kept, and is not of an earlier run."""
    if not os.path.lexists(folder):
        return
    ours = folder.is_dir() and not folder.is_symlink()
    if ours and any(folder.iterdir()):
        ours = (folder / IDENTITY).is_file() and not (file and folder.resolve() in file.resolve().parents)
    if not ours:
        raise DataError(
            f"{folder} is in the way: a run keeps its finished rows there until all are done. Move it, or give --out "
            "another name."
        )
