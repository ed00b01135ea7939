"""dvc.lock as plain data: read whole, and merged entry by entry."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dvc.utils.serialize import dump_yaml, parse_yaml

RawEntry = Mapping[str, Any]  # a stage as dvc.lock and the run-cache write it
NAME = "dvc.lock"


def parse_lock(text: str) -> dict[str, RawEntry]:
    """The entries in the text of a dvc.lock, by stage."""
    return dict((parse_yaml(text, NAME) or {}).get("stages") or {})


def read_lock(root: Path) -> dict[str, RawEntry]:
    """The entries of a project's dvc.lock, by stage; empty where there is none."""
    path = root / NAME
    return parse_lock(path.read_text(encoding="utf-8")) if path.exists() else {}


def merge_lock(root: Path, entries: Mapping[str, RawEntry]) -> None:
    """Put these entries into a project's dvc.lock, and leave it as it is where they are there already."""
    before = read_lock(root)
    stages = before | dict(entries)
    if stages != before:
        dump_yaml(str(root / NAME), {"schema": "2.0", "stages": stages})
