"""What every stage's command does around its work: argument, params, log, timings, and errors as one line."""

import argparse
import logging
import re
import resource
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import psutil

from stages.errors import ParamsError, RetuneError, explain
from stages.files import write_json
from stages.importing import end_imports, start_imports
from stages.out_of_memory import full_memory_explained
from stages.params import Params, read_params
from stages.parent import follow_parent, is_started_by_dvc_alone, tell_inputs_are_read
from stages.paths import Paths
from stages.redaction import redact_output
from stages.warm import hand_over

MEMORY_HINTS = {  # stage -> what lowers its need
    "download": "Give it fewer rows at a time: more and smaller files",
    "tokenize": "Lower tokenize.max_length",
    "finetune": "Lower finetune.batch_size or tokenize.max_length",
    "evaluate": "Lower tokenize.max_length",
    "crossfit": "Lower finetune.batch_size or tokenize.max_length",
    "extrapolate": "Lower tokenize.max_length",
    "report": "Lower report.baseline_rows",
}
log = logging.getLogger(__name__)


def _is_stage(module: ModuleType) -> bool:
    return module.__spec__ is not None and module.__spec__.name.startswith("stages.")


def _end_at_once_when_interrupted() -> None:
    """Let Ctrl-C end this process as SIGTERM does.

    As an exception it can come up anywhere in a library, be swallowed there, or leave a thread that Python waits for
    without end. Nothing is left to clean up: files and folders are replaced whole, and the next run removes half ones.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else the caller has this process ignore it
        signal.signal(signal.SIGINT, signal.SIG_DFL)


if _is_stage(sys.modules["__main__"]):  # this is a stage's command; tests and other programs only import
    _end_at_once_when_interrupted()
    hand_over()
    start_imports()  # `run` ends them


@dataclass(frozen=True)
class Argument:
    """The argument of a stage that dvc.yaml repeats."""

    name: str  # as --help shows it; with `--` an option, as a `matrix` of DVC writes it
    type: Callable[[str], Any] = str
    choices: tuple[str, ...] | None = None


def run(
    main: Callable[..., Mapping[str, float] | None], *, stage: str, doc: str | None, argument: Argument | None = None
) -> None:
    """Run a stage's `main(params, paths[, argument])` as a command; an error that a user can fix is one line.

    Args:
        main: The stage. What it returns is added to the stage's timings (seconds, megabytes and the like, by name).
        stage: Name of the stage in dvc.yaml.
        doc: The module's docstring, shown by --help.
        argument: The stage's argument, if it has one.
    """
    end_imports()
    values = _parse_arguments(stage, doc or "", argument)
    configure_log()
    paths = Paths()
    name = "@".join([stage, *map(str, values)])
    try:
        check_interpreter()
        follow_parent()
        with full_memory_explained(name, MEMORY_HINTS.get(stage)):
            params = read_params(paths.params)
            tell_inputs_are_read()
            measured = main(params, paths, *values)
        write_json(paths.timing(name), {**_measure(), **(measured or {})})
        if is_started_by_dvc_alone():
            _check_unedited(params, paths.params, stage=stage, name=name)
    except (RetuneError, OSError) as error:
        line = explain(error) or _missing_input(error)
        if line is None:
            raise
        print(f"error: {line}", file=sys.stderr)
        raise SystemExit(1) from None


def _check_unedited(before: Params, path: Path, *, stage: str, name: str) -> None:
    """Check that DVC, which reads params.yaml when this process has ended, records the values that it ran with.

    Raises:
        ParamsError: The stage's own section has other values now, or nobody can read it.
    """
    now = read_params(path)
    if getattr(now, stage) != getattr(before, stage):
        raise ParamsError(
            f"{stage} in params.yaml was edited while {name} ran, and DVC would record its result as one of the edited "
            f"values. Run it again. Or put the values back, and keep the result: dvc commit --force {name}"
        )
    if now.model_dump(exclude={"machine"}) != before.model_dump(exclude={"machine"}):
        log.warning("params.yaml was edited while %s ran, and DVC records it as it is now.", name)


def check_interpreter() -> None:
    """Check that Python keeps docstrings: transformers reads its own, and can't be imported without them.

    Raises:
        RetuneError: It drops them.
    """
    if sys.flags.optimize > 1:
        raise RetuneError("Python drops docstrings (PYTHONOPTIMIZE=2 or -OO), which transformers needs. Unset it.")


def _missing_input(error: Exception) -> str | None:
    """Return which output of an earlier stage is missing: a person started this one by hand, without DVC."""
    path = re.search(r"'(data/[^']+)'", str(error)) if isinstance(error, FileNotFoundError) else None
    return None if path is None else f"{path[1]} is missing. Make it with: dvc repro (or dvc pull)"


def configure_log() -> None:
    """Send the log to standard error: lines of the stages from INFO on, those of libraries from WARNING on."""
    redact_output()
    logging.basicConfig(format="%(message)s", level=logging.WARNING, stream=sys.stderr)
    logging.getLogger("stages").setLevel(logging.INFO)
    logging.captureWarnings(True)


def _parse_arguments(stage: str, doc: str, argument: Argument | None) -> tuple[Any, ...]:
    parser = argparse.ArgumentParser(
        prog=f"python -m stages.{stage}", description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    if argument:
        added = parser.add_argument(argument.name, type=argument.type, choices=argument.choices)
        added.required = True
    parsed = parser.parse_args()
    return (getattr(parsed, argument.name.removeprefix("--")),) if argument else ()


def _measure() -> dict[str, float]:
    seconds = time.time() - psutil.Process().create_time()  # since the process started, so with its imports
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2)
    return {"seconds": round(seconds, 1), "peak_memory_mb": round(peak)}
