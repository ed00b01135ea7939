"""Writes params.yaml from recipes/default.yaml, a recipe and overrides, and keeps the comments."""

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

# Mappings whose keys are the user's own: replaced, not merged.
WHOLE = ("download.dataset.labels", "finetune.class_weights", "report.gate.max_drop")


def compose(root: Path, recipe: str, overrides: Iterable[str] = ()) -> str:
    """The text of params.yaml: default, then the recipe's differences, then the overrides.

    Args:
        root: The project's folder.
        recipe: Name of a file in recipes/ without its suffix, or the path of one.
        overrides: `KEY=YAML` each, such as `finetune.learning_rate=3e-5`.

    Raises:
        ParamsError: There is no such recipe, an override can't be read, or the result is not valid.
    """
    default = root / "recipes/default.yaml"
    path = find_recipe(root, recipe)
    text = _read(path)
    values = _load(_read(default))
    if path != default:
        parse_yaml(text, name=str(path))  # a clear error where it is no YAML
        changes = _load(text) or {}
        if not isinstance(changes, Mapping):
            raise ParamsError(
                f"{path} holds {'a list' if isinstance(changes, list) else repr(changes)}, not keys and values."
            )
        _merge(values, changes, name=str(path))
    return _finish(values, overrides, name=f"recipe {recipe}")


def override(text: str, overrides: Iterable[str]) -> str:
    """params.yaml with other values for some keys.

    Raises:
        ParamsError: An override can't be read, or the result is not valid.
    """
    overrides = list(overrides)
    return _finish(_load(text), overrides, name=f"params.yaml with {' '.join(overrides)}") if overrides else text


def changed_params(root: Path, *, recipe: str | None = None, overrides: Iterable[str] = ()) -> str | None:
    """What params.yaml would say with a recipe and overrides; None where it stays as it is.

    Raises:
        ParamsError: params.yaml or the recipe is missing, an override can't be read, or the result is not valid.
    """
    if recipe:
        return compose(root, recipe, overrides)
    path = root / "params.yaml"
    if not path.is_file():
        raise ParamsError(f"{path} is missing. Write it with: retune use default")
    overrides = list(overrides)
    return override(path.read_text(encoding="utf-8"), overrides) if overrides else None


def write_params(root: Path, text: str) -> bool:
    """Write params.yaml unless it already says so; return whether it changed."""
    path = root / "params.yaml"
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return False
    write_text(path, text)
    return True


def find_recipe(root: Path, recipe: str) -> Path:
    """The recipe's file.

    Raises:
        ParamsError: There is none; those that there are are listed.
    """
    named = root / "recipes" / f"{recipe}.yaml"
    if named.is_file():
        return named
    if recipe.endswith((".yaml", ".yml")) and Path(recipe).is_file():
        return Path(recipe)
    known = sorted(path.stem for path in (root / "recipes").glob("*.yaml"))
    near = difflib.get_close_matches(recipe, known, n=1)
    hint = f"Did you mean {near[0]}? " if near else ""
    raise ParamsError(f"There is no recipe {recipe}. {hint}There are: {', '.join(known)}; or give the path of a file.")


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
        ParamsError: It is written in another way.
    """
    key, equals, text = line.partition("=")
    if not equals or not all(key.strip().split(".")):
        raise ParamsError(f"-S {line}: write KEY=VALUE, such as -S finetune.learning_rate=3e-5")
    parse_yaml(text, name=f"-S {line}")  # a clear error where it is no YAML
    return key.strip(), _load(text)


def _nest(key: str, value: Any) -> dict[str, Any]:
    first, _, rest = key.partition(".")
    return {first: _nest(rest, value) if rest else value}


def _merge(into: MutableMapping[Any, Any], changes: Mapping[Any, Any], *, name: str, path: str = "") -> None:
    """Put the changes into a mapping: sections key by key, lists and WHOLE mappings as one value (or by number)."""
    for key, value in changes.items():
        here = f"{path}{key}"
        old = into.get(key)
        if isinstance(value, Mapping) and isinstance(old, MutableMapping) and here not in WHOLE:
            _merge(old, value, name=name, path=f"{here}.")
        elif isinstance(value, Mapping) and isinstance(old, list):
            _merge_items(old, value, name=name, path=here)
        elif isinstance(old, Mapping) and not isinstance(value, Mapping) and here not in WHOLE:
            raise ParamsError(f"{name}: {here} is a section with the keys {', '.join(map(str, old))}, not {value!r}.")
        else:
            into[key] = value  # an unknown key too: the check of the whole names the nearest known one


def _merge_items(items: list[Any], changes: Mapping[Any, Any], *, name: str, path: str) -> None:
    """Put changes into items of a list by their number: `-S download.dataset.files.0.source=reviews.csv`."""
    for number, value in changes.items():
        if not (str(number).isdecimal() and int(number) < len(items)):
            raise ParamsError(f"{name}: {path} is a list of {len(items)}; give an item's number from 0, not {number}.")
        if isinstance(value, Mapping) and isinstance(items[int(number)], MutableMapping):
            _merge(items[int(number)], value, name=name, path=f"{path}.{number}.")
        else:
            items[int(number)] = value


def _align_comments(values: Any) -> None:
    """Two spaces before a comment at a line's end, whatever the length of the value that stood there before."""
    if not isinstance(values, CommentedMap):
        return
    for key, value in values.items():
        comment = values.ca.items.get(key, [None] * 4)[2]
        if comment and comment.value.startswith("#"):
            comment.column = 0
            comment.value = f" {comment.value}"
        _align_comments(value)


def _load(text: str) -> Any:
    """Parse and keep comments, styles and the way in which numbers are written."""
    return _yaml().load(text)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ParamsError(f"{path} is missing. Take it from git: git checkout -- recipes") from error


class _Representer(RoundTripRepresenter):
    """Our own class, because representers are registered per class."""


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
