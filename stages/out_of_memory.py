"""Errors of a full memory, by whichever library they come from."""

import contextlib
import errno
from collections.abc import Iterator

from stages.errors import OutOfMemoryError

PHRASES = ("can't allocate memory", "cannot allocate memory", "out of memory", "bad_alloc", "not enough memory")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that the memory of the machine or of the GPU is full: torch's are RuntimeErrors."""
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    return isinstance(error, RuntimeError) and any(phrase in str(error).lower() for phrase in PHRASES)


@contextlib.contextmanager
def full_memory_explained(what: str, hint: str | None = None) -> Iterator[None]:
    """Raise an error of ours where the block runs out of memory: another try on this machine would fail as well.

    Args:
        what: What the block does, such as the name of a stage.
        hint: What lowers its need.

    Raises:
        OutOfMemoryError: The memory is full.
    """
    try:
        yield
    except (MemoryError, OSError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        reason = (str(error).splitlines() or ["MemoryError"])[0].partition(". ")[0]
        advice = " or ".join(part for part in (hint, "use a machine with more memory") if part)
        raise OutOfMemoryError(f"{what} ran out of memory ({reason}). {advice[0].upper()}{advice[1:]}.") from error
