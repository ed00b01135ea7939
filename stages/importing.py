"""Imports of large packages: without the garbage collector, and with threads that soon let others have their core.

The packages make a million objects and no garbage, and the collector goes over all of them again and again: over a
third of the time that a stage takes to import torch, transformers and Lightning and to end.

GNU OpenMP, with which torch computes, reads its settings once, when it is loaded. By itself a thread that waits for the
others keeps its core busy for milliseconds, which is the core that they need where other work runs too.

torchmetrics, which Lightning imports, loads all of scipy.signal to add a function that one audio metric calls. That is
an eighth of the processor time in which finetune starts, and nothing here listens to audio.
"""

import gc
import os
import sys
from types import ModuleType

SPINS = "10000"  # a fraction of a millisecond; measured in benchmarks/run.md, beside other work and alone

_NO_SIGNAL = ModuleType("scipy.signal")
_NO_SIGNAL.hamming = None  # type: ignore[attr-defined]  # the name that torchmetrics looks for


def start_imports() -> None:
    """Let the garbage collector rest until `end_imports`, and threads wait awake for `SPINS` turns at most.

    What a person has set about threads that wait stays.
    """
    gc.disable()
    sys.modules.setdefault(_NO_SIGNAL.__name__, _NO_SIGNAL)
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", SPINS)


def end_imports() -> None:
    """Let the collector work again, for what is made from now on, and scipy.signal be imported by whoever needs it."""
    if sys.modules.get(_NO_SIGNAL.__name__) is _NO_SIGNAL:
        del sys.modules[_NO_SIGNAL.__name__]
    gc.freeze()
    gc.enable()
