"""What is wrong with the values of params.yaml, in words: pydantic's problems as one line."""

import difflib
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from stages.schema import Params
from stages.shown import shorten
from stages.yaml_file import LONGEST, Lines, line_of

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
    "corrections_path": "a CSV file of the project, such as data/corrections.csv",
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
    "evaluate.ordered": "download.dataset.target (ordered, classes)",
    "finetune.num_workers": "machine.num_workers",
    "finetune.checkpoint_minutes": "machine.checkpoint_minutes",
    "finetune.loggers": "machine.loggers",
    "finetune.gradient_checkpointing": "machine.gradient_checkpointing",
    "download.dataset.unpack_limit_mb": "machine.unpack_limit_mb",
}
GONE = {  # keys of older files that nothing replaces -> why
    "evaluate.batch_size": "batches are as large as suits the machine",
}
SHARES = {  # keys that took a count or a share in older files -> the key of the share
    "finetune.limit_train_batches": "finetune.limit_train_share",
    "finetune.limit_val_batches": "finetune.limit_val_share",
}
MAX_PROBLEMS = 20  # that a message lists

Steps = tuple[str | int, ...]  # the keys, and the positions in lists, that lead to a value


def describe(details: Sequence[Any], values: Any, lines: Lines) -> str:
    """Return all problems in one line.

    Args:
        details: Pydantic's problems (`ValidationError.errors()`).
        values: The values that it checked.
        lines: The line of each key.
    """
    clauses: list[str] = []
    expected: dict[Steps, list[str]] = {}  # by place; several where its type is a union
    got: dict[Steps, str] = {}
    unquoted: set[Steps] = set()
    for detail in details:
        steps = _location(detail, values)
        if _is_unquoted(detail):
            unquoted.add(steps)
        if clause := _key_problem(detail, as_key(steps)):
            clauses.append(at_line(clause, steps, lines))
        else:
            expected.setdefault(steps, []).append(_expectation(detail))
            got[steps] = as_yaml(detail["input"])
    for steps, options in expected.items():
        if not any(longer[: len(steps)] == steps and longer != steps for longer in expected):  # it is the exact place
            hint = f'. Write it in quotes: "{got[steps]}"' if steps in unquoted else ""
            problem = f"{as_key(steps)}: expected {' or '.join(dict.fromkeys(options))}, got {got[steps]}{hint}"
            clauses.append(at_line(problem, steps, lines))
    more = [f"and {len(clauses) - MAX_PROBLEMS} more"] if len(clauses) > MAX_PROBLEMS else []
    hint = ". Copy missing keys from recipes/default.yaml." if any(d["type"] == "missing" for d in details) else ""
    return "; ".join([*clauses[:MAX_PROBLEMS], *more]) + hint


def _is_unquoted(detail: Any) -> bool:
    """Whether a string is expected and YAML read something else, as it does with `true` and `1.5`."""
    is_key = "[key]" in detail["loc"]
    return (
        detail["type"] == "string_type"
        and isinstance(detail["input"], bool | int | float | date | None)
        and (is_key or detail["input"] is not None)
    )


def at_line(clause: str, steps: Steps, lines: Lines) -> str:
    """Return a clause with the line that it is about in front of it, if that is known."""
    line = line_of(lines, tuple(map(str, steps)))
    return clause if line is None else f"line {line}: {clause}"


def _key_problem(detail: Any, path: str) -> str | None:
    """Return what is wrong if the key is unknown, missing, moved or written in an older way; else None."""
    if path in SHARES and isinstance(detail["input"], float):
        return f"{path}: expected a number of batches, got {detail['input']}. A share is now {SHARES[path]}"
    if detail["type"] == "extra_forbidden":
        if path in MOVED:
            return f"{path} moved to {MOVED[path]}"
        if path in GONE:
            return f"{path} is no longer a key ({GONE[path]}). Remove the line"
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


def as_yaml(value: Any) -> str:
    """Return a value as params.yaml would have it, shortened."""
    text = value.isoformat() if isinstance(value, date) else repr(value)
    return {"None": "null", "True": "true", "False": "false"}.get(text, shorten(text, LONGEST))


def _location(detail: Any, values: Any) -> Steps:
    """Return where a value is, without pydantic's names of a union's branches, which no user wrote."""
    steps: list[str | int] = []
    value = values
    absent = 1 if detail["type"] == "missing" else 0
    for depth, step in enumerate(detail["loc"], start=1):
        if isinstance(value, list) and isinstance(step, int):
            steps.append(step)
            value = value[step]
        elif detail["loc"][depth : depth + 1] == (
            "[key]",
        ):  # the key itself is wrong, and pydantic has turned it into a string
            return (*steps, as_yaml(detail["input"]))
        elif isinstance(value, Mapping) and (step in value or depth > len(detail["loc"]) - absent):
            steps.append(str(step))
            value = value.get(step)
    return tuple(steps)


def as_key(steps: Steps) -> str:
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
