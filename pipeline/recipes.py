"""Writes params.yaml from recipes/default.yaml, a recipe and overrides; comments are kept."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import yaml_edit
from pipeline.dataset.implied import implied_values
from stages.errors import ParamsError
from stages.params import Steps, parse_mapping, parse_params, parse_yaml
from stages.yaml_file import read_text

# Mappings whose keys the user chooses: replaced as a whole, not merged key by key.
REPLACED = ("download.dataset.labels", "finetune.class_weights", "report.gate.max_drop")


def compose(root: Path, recipe: str, overrides: Iterable[str] = ()) -> str:
    """The text of params.yaml: the default, with the recipe's values, then the overrides.

    Args:
        root: The project's folder.
        recipe: Name of a file in recipes/ without its suffix, or the path of a recipe.
        overrides: `KEY=YAML` each, such as `finetune.learning_rate=3e-5`.

    Raises:
        ParamsError: The recipe is missing, an override can't be parsed, or the result is not valid.
    """
    default, changes = _changes_of(root, recipe)
    own = list(_parse(overrides))
    own += _implied(default, changes, own)
    return _apply(_read(default), [*changes, *own], file=str(default), name=f"recipe {recipe}")


def override(text: str, overrides: Iterable[str]) -> str:
    """The text of params.yaml with other values for some keys.

    Raises:
        ParamsError: An override can't be parsed, or the result is not valid.
    """
    overrides = list(overrides)
    name = f"params.yaml with {' '.join(overrides)}"
    return _apply(text, _parse(overrides), file="params.yaml", name=name) if overrides else text


def override_lines(values: Mapping[str, Any]) -> list[str]:
    """Values by their full keys as `KEY=YAML` each, as `override` reads them."""
    return [f"{key}={yaml_edit.flow_snippet(value).text}" for key, value in values.items()]


def values_set(text: str, overrides: Iterable[str]) -> dict[str, Any]:
    """The values that overrides set in the text of params.yaml, by their full keys.

    Raises:
        ParamsError: An override can't be parsed, or sets a section to a value.
    """
    values = parse_mapping(text, name="params.yaml")
    return {_key(steps): value for change in _parse(overrides) for steps, value in _assign(values, change)}


def describe_in(text: str, values: Mapping[str, Any]) -> str:
    """The text of params.yaml with these values, by full key; where it has them already, it stays as it is written.

    Raises:
        ParamsError: The text is not YAML, or the result is not valid.
    """
    old, changes = parse_mapping(text, name="params.yaml"), []
    for key, value in values.items():
        steps = tuple(key.split("."))
        now: Any = old
        for step in steps:
            now = now.get(step) if isinstance(now, Mapping) else None
        if now != value or value is None:
            changes.append(_Change(key, steps, value, yaml_edit.flow_snippet(value).text))
    return _apply(text, changes, file="params.yaml", name="params.yaml")


def changed_params(root: Path, *, recipe: str | None = None, overrides: Iterable[str] = ()) -> str | None:
    """The text of params.yaml with a recipe and overrides; None if neither is set.

    Raises:
        ParamsError: params.yaml or the recipe is missing, an override can't be parsed, or the result is not valid.
    """
    if recipe:
        return compose(root, recipe, overrides)
    path = root / "params.yaml"
    overrides = list(overrides)
    text = read_text(path)
    if text is None:
        raise ParamsError(f"{path} is missing. Write it with: retune use default")
    return override(text, overrides) if overrides else None


def find_recipe(root: Path, recipe: str) -> Path:
    """The path of a recipe.

    Raises:
        ParamsError: There is no such recipe; the message lists those that exist.
    """
    named = root / "recipes" / f"{recipe}.yaml"
    if named.is_file():
        return named
    if recipe.endswith((".yaml", ".yml")) and Path(recipe).is_file():
        return Path(recipe)
    known = sorted(path.stem for path in (root / "recipes").glob("*.yaml"))
    similar = difflib.get_close_matches(recipe, known, n=1)
    hint = f"Did you mean {similar[0]}? " if similar else ""
    names = ", ".join(known) or "empty"
    raise ParamsError(f"There is no recipe {recipe}. {hint}Name one of recipes/ ({names}), or the path of a file.")


def parse_override(line: str) -> tuple[str, Any]:
    """Split `KEY=YAML` into the key and the value.

    Raises:
        ParamsError: The line has no key or no value, or the value is not YAML.
    """
    key, equals, text = line.partition("=")
    if not equals or not all(key.strip().split(".")):
        raise ParamsError(f"-S {line}: write KEY=VALUE, such as -S finetune.learning_rate=3e-5")
    return key.strip(), parse_yaml(text, name=f"-S {line}")


def _changes_of(root: Path, recipe: str) -> tuple[Path, list["_Change"]]:
    """The path of the default, and what a recipe changes in it."""
    default, path = root / "recipes/default.yaml", find_recipe(root, recipe)
    text = _read(path)
    return default, [] if path == default else [_Change(str(path), (), parse_mapping(text, name=str(path)), text)]


@dataclass(frozen=True)
class _Change:
    """Values to set.

    Attributes:
        name: Where they come from, for messages.
        key: The section or value that they belong to; empty: the whole file.
        value: The values, or one value.
        text: The YAML that they were read from.
    """

    name: str
    key: Steps
    value: Any
    text: str


def _parse(overrides: Iterable[str]) -> Iterator[_Change]:
    for line in overrides:
        key, value = parse_override(line)
        yield _Change(f"-S {line}", tuple(key.split(".")), value, line.partition("=")[2])


def _implied(default: Path, recipe: Iterable[_Change], own: Iterable[_Change]) -> list[_Change]:
    """What follows from a person's own changes of a recipe."""
    values = parse_mapping(_read(default), name=str(default))
    for change in recipe:
        _assign(values, change)
    before = deepcopy(values)
    chosen = {steps for change in own for steps, _ in _assign(values, change)}
    implied = implied_values(before, values, chosen=chosen)
    return [_Change(_key(key), key, value, yaml_edit.flow_snippet(value).text) for key, value in implied.items()]


def _assign(values: dict[str, Any], change: _Change) -> list[tuple[Steps, Any]]:
    """Put the values of a change into place; return each with its steps."""
    nested = change.value
    for step in reversed(change.key):
        nested = {step: nested}
    assigned = list(_assignments(values, nested, name=change.name))
    for steps, value in assigned:
        parent: Any = values
        for step in steps[:-1]:
            parent = parent[step]
        parent[steps[-1]] = deepcopy(value)
    return assigned


def _apply(text: str, changes: Iterable[_Change], *, file: str, name: str) -> str:
    """The text with the changes, of which each sees the ones before it.

    Args:
        text: YAML.
        changes: What to set.
        file: Where the text is from.
        name: How messages name the result.
    """
    values = parse_mapping(text, name=file)
    text = yaml_edit.expand_aliases(text)
    for change in changes:
        for steps, value in _assign(values, change):
            written = yaml_edit.find_snippet(change.text, steps[len(change.key) :])
            text = yaml_edit.set_value(text, steps, written or yaml_edit.flow_snippet(value), value)
    parse_params(values, name=name)
    if parse_yaml(text, name=name) != values:
        raise ParamsError(
            f"{name}: this value can't be set without changing the layout of {file}. Edit the file by hand."
        )
    return text


def _assignments(
    values: Any, changes: Mapping[Any, Any], *, name: str, path: Steps = ()
) -> Iterator[tuple[Steps, Any]]:
    """What to set: sections key by key, list items by number, whole lists and REPLACED mappings as one value."""
    for key, value in changes.items():
        steps = (*path, key)
        old = values.get(key)
        if isinstance(value, Mapping) and isinstance(old, Mapping) and _key(steps) not in REPLACED:
            yield from _assignments(old, value, name=name, path=steps)
        elif isinstance(value, Mapping) and isinstance(old, list):
            yield from _item_assignments(old, value, name=name, path=steps)
        elif isinstance(old, Mapping) and not isinstance(value, Mapping) and _key(steps) not in REPLACED:
            raise ParamsError(
                f"{name}: {_key(steps)} is a section with the keys {', '.join(map(str, old))}, not {value!r}."
            )
        else:
            yield steps, value  # unknown keys too: the final validation names the most similar known key


def _item_assignments(
    items: list[Any], changes: Mapping[Any, Any], *, name: str, path: Steps
) -> Iterator[tuple[Steps, Any]]:
    """What to set in items of a list, by their number: `-S download.dataset.files.0.source=reviews.csv`."""
    for number, value in changes.items():
        if not (str(number).isdecimal() and int(number) < len(items)):
            raise ParamsError(
                f"{name}: {_key(path)} is a list of {len(items)}: expected a number from 0 to {len(items) - 1}, "
                f"got {number}."
            )
        steps = (*path, int(number))
        if isinstance(value, Mapping) and isinstance(items[int(number)], Mapping):
            yield from _assignments(items[int(number)], value, name=name, path=steps)
        else:
            yield steps, value


def _key(steps: Steps) -> str:
    return ".".join(map(str, steps))


def _read(path: Path) -> str:
    text = read_text(path)
    if text is None:
        raise ParamsError(f"{path} is missing. Restore it: git checkout -- recipes")
    return text
