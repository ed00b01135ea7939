"""Imports of large packages, without the garbage collector.

They make a million objects and no garbage, and it goes over all of them again and again: over a third of the time that
a stage takes to import torch, transformers and Lightning and to end.
"""

import gc


def start_imports() -> None:
    """Let the garbage collector rest, until `end_imports`."""
    gc.disable()


def end_imports() -> None:
    """Let the collector work again, for what is made from now on."""
    gc.freeze()
    gc.enable()
