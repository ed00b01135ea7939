"""`retune`: write parameters, see what a change would re-run, run it, and read the results."""

import signal
import threading

_IS_FIRST = (
    threading.current_thread() is threading.main_thread()
    and signal.getsignal(signal.SIGINT) is signal.default_int_handler
)
if _IS_FIRST:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C during the imports ends the process without a traceback

# ruff: noqa: E402
import logging
import sqlite3
import sys
from typing import Annotated, NoReturn

import typer

from pipeline.commands import accept, compare, deploy, doctor, init, plan, predict, review, run, status, suggest
from pipeline.commands.loopback import bypass_proxies
from pipeline.commands.terminal import leave
from stages.errors import RetuneError, explain
from stages.out_of_memory import full_memory_explained
from stages.redaction import redact_output

if _IS_FIRST:
    signal.signal(signal.SIGINT, signal.default_int_handler)
RECORDS = (  # DVC keeps them in SQLite
    "They are in .dvc/tmp and in core.site_cache_dir: free disk space, or change the limits (ulimit -f) or permissions."
)
app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode="markdown", help=__doc__)
for command in (
    *(init.init, plan.use, plan.plan, accept.accept, run.run, run.results, status.status, run.ui),
    *(predict.predict, predict.embed, suggest.suggest),
    *(compare.compare, compare.log),
    review.review,
    *(deploy.deploy, deploy.reconcile),
    doctor.doctor,
):
    app.command()(command)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"retune {version('retune')}")
        raise typer.Exit


@app.callback(help=__doc__)
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Options of `retune` itself."""


def main() -> NoReturn:
    """Run the command and exit; an error that the user can fix is one line and exit code 1."""
    _configure_log()
    bypass_proxies()
    signal.signal(signal.SIGTERM, _end)
    code = 0
    try:
        with full_memory_explained(" ".join(["retune", *sys.argv[1:2]])):
            app(standalone_mode=True)
    except (RetuneError, OSError) as error:
        line = explain(error)
        if line is None:
            raise
        print(f"error: {line}", file=sys.stderr)
        code = 1
    except sqlite3.OperationalError as error:
        print(f"error: DVC can't use its records of files: {error}. {RECORDS}", file=sys.stderr)
        code = 1
    except KeyboardInterrupt:  # before or after the command itself, which has its own answer
        code = 128 + signal.SIGINT
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        redact_output()  # again: typer has set a hook of its own for tracebacks
    leave(code)


def _end(*_: object) -> None:
    """End as after an error, so that temporary files are removed."""
    raise SystemExit(128 + signal.SIGTERM)


def _configure_log() -> None:
    """Print this project's log lines from INFO on to standard error; libraries keep their own handlers."""
    redact_output()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    for name in ("pipeline", "stages"):
        logging.getLogger(name).addHandler(handler)
        logging.getLogger(name).setLevel(logging.INFO)
        logging.getLogger(name).propagate = False


if __name__ == "__main__":
    main()
