"""Writes params.yaml from recipes/default.yaml, a recipe and overrides; comments are kept."""

import difflib
import io
from collections.abc import Iterable, Mapping, MutableMapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.representer import RoundTripRepresenter

from stages.errors import ParamsError
from stages.files import write_text
from stages.params import parse_params, parse_yaml

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
    default = root / "recipes/default.yaml"
    path = find_recipe(root, recipe)
    text = _read(path)
    values = _load(_read(default))
    if path != default:
        parse_yaml(text, name=str(path))  # for its clear error if it is not YAML
        changes = _load(text) or {}
        if not isinstance(changes, Mapping):
            raise ParamsError(
                f"{path} holds {'a list' if isinstance(changes, list) else repr(changes)}: expected keys and values."
            )
        _merge(values, changes, name=str(path))
    return _finish(values, overrides, name=f"recipe {recipe}")


def override(text: str, overrides: Iterable[str]) -> str:
    """The text of params.yaml with other values for some keys.

    Raises:
        ParamsError: An override can't be parsed, or the result is not valid.
    """
    overrides = list(overrides)
    return _finish(_load(text), overrides, name=f"params.yaml with {' '.join(overrides)}") if overrides else text


def changed_params(root: Path, *, recipe: str | None = None, overrides: Iterable[str] = ()) -> str | None:
    """The text of params.yaml with a recipe and overrides; None if neither is set.

    Raises:
        ParamsError: params.yaml or the recipe is missing, an override can't be parsed, or the result is not valid.
    """
    if recipe:
        return compose(root, recipe, overrides)
    path = root / "params.yaml"
    if not path.is_file():
        raise ParamsError(f"{path} is missing. Write it with: retune use default")
    overrides = list(overrides)
    return override(path.read_text(encoding="utf-8"), overrides) if overrides else None


def write_params(root: Path, text: str) -> bool:
    """Write params.yaml if its text differs; return whether it did."""
    path = root / "params.yaml"
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return False
    write_text(path, text)
    return True


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


def _finish(values: CommentedMap, overrides: Iterable[str], *, name: str) -> str:
    for line in overrides:
        key, value = parse_override(line)
        _merge(values, _nest(key, value), name=f"-S {line}")
    _align_comments(values)
    stream = io.StringIO()
    _yaml().dump(values, stream)
    parse_params(parse_yaml(stream.getvalue(), name=name), name=name)
    return stream.getvalue()


def parse_override(line: str) -> tuple[str, Any]:
    """Split `KEY=YAML` into the key and the value.

    Raises:
        ParamsError: The line has no key or no value, or the value is not YAML.
    """
    key, equals, text = line.partition("=")
    if not equals or not all(key.strip().split(".")):
        raise ParamsError(f"-S {line}: write KEY=VALUE, such as -S finetune.learning_rate=3e-5")
    parse_yaml(text, name=f"-S {line}")  # for its clear error if it is not YAML
    return key.strip(), _load(text)


def _nest(key: str, value: Any) -> dict[str, Any]:
    first, _, rest = key.partition(".")
    return {first: _nest(rest, value) if rest else value}


def _merge(into: MutableMapping[Any, Any], changes: Mapping[Any, Any], *, name: str, path: str = "") -> None:
    """Merge changes: sections key by key, list items by number, whole lists and REPLACED mappings as one value."""
    for key, value in changes.items():
        full_key = f"{path}{key}"
        old = into.get(key)
        if isinstance(value, Mapping) and isinstance(old, MutableMapping) and full_key not in REPLACED:
            _merge(old, value, name=name, path=f"{full_key}.")
        elif isinstance(value, Mapping) and isinstance(old, list):
            _merge_items(old, value, name=name, path=full_key)
        elif isinstance(old, Mapping) and not isinstance(value, Mapping) and full_key not in REPLACED:
            raise ParamsError(
                f"{name}: {full_key} is a section with the keys {', '.join(map(str, old))}, not {value!r}."
            )
        else:
            into[key] = value  # unknown keys too: the final validation names the most similar known key


def _merge_items(items: list[Any], changes: Mapping[Any, Any], *, name: str, path: str) -> None:
    """Merge changes into items of a list by their number: `-S download.dataset.files.0.source=reviews.csv`."""
    for number, value in changes.items():
        if not (str(number).isdecimal() and int(number) < len(items)):
            raise ParamsError(
                f"{name}: {path} is a list of {len(items)}: expected a number from 0 to {len(items) - 1}, got {number}."
            )
        if isinstance(value, Mapping) and isinstance(items[int(number)], MutableMapping):
            _merge(items[int(number)], value, name=name, path=f"{path}.{number}.")
        else:
            items[int(number)] = value


def _align_comments(values: Any) -> None:
    """Put two spaces before each comment at the end of a line, whatever the length of the value."""
    if not isinstance(values, CommentedMap):
        return
    for key, value in values.items():
        comment = values.ca.items.get(key, [None] * 4)[2]
        if comment and comment.value.startswith("#"):
            comment.column = 0
            comment.value = f" {comment.value}"
        _align_comments(value)


def _load(text: str) -> Any:
    """Parse YAML and keep its comments, quotes and number formats."""
    return _yaml().load(text)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ParamsError(f"{path} is missing. Restore it: git checkout -- recipes") from error


class _Representer(RoundTripRepresenter):
    """A class of its own, because ruamel registers representers per class."""


def _yaml() -> YAML:
    yaml = YAML()
    yaml.Representer = _Representer
    yaml.preserve_quotes = True
    yaml.width = 120
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.representer.add_representer(type(None), _represent_null)
    return yaml


def _represent_null(representer: RoundTripRepresenter, _: None) -> Any:
    return representer.represent_scalar("tag:yaml.org,2002:null", "null")
