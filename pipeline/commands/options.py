"""Options that several commands share."""

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import typer

Overrides = Annotated[
    list[str] | None, typer.Option("-S", "--set", metavar="KEY=YAML", help="Another value; may be repeated.")
]
Options = TypeVar("Options")


def sharing(kind: Callable[..., Options]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command every field of a dataclass as an option, after its own; it gets them as its first argument.

    Args:
        kind: The dataclass; its fields are annotated as typer's options are.
    """
    shared = inspect.signature(kind, eval_str=True).parameters

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        _, *own = inspect.signature(command, eval_str=True).parameters.values()

        @functools.wraps(command)
        def expanded(**values: Any) -> None:
            options = kind(**{name: values.pop(name) for name in shared})
            command(options, **values)

        expanded.__signature__ = inspect.Signature([*own, *shared.values()])  # type: ignore[attr-defined]
        return expanded

    return decorate
