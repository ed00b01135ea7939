"""Read params.yaml and check it against `schema.py`; one error lists every problem."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from stages.errors import ParamsError
from stages.redaction import holds_secret, redact
from stages.schema import Params

__all__ = ["Params", "parse_params", "parse_yaml", "read_params"]

EXPECTED = {  # pydantic's type of a problem -> what params.yaml should have
    "literal_error": "{expected}",
    "greater_than": "a number above {gt:g}",
    "greater_than_equal": "{ge:g} or more",
    "less_than": "a number below {lt:g}",
    "less_than_equal": "{le:g} or less",
    "int_type": "an integer",
    "int_from_float": "an integer",
    "float_type": "a number",
    "string_type": "a string",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "keys and values",
    "model_type": "keys and values",
    "too_short": "{min_length} or more items",
    "string_too_short": "{min_length} or more characters",
    "string_too_long": "{max_length} or fewer characters",
}
PATTERNS = {  # keys whose text must match a pattern -> what to expect, in words
    "sha256": "64 lowercase hexadecimal digits",
    "require": "a rule such as test.macro_f1 >= 0.80",
    "max_drop": "a metric such as test.mcc",
}
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
    except MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise ParamsError(f"{name} is not valid YAML: {line}{' '.join(str(error.problem).split())}") from error
    except YAMLError as error:  # such as a character that YAML does not allow
        raise ParamsError(f"{name} is not valid YAML: {' '.join(str(error).split())}") from error


def parse_params(values: Any, *, name: str) -> Params:
    """Check the values read from params.yaml.

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
        raise ParamsError(f"{name}: {_describe(error.errors(), values)}") from error
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


def _describe(details: Sequence[Any], values: Any) -> str:
    """Return all problems in one line."""
    clauses: list[str] = []
    expected: dict[str, list[str]] = {}  # by key; several where its type is a union
    got: dict[str, str] = {}
    for detail in details:
        path = _location(detail, values)
        if clause := _key_problem(detail, path):
            clauses.append(clause)
        else:
            expected.setdefault(path, []).append(_expectation(detail))
            got[path] = _as_yaml(detail["input"])
    for path, options in expected.items():
        if not any(longer.startswith((f"{path}.", f"{path}[")) for longer in expected):  # it is the exact place
            clauses.append(f"{path}: expected {' or '.join(dict.fromkeys(options))}, got {got[path]}")
    hint = ". Copy missing keys from recipes/default.yaml." if any(d["type"] == "missing" for d in details) else ""
    return "; ".join(clauses) + hint


def _key_problem(detail: Any, path: str) -> str | None:
    """Return what is wrong if the key is unknown, missing, moved or written in an older way; else None."""
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
    new = str(detail["input"]).replace("/", ".", 1)
    if path == "finetune.monitor" and new != detail["input"] and f"'{new}'" in detail["msg"]:
        return f"{path}: {detail['input']} is now written {new}"
    return None


def _expectation(detail: Any) -> str:
    """Return what a value should be: `a number above 0`."""
    if detail["type"] == "string_pattern_mismatch":
        return next((text for key, text in PATTERNS.items() if key in detail["loc"]), detail["msg"])
    text = EXPECTED.get(detail["type"])
    return text.format(**detail.get("ctx", {})) if text else detail["msg"][0].lower() + detail["msg"][1:]


def _as_yaml(value: Any) -> str:
    return {"None": "null", "True": "true", "False": "false"}.get(repr(value), repr(value))


def _location(detail: Any, values: Any) -> str:
    """Return the key as in params.yaml, `download.dataset.files[0].source`, without the names of a union's branches."""
    path, value = "", values
    absent = 1 if detail["type"] == "missing" else 0
    for depth, step in enumerate(detail["loc"], start=1):
        if isinstance(value, list) and isinstance(step, int):
            path += f"[{step}]"
            value = value[step]
        elif isinstance(value, Mapping) and (step in value or depth > len(detail["loc"]) - absent):
            path += f".{step}" if path else str(step)
            value = value.get(step)
        # else: pydantic's name of a union's branch, which no user wrote
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
