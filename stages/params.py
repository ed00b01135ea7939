"""Read params.yaml and check it against `schema.py`; one error lists every problem."""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from stages.errors import ParamsError
from stages.params_problems import Steps, as_key, as_yaml, at_line, describe
from stages.redaction import holds_secret, redact
from stages.schema import Finetune, Params
from stages.shown import shorten
from stages.targets.options import option_problems
from stages.yaml_file import LONGEST, Lines, check_read_by_dvc, parse_with_lines, parse_yaml, read_text

__all__ = ["Params", "Steps", "parse_mapping", "parse_params", "parse_params_text", "parse_yaml", "read_params"]


def read_params(path: Path) -> Params:
    """Read and check params.yaml.

    Raises:
        ParamsError: The file is missing, is not YAML, or has wrong values; the message lists all of them.
    """
    text = read_text(path)
    if text is None:
        raise ParamsError(f"{path} is missing. Write it with: retune use default")
    return parse_params_text(text, name=str(path))


def parse_params_text(text: str, *, name: str) -> Params:
    """Parse and check the text of params.yaml.

    Raises:
        ParamsError: The text is not YAML, or has wrong values; the message gives the line and the key of each.
    """
    values, lines = parse_with_lines(text, name=name)
    check_read_by_dvc(text, name=name)
    return parse_params(values, name=name, lines=lines)


def parse_mapping(text: str, *, name: str) -> dict[str, Any]:
    """Parse a recipe, or params.yaml of an older schema: keys and values, none where the text is empty.

    Raises:
        ParamsError: The text is not YAML, or something else than keys and values.
    """
    values = parse_yaml(text, name=name)
    if not isinstance(values, Mapping | None):
        kind = "a list" if isinstance(values, list) else as_yaml(values)
        raise ParamsError(f"{name} holds {kind}: expected keys and values.")
    return dict(values or {})


def parse_params(values: Any, *, name: str, lines: Lines | None = None) -> Params:
    """Check the values read from params.yaml.

    Args:
        values: What the YAML holds.
        name: How messages name the file.
        lines: The line of each key, for messages.

    Raises:
        ParamsError: Some values are wrong; the message gives each key, its value and what is expected.
    """
    if secret := next(_secrets(values), None):
        key, text = secret
        raise ParamsError(
            f"{name}: {key} holds a password, a token or a signature: {redact(text)}. It would be stored in git and "
            "dvc.lock. Remove it, and put it into ~/.netrc or the environment (docs/data.md#credentials)."
        )
    try:
        params = Params.model_validate(values)
    except ValidationError as error:
        raise ParamsError(f"{name}: {describe(error.errors(), values, lines or {})}") from error
    for steps, contradiction in _contradictions(params):
        raise ParamsError(f"{name}: {at_line(f'{as_key(steps)} {contradiction}', steps, lines or {})}")
    return params


def _secrets(values: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield the key and the text of each value, or name of a key, that holds a secret."""
    if isinstance(values, Mapping):
        for key, value in values.items():
            yield from _secrets(str(key), path or "the file")
            yield from _secrets(value, f"{path}.{key}" if path else str(key))
    elif isinstance(values, list):
        for index, value in enumerate(values):
            yield from _secrets(value, f"{path}[{index}]")
    elif isinstance(values, str) and holds_secret(values):
        yield path, values


def _in_finetune(options: Finetune) -> Iterator[tuple[str, str]]:
    """Yield the key and the problem of each contradiction within the section finetune."""
    for split in ("train", "val"):
        count, share = (getattr(options, f"limit_{split}_{unit}") for unit in ("batches", "share"))
        if count is not None and share < 1:
            problem = (
                f"{count} and limit_{split}_share {share} are both set. Set only one, and leave the other at null or "
                "1.0."
            )
            yield f"limit_{split}_batches", problem
    if options.soup > 1 and options.method == "frozen":
        problem = (
            f"is {options.soup}, but finetune.method frozen trains the head alone, and its trainings hardly differ. "
            "Set finetune.soup to 1, or another method."
        )
        yield "soup", problem
    if options.devices > 1 and options.method == "gradual":
        problem = (
            f"is {options.devices}, but finetune.method gradual trains on one: weights that are unfrozen later are not "
            "kept equal between devices. Set finetune.devices to 1, or another method."
        )
        yield "devices", problem
    if options.precision == "fp16" and options.accelerator == "cpu":
        yield "precision", "is fp16, but finetune.accelerator is cpu, and only CUDA GPUs train in it. Set it to auto."


def _contradictions(params: Params) -> Iterator[tuple[Steps, str]]:
    """Yield where two valid values contradict each other, and how."""
    twice = sorted(seed for seed, times in Counter(params.seeds).items() if times > 1)
    if twice:
        yield ("seeds",), f"lists {shorten(', '.join(map(str, twice)), LONGEST)} twice. List each seed once."
    val, test = params.split.val, params.split.test
    if val + test >= 1:
        problem = f"{val} and split.test {test} leave no rows to train on. Lower them, so that their sum is below 1."
        yield ("split", "val"), problem
    for key, problem in _in_finetune(params.finetune):
        yield ("finetune", key), problem
    kind = params.download.dataset.target
    for key, problem in option_problems(kind, params.finetune) if kind != "auto" else ():
        yield ("finetune", key), problem
    labelled: list[tuple[Steps, object]] = [
        (("download", "dataset", "labels"), params.download.dataset.labels),
        (("finetune", "class_weights"), params.finetune.class_weights),
    ]
    for steps, values in labelled:
        names = Counter(map(str, values)) if isinstance(values, Mapping) else Counter[str]()
        if same := [name for name, times in names.items() if times > 1]:
            key = shorten(same[0], LONGEST)
            yield steps, f'has {key} and "{key}", which are the same label. Keep one of them.'
    columns = params.download.dataset.columns
    if {columns.text, columns.text_pair} & set(columns.slices):
        place = ("download", "dataset", "columns", "slices")
        yield place, f"{columns.slices} contains a text column. Remove it from slices."
