"""Read params.yaml and check it against `schema.py`; one error lists every problem."""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from stages.errors import ParamsError
from stages.schema import Params

__all__ = ["Params", "parse_params", "parse_yaml", "read_params"]

MOVED = {  # keys of older files -> where they are now
    "finetune.num_workers": "machine.num_workers",
    "finetune.checkpoint_minutes": "machine.checkpoint_minutes",
    "finetune.loggers": "machine.loggers",
    "download.dataset.unpack_limit_mb": "machine.unpack_limit_mb",
}


def read_params(path: Path) -> Params:
    """Read and check params.yaml.

    Raises:
        ParamsError: The file is missing, is not YAML, or has wrong values; the message lists all of them.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ParamsError(f"{path} is missing. Write it with: retune use default") from error
    except UnicodeDecodeError as error:
        raise ParamsError(f"{path} is not UTF-8 (byte {error.start}). Save it as UTF-8.") from error
    return parse_params(parse_yaml(text, name=str(path)), name=str(path))


def parse_yaml(text: str, *, name: str) -> Any:
    """Parse YAML 1.2 as DVC does: `2e-5` is a number, and a repeated key is an error.

    Raises:
        ParamsError: The text is not valid YAML; the message names the line.
    """
    try:
        return YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        problem = " ".join(str(error).split("To suppress this check")[0].split())
        raise ParamsError(f"{name} is not valid YAML: {problem}") from error


def parse_params(values: Any, *, name: str) -> Params:
    """Check the values read from params.yaml.

    Raises:
        ParamsError: Some values are wrong; the message gives each key, its value and what is expected.
    """
    try:
        params = Params.model_validate(values)
    except ValidationError as error:
        problems = list(dict.fromkeys(_problem(detail, values) for detail in error.errors()))
        raise ParamsError(f"{name}: " + "; ".join(problems)) from error
    if len(set(params.seeds)) != len(params.seeds):
        raise ParamsError(f"{name}: seeds {params.seeds} lists a seed twice. List each seed once.")
    if params.split.val + params.split.test >= 1:
        raise ParamsError(
            f"{name}: split.val {params.split.val} and split.test {params.split.test} leave no rows to train on. "
            "Lower them, so that their sum is below 1."
        )
    columns = params.download.dataset.columns
    if {columns.text, columns.text_pair} & set(columns.slices):
        raise ParamsError(
            f"{name}: download.dataset.columns.slices {columns.slices} contains a text column. Remove it from slices."
        )
    return params


def _problem(detail: Any, values: Any) -> str:
    """Return one problem as a clause of the message."""
    path = _location(detail["loc"], values)
    if detail["type"] == "extra_forbidden":
        if path in MOVED:
            return f"{path} moved to {MOVED[path]}"
        key = str(detail["loc"][-1])
        known = _known_keys(detail["loc"][:-1])
        similar = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
        hint = f"did you mean {similar[0]}?" if similar else f"known keys: {', '.join(known)}"
        return f"unknown key {path} ({hint})"
    if detail["type"] == "missing":
        return f"{path} is missing"
    value = detail["input"]
    if path == "finetune.monitor" and isinstance(value, str) and "/" in value:
        return f"{path}: {value} is now written {value.replace('/', '.')}"
    return f"{path}: {detail['msg'][0].lower()}{detail['msg'][1:]}, not {value!r}"


def _location(loc: tuple[str | int, ...], values: Any) -> str:
    """Return the key as in params.yaml, `download.dataset.files[0].source`, without the names of a union's branches."""
    path, value = "", values
    for depth, step in enumerate(loc):
        if isinstance(value, list) and isinstance(step, int):
            path += f"[{step}]"
            value = value[step] if step < len(value) else None
        elif isinstance(value, Mapping) and (step in value or depth == len(loc) - 1):
            path += f".{step}" if path else str(step)
            value = value.get(step)
        else:
            break  # pydantic's name of a union's branch, which no user wrote
    return path or "the file"


def _known_keys(loc: tuple[str | int, ...]) -> list[str]:
    """Return the keys of the section at `loc`."""
    model: Any = Params
    for step in loc:
        if isinstance(step, int):
            continue
        model = model.model_fields[step].annotation
        model = getattr(model, "__args__", [model])[0] if not isinstance(model, type) else model
        model = getattr(model, "__args__", [model])[0]
    return list(model.model_fields)
