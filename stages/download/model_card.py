"""What the card of a pretrained encoder says of its licence and languages."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stages.errors import ParamsError
from stages.schema_types import LANGUAGE, LICENSE
from stages.yaml_file import parse_yaml, read_text

CARD = "README.md"
FRONT_MATTER = re.compile(r"\A---\s*\n(.*?)\n---\s*(\n|\Z)", re.DOTALL)


def read_card(folder: Path) -> dict[str, Any]:
    """Return `license` (None: unknown) and `language` (a list, empty: unknown) of the model in a folder.

    A card is text that anybody may have written: only identifiers are taken, and what is not one counts as unknown.

    Source: the Hub's specification, https://github.com/huggingface/hub-docs/blob/main/modelcard.md
    """
    values = _front_matter(folder / CARD)
    languages = values.get("language")
    named = languages if isinstance(languages, list) else [languages]
    return {
        "license": _identifier(values.get("license"), LICENSE),
        "language": [language for language in named if _identifier(language, LANGUAGE)],
    }


def _front_matter(path: Path) -> Mapping[str, Any]:
    try:
        block = FRONT_MATTER.match(read_text(path) or "")
        values = parse_yaml(block[1], name=path.name) if block else None
    except ParamsError:  # not UTF-8, too large, or not YAML
        return {}
    return values if isinstance(values, Mapping) else {}


def _identifier(value: Any, pattern: str) -> str | None:
    return value if isinstance(value, str) and re.fullmatch(pattern, value, re.ASCII) else None
