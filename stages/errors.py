"""The errors that retune raises for what a user can fix.

* RetuneError
  * ParamsError      params.yaml or a recipe is wrong
  * DataError        the data set is missing, unreadable or unusable
  * ModelError       the model is missing, unsafe or does not fit
  * TrainingError    fine-tuning can't start or can't continue
  * ReportError      results that the report needs are missing or contradict each other
  * OrphanError      DVC, which started a stage, has ended
  * OutOfMemoryError the machine's or the GPU's memory is full
  * PipelineError    the graph, the plan, a revision or a run is broken or can't be used
    * UnavailableError   a result that dvc.lock names is in no cache and no remote

A message says what is wrong, where (file, row, key), the value, and what to do. It is printed as one line, and the
exit code is 1; `explain` makes that line, also for what the operating system refuses, such as a full disk. Any other
exception keeps its traceback: it is a bug in retune.
"""

import errno
import os
from pathlib import Path

from stages.redaction import redact


class RetuneError(Exception):
    """Base of every error that a user can fix; its message shows no secret, whichever library's error it quotes."""

    def __init__(self, message: object = "") -> None:
        super().__init__(redact(str(message)))


class ParamsError(RetuneError):
    """params.yaml or a recipe is wrong."""


class DataError(RetuneError):
    """The data set is missing, unreadable or unusable."""


class ModelError(RetuneError):
    """The model is missing, unsafe or does not fit."""


class TrainingError(RetuneError):
    """Fine-tuning can't start or can't continue."""


class ReportError(RetuneError):
    """Results that the report needs are missing or contradict each other."""


class OrphanError(RetuneError):
    """DVC, which started a stage, has ended."""


class OutOfMemoryError(RetuneError):
    """The machine's or the GPU's memory is full."""


class PipelineError(RetuneError):
    """The graph, the plan, a revision or a run is broken or can't be used."""


class UnavailableError(PipelineError):
    """A result that dvc.lock names is in no cache and no remote."""


REFUSED = {  # what the operating system refuses and a user can change
    errno.ENOSPC: "no space is left on the disk. Free some, then run the command again",
    errno.EDQUOT: "the disk quota is used up. Free some space, then run the command again",
    errno.EFBIG: "the file is larger than is allowed here. Raise the limit (ulimit -f), or use another disk",
    errno.EROFS: "the file system is read-only. Make it writable, or copy the project elsewhere",
    errno.EACCES: "permission denied. Give yourself access (chmod, chown), or work as the user who has it",
    errno.EPERM: "the operation is not permitted. Give yourself access (chown, chattr), or copy the project elsewhere",
    errno.EIO: "the disk reports an error. Check it, and restore what it held",
    errno.ENOTDIR: "a file is where a folder is expected. Move it away",
    errno.EEXIST: "a file is where a folder is expected. Move it away",
    errno.EISDIR: "a folder is where a file is expected. Move it away",
    errno.ENOTEMPTY: "the folder was written to while it was removed. Run the command again",
    errno.ELOOP: "the symbolic link leads to itself. Remove it",
    errno.ENAMETOOLONG: "the name is too long. Shorten it",
    errno.EMFILE: "too many files are open. Raise the limit (ulimit -n)",
    errno.ENFILE: "too many files are open on this machine. End what opens them",
}


def refusal(error: Exception, otherwise: str) -> str:
    """Return why something can't be read or written, without its path, and what to do.

    Args:
        error: What was raised.
        otherwise: What else to do: `give another file`.
    """
    if isinstance(error, OSError) and error.errno in REFUSED:
        return f"{REFUSED[error.errno]}, or {otherwise}."
    return f"{(isinstance(error, OSError) and error.strerror) or error}. {otherwise[0].upper()}{otherwise[1:]}."


def _in_the_way(name: str | bytes | int) -> str:
    """Return the file that stands where a folder of the path is expected; else the path."""
    path = Path(os.fsdecode(name)) if isinstance(name, str | bytes) else Path(f"file descriptor {name}")
    blocking = (parent for parent in path.parents if os.path.isfile(parent))  # noqa: PTH113  (False if access is denied)
    return str(next(blocking, path))


def explain(error: Exception) -> str | None:
    """Return what a user reads of an error that a user can fix, in one line; None for any other: it is a bug.

    Characters that would act on a terminal are written as escapes.
    """
    if isinstance(error, RetuneError):
        text = str(error)
    elif isinstance(error, OSError) and error.errno in REFUSED:
        places = dict.fromkeys(_in_the_way(name) for name in (error.filename, error.filename2) if name is not None)
        text = f"{' and '.join(places) or 'a file or standard output'}: {REFUSED[error.errno]}."
    else:
        return None
    words = " ".join(text.split())
    return "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in words)
