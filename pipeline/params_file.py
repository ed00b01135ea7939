"""params.yaml as retune writes it and people edit it: an edit that stands nowhere else is not overwritten."""

import contextlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pipeline.planning.reasons import value_changes
from pipeline.repository import git
from pipeline.repository.snapshot import MISSING
from pipeline.yaml_edit import flow_snippet
from stages.errors import ParamsError
from stages.files import write_text
from stages.params import parse_mapping

NAME = "params.yaml"
WRITTEN = ".retune/params.yaml"  # a copy of what was written from a recipe
SHOWN = 5  # edits that a message lists


class EditedError(ParamsError):
    """params.yaml holds edits that are not in git, and would be lost.

    Attributes:
        edits: What a person changed: `finetune.learning_rate 0.0002 -> 3e-05`.
    """

    def __init__(self, edits: list[str]) -> None:
        self.edits = edits
        more = f"; and {len(edits) - SHOWN} more" if len(edits) > SHOWN else ""
        super().__init__(
            f"{NAME} has edits that are not committed, and they would be lost: {'; '.join(edits[:SHOWN])}{more}. "
            f"Commit the file (git commit {NAME}), or discard them: retune use RECIPE --force"
        )


def write_params(root: Path, text: str, *, replace: bool = False, force: bool = False) -> bool:
    """Write params.yaml if its text differs; return whether it did.

    Args:
        root: The project's folder.
        text: What to write.
        replace: The text was made without what the file holds now.
        force: Discard edits that are not in git.

    Raises:
        EditedError: The file has such edits, and the text replaces them.
    """
    if _read(root / NAME) == text:
        return False
    if replace and not force:
        check_replaceable(root, text)
    write_text(root / NAME, text, of_person=True)
    if replace:  # else the text holds what a person chose: it counts as edited until it is committed
        with contextlib.suppress(OSError):
            write_text(root / WRITTEN, text)
    return True


def check_replaceable(root: Path, text: str) -> None:
    """Check that writing this text would discard no edits.

    Raises:
        EditedError: It would.
    """
    if _read(root / NAME) != text and (edits := find_edits(root)):
        raise EditedError(edits)


def find_edits(root: Path) -> list[str]:
    """What a person changed in params.yaml since it was written from a recipe, or committed; empty if there is none."""
    text = _read(root / NAME)
    bases = [_read(root / WRITTEN), git.show(root, "HEAD", NAME), _read(root / "recipes/default.yaml")]
    if text is None or text in bases:
        return []
    edits = [differences(base, text) for base in bases if base is not None]
    return min(edits, key=len, default=[]) or ["comments or layout alone"]


def differences(before: str, now: str) -> list[str]:
    """Each value that differs between two texts of params.yaml: `finetune.learning_rate 2e-05 -> 3e-05`."""
    try:
        old, new = parse_mapping(before, name=NAME), parse_mapping(now, name=NAME)
    except ParamsError:
        return ["the file can't be read as YAML"]
    keys = dict.fromkeys([*old, *new])
    return [line for key in keys for line in value_changes(key, old.get(key, MISSING), new.get(key, MISSING))]


def changed_values(before: str, now: str, keys: Iterable[str]) -> list[str]:
    """Each of some values that differs between two texts of params.yaml, as YAML: `evaluate.metric: mcc -> auto`.

    Args:
        before: The text so far.
        now: The text that replaces it.
        keys: The full keys of the values.
    """
    old, new = (parse_mapping(text, name=NAME) for text in (before, now))
    pairs = {key: (_value(old, key), _value(new, key)) for key in keys}
    return [f"{key}: {flow_snippet(a).text} -> {flow_snippet(b).text}" for key, (a, b) in pairs.items() if a != b]


def kept_keys(before: str, now: str, others: Mapping[str, Any]) -> list[str]:
    """The keys whose values two texts of params.yaml share, where these are not certain others.

    Args:
        before: The text so far.
        now: The text that replaces it.
        others: What else the values could have become, by full key.
    """
    old, new = (parse_mapping(text, name=NAME) for text in (before, now))
    return [key for key, other in others.items() if _value(old, key) == _value(new, key) != other]


def _value(values: Any, key: str) -> Any:
    for step in key.split("."):
        values = values.get(step) if isinstance(values, Mapping) else None
    return values


def _read(path: Path) -> str | None:
    """The text of a file, whatever is in it, as git prints it; None if there is none."""
    return path.read_text("utf-8", "surrogateescape") if path.is_file() else None
