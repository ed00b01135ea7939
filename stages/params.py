"""Read params.yaml and check it against `schema.py`; one error lists every problem."""

import difflib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from stages.errors import ParamsError
from stages.redaction import holds_secret, redact
from stages.schema import Params
from stages.shown import shorten
from stages.yaml_file import LONGEST, Lines, line_of, parse_with_lines, parse_yaml, read_text

__all__ = ["Params", "Steps", "parse_mapping", "parse_params", "parse_params_text", "parse_yaml", "read_params"]

EXPECTED = {  # pydantic's type of a problem -> what params.yaml should have
    "literal_error": "{expected}",
    "greater_than": "a number above {gt:g}",
    "greater_than_equal": "{ge:g} or more",
    "less_than": "a number below {lt:g}",
    "less_than_equal": "{le} or less",
    "int_type": "an integer",
    "int_from_float": "an integer",
    "float_type": "a number",
    "finite_number": "a finite number",
    "string_type": "a string",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "keys and values",
    "model_type": "keys and values",
    "local_path": "a folder with the local sources, such as data/samples (no URL, not the project's own folder)",
    "too_short": "{min_length} or more items",
    "string_too_short": "{min_length} or more characters",
    "string_too_long": "{max_length} or fewer characters",
}
PATTERNS = {  # keys whose text must match a pattern -> what to expect, in words
    "sha256": "64 lowercase hexadecimal digits",
    "license": "an identifier of the Hub such as apache-2.0, cc-by-4.0 or other",
    "language": "a code of ISO 639 such as en",
    "require": "a rule such as test.macro_f1 >= 0.80",
    "max_drop": "a metric such as test.mcc",
}
MOVED = {  # keys of older files -> where they are now
    "finetune.num_workers": "machine.num_workers",
    "finetune.checkpoint_minutes": "machine.checkpoint_minutes",
    "finetune.loggers": "machine.loggers",
    "download.dataset.unpack_limit_mb": "machine.unpack_limit_mb",
}
SHARES = {  # keys that took a count or a share in older files -> the key of the share
    "finetune.limit_train_batches": "finetune.limit_train_share",
    "finetune.limit_val_batches": "finetune.limit_val_share",
}
MAX_PROBLEMS = 20  # that a message lists

Steps = tuple[str | int, ...]  # the keys, and the positions in lists, that lead to a value


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
    return parse_params(values, name=name, lines=lines)


def parse_mapping(text: str, *, name: str) -> dict[str, Any]:
    """Parse a recipe, or params.yaml of an older schema: keys and values, none where the text is empty.

    Raises:
        ParamsError: The text is not YAML, or something else than keys and values.
    """
    values = parse_yaml(text, name=name)
    if not isinstance(values, Mapping | None):
        kind = "a list" if isinstance(values, list) else _as_yaml(values)
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
        raise ParamsError(f"{name}: {_describe(error.errors(), values, lines or {})}") from error
    for steps, contradiction in _contradictions(params):
        raise ParamsError(f"{name}: {_at_line(f'{_as_key(steps)} {contradiction}', steps, lines or {})}")
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


def _contradictions(params: Params) -> Iterator[tuple[Steps, str]]:
    """Yield where two valid values contradict each other, and how."""
    twice = sorted(seed for seed, times in Counter(params.seeds).items() if times > 1)
    if twice:
        yield ("seeds",), f"lists {shorten(', '.join(map(str, twice)), LONGEST)} twice. List each seed once."
    val, test = params.split.val, params.split.test
    if val + test >= 1:
        problem = f"{val} and split.test {test} leave no rows to train on. Lower them, so that their sum is below 1."
        yield ("split", "val"), problem
    for split in ("train", "val"):
        count, share = (getattr(params.finetune, f"limit_{split}_{unit}") for unit in ("batches", "share"))
        if count is not None and share < 1:
            problem = (
                f"{count} and limit_{split}_share {share} are two limits. Set one, and leave the other at null or 1.0."
            )
            yield ("finetune", f"limit_{split}_batches"), problem
    columns = params.download.dataset.columns
    if {columns.text, columns.text_pair} & set(columns.slices):
        place = ("download", "dataset", "columns", "slices")
        yield place, f"{columns.slices} contains a text column. Remove it from slices."


def _describe(details: Sequence[Any], values: Any, lines: Lines) -> str:
    """Return all problems in one line."""
    clauses: list[str] = []
    expected: dict[Steps, list[str]] = {}  # by place; several where its type is a union
    got: dict[Steps, str] = {}
    for detail in details:
        steps = _location(detail, values)
        if clause := _key_problem(detail, _as_key(steps)):
            clauses.append(_at_line(clause, steps, lines))
        else:
            expected.setdefault(steps, []).append(_expectation(detail))
            got[steps] = _as_yaml(detail["input"])
    for steps, options in expected.items():
        if not any(longer[: len(steps)] == steps and longer != steps for longer in expected):  # it is the exact place
            problem = f"{_as_key(steps)}: expected {' or '.join(dict.fromkeys(options))}, got {got[steps]}"
            clauses.append(_at_line(problem, steps, lines))
    more = [f"and {len(clauses) - MAX_PROBLEMS} more"] if len(clauses) > MAX_PROBLEMS else []
    hint = ". Copy missing keys from recipes/default.yaml." if any(d["type"] == "missing" for d in details) else ""
    return "; ".join([*clauses[:MAX_PROBLEMS], *more]) + hint


def _at_line(clause: str, steps: Steps, lines: Lines) -> str:
    line = line_of(lines, tuple(map(str, steps)))
    return clause if line is None else f"line {line}: {clause}"


def _key_problem(detail: Any, path: str) -> str | None:
    """Return what is wrong if the key is unknown, missing, moved or written in an older way; else None."""
    if path in SHARES and isinstance(detail["input"], float):
        return f"{path}: expected a number of batches, got {detail['input']}. A share is now {SHARES[path]}"
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
    if not text:
        return str(detail["msg"][0].lower() + detail["msg"][1:])
    context = detail.get("ctx", {}).items()
    return text.format(**{key: int(limit) if limit in (0.0, 1.0) else limit for key, limit in context})


def _as_yaml(value: Any) -> str:
    return {"None": "null", "True": "true", "False": "false"}.get(repr(value), shorten(repr(value), LONGEST))


def _location(detail: Any, values: Any) -> Steps:
    """Return where a value is, without pydantic's names of a union's branches, which no user wrote."""
    steps: list[str | int] = []
    value = values
    absent = 1 if detail["type"] == "missing" else 0
    for depth, step in enumerate(detail["loc"], start=1):
        if isinstance(value, list) and isinstance(step, int):
            steps.append(step)
            value = value[step]
        elif isinstance(value, Mapping) and (step in value or depth > len(detail["loc"]) - absent):
            steps.append(str(step))
            value = value.get(step)
    return tuple(steps)


def _as_key(steps: Steps) -> str:
    """Return the key as in params.yaml: `download.dataset.files[0].source`."""
    key = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).removeprefix(".")
    return key or "the file"


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
