"""Which options fit which kind of target: checked when params.yaml is read, at download, and before a training."""

from collections.abc import Iterator, Mapping

from stages.errors import ParamsError
from stages.schema import Finetune
from stages.targets.target import MONITORS, Kind

NAMES: Mapping[Kind, str] = {
    "classes": "one of several classes",
    "ordered": "one of several classes in order",
    "label_set": "a set of labels",
    "number": "a number",
}


def option_problems(kind: Kind, options: Finetune) -> Iterator[tuple[str, str]]:
    """Yield the key in section finetune, and the problem, of each option that makes no sense for a kind of target."""
    label = f"but the label is {NAMES[kind]}"
    if options.monitor not in MONITORS[kind]:
        yield "monitor", f"is {options.monitor}, {label}. Set one of: {', '.join(MONITORS[kind])}."
    if kind != "number" and options.loss != "auto":
        yield "loss", f"is {options.loss}, which is for numbers, {label}. Set it to auto."
    if kind == "number" and options.class_weights != "none":
        yield "class_weights", f"is for classes, {label}. Set it to none."
    if kind == "number" and options.label_smoothing:
        yield "label_smoothing", f"is for classes, {label}. Set it to 0.0."


def check_options(kind: Kind, options: Finetune) -> None:
    """Check that section finetune fits the kind of target.

    Raises:
        ParamsError: An option makes no sense for it.
    """
    for key, problem in option_problems(kind, options):
        raise ParamsError(f"finetune.{key} {problem}")
