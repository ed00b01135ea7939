"""How every stage starts and ends: arguments, params, log, timing, and errors as one line."""

import argparse
import logging
import resource
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import psutil

from stages.errors import RetuneError
from stages.files import write_json
from stages.params import read_params
from stages.paths import Paths


@dataclass(frozen=True)
class Item:
    """The one argument of a stage that dvc.yaml repeats with `foreach`."""

    name: str  # as --help shows it
    kind: Callable[[str], Any] = str
    choices: tuple[str, ...] | None = None


def run(
    main: Callable[..., Mapping[str, float] | None], *, stage: str, doc: str | None, item: Item | None = None
) -> None:
    """Run a stage's `main(params, paths[, item])` as a command; a RetuneError exits with 1 and one line.

    Args:
        main: The stage. What it returns is added to timing.json (seconds, megabytes and the like, by name).
        stage: Name of the stage in dvc.yaml.
        doc: The module's docstring, shown by --help.
        item: The stage's own positional argument, if it has one.
    """
    value = _arguments(stage, doc or "", item)
    configure_log()
    paths = Paths()
    try:
        measured = main(read_params(paths.params), paths, *value)
    except RetuneError as error:
        one_line = " ".join(str(error).splitlines())
        print(f"error: {one_line}", file=sys.stderr)
        raise SystemExit(1) from None
    name = "@".join([stage, *map(str, value)])
    write_json(paths.timing(name), {**_measure(), **(measured or {})})


def configure_log() -> None:
    """Send the log to standard error: our own lines from INFO on, the libraries' from WARNING on."""
    logging.basicConfig(format="%(message)s", level=logging.WARNING, stream=sys.stderr)
    logging.getLogger("stages").setLevel(logging.INFO)
    logging.captureWarnings(True)


def _arguments(stage: str, doc: str, item: Item | None) -> tuple[Any, ...]:
    parser = argparse.ArgumentParser(
        prog=f"python -m stages.{stage}", description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    if item:
        parser.add_argument(item.name, type=item.kind, choices=item.choices)
    arguments = parser.parse_args()
    return (getattr(arguments, item.name),) if item else ()


def _measure() -> dict[str, float]:
    seconds = time.time() - psutil.Process().create_time()  # from the start of the process: imports count
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2)
    return {"seconds": round(seconds, 1), "peak_memory_mb": round(peak)}
