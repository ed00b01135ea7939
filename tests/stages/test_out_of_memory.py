"""A full memory is one line that says what to change, whichever library asked for more."""

import errno

import numpy as np
import pytest
import torch

from stages.errors import OutOfMemoryError
from stages.out_of_memory import full_memory_explained, is_out_of_memory


def ask_numpy() -> None:
    np.empty(1 << 60, dtype=np.uint8)


def ask_torch() -> None:
    torch.empty(1 << 60, dtype=torch.uint8)


def ask_python() -> None:
    bytearray(1 << 62)


@pytest.mark.parametrize("ask", [ask_numpy, ask_torch, ask_python])
def test_what_the_libraries_really_raise_is_one_line(ask: object) -> None:
    expected = r"^finetune@42 ran out of memory \(.+\)\. Lower x or use a machine with more memory\.$"
    with pytest.raises(OutOfMemoryError, match=expected) as caught, full_memory_explained("finetune@42", "Lower x"):
        ask()  # type: ignore[operator]
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: x"),
        RuntimeError("std::bad_alloc"),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
    ],
)
def test_a_full_memory_is_known(error: BaseException) -> None:
    assert is_out_of_memory(error)
    with pytest.raises(OutOfMemoryError, match="Use a machine with more memory"), full_memory_explained("report"):
        raise error


@pytest.mark.parametrize("error", [RuntimeError("shapes differ"), OSError(errno.ENOSPC, "x"), ValueError("bad_alloc")])
def test_other_errors_stay_as_they_are(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, full_memory_explained("report"):
        raise error
    assert caught.value is error
