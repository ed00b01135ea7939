"""Read params.yaml and check it against its schema, `sections.py`; everything that is wrong stands in one error."""

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


def read_params(path: Path) -> Params:
    """Read and check params.yaml.

    Raises:
        ParamsError: The file is missing, is no YAML, or has problems; all of them are named at once.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ParamsError(f"{path} is missing. Write it with: retune use default") from error
    except UnicodeDecodeError as error:
        raise ParamsError(f"{path} is not UTF-8 (byte {error.start}). Save it as UTF-8.") from error
    return parse_params(parse_yaml(text, name=str(path)), name=str(path))


def parse_yaml(text: str, *, name: str) -> Any:
    """Parse YAML 1.2 as DVC does (`2e-5` is a number; a key given twice is an error).

    Raises:
        ParamsError: The text is no YAML; the message names the line.
    """
    try:
        return YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        problem = " ".join(str(error).split("To suppress this check")[0].split())
        raise ParamsError(f"{name} is not valid YAML: {problem}") from error


def parse_params(values: Any, *, name: str) -> Params:
    """Check what was read from params.yaml.

    Raises:
        ParamsError: Everything that is wrong, each with its key, its value and what would be right.
    """
    try:
        params = Params.model_validate(values)
    except ValidationError as error:
        problems = list(dict.fromkeys(_problem(detail, values) for detail in error.errors()))
        raise ParamsError(f"{name}: " + "; ".join(problems)) from error
    if len(set(params.seeds)) != len(params.seeds):
        raise ParamsError(f"{name}: seeds {params.seeds} names a seed twice. Give each once.")
    if params.split.val + params.split.test >= 1:
        raise ParamsError(
            f"{name}: split.val {params.split.val} and split.test {params.split.test} leave nothing to train on."
        )
    columns = params.download.dataset.columns
    if {columns.text, columns.text_pair} & set(columns.slices):
        raise ParamsError(
            f"{name}: download.dataset.columns.slices {columns.slices} names the text itself. Take it out."
        )
    return params


def _problem(detail: Any, values: Any) -> str:
    """One problem in one clause; pydantic's own location also names the branch of a union, which no user wrote."""
    path = _location(detail["loc"], values)
    if detail["type"] == "extra_forbidden":
        key = str(detail["loc"][-1])
        known = _known_keys(detail["loc"][:-1])
        near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}"
        return f"unknown key {path} ({hint})"
    if detail["type"] == "missing":
        return f"{path} is missing"
    return f"{path}: {detail['msg'][0].lower()}{detail['msg'][1:]}, not {detail['input']!r}"


def _location(loc: tuple[str | int, ...], values: Any) -> str:
    """The key as in params.yaml: `download.dataset.files[0].source`."""
    path, here = "", values
    for position, step in enumerate(loc):
        if isinstance(here, list) and isinstance(step, int):
            path += f"[{step}]"
            here = here[step] if step < len(here) else None
        elif isinstance(here, Mapping) and (step in here or position == len(loc) - 1):
            path += f".{step}" if path else str(step)
            here = here.get(step)
        else:
            break  # the name of a union's branch
    return path or "the file"


def _known_keys(loc: tuple[str | int, ...]) -> list[str]:
    """The keys that the model at `loc` has."""
    model: Any = Params
    for step in loc:
        if isinstance(step, int):
            continue
        model = model.model_fields[step].annotation
        model = getattr(model, "__args__", [model])[0] if not isinstance(model, type) else model
        model = getattr(model, "__args__", [model])[0]
    return list(model.model_fields)
