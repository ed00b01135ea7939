"""Changes values in the text of a YAML file; comments, order and layout of everything else stay as they are.

ruamel's own round trip keeps a comment at the value before it: a block list that is replaced takes the comments below
it along, up to the heading of the next section, and some of them end up where they break the file.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import AliasEvent
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode
from ruamel.yaml.representer import SafeRepresenter

from stages.yaml_file import CONFLICT_MARKERS

INDICATORS = "?:"  # of a key and of a value: in brackets DVC's reader, libyaml, takes them so wherever they stand
Steps = Sequence[str | int]  # the keys, and the positions in lists, that lead to a value


@dataclass(frozen=True)
class Snippet:
    """A value as it is written: within a line, or as a block of lines that begin at column 0."""

    text: str
    block: bool = False


@dataclass(frozen=True)
class _Place:
    """Where a value is written.

    Attributes:
        start: Position of its first character; where it would be if nothing is written, as in `key:`.
        end: Position behind its last character.
        block: Its parts are on lines of their own.
        pair: It is a key with its value as an item of a list, without braces: `[key: value]`.
        plain: It is written in one way only, without anchor or tag.
        items: The values in it, by key or number.
        column: Where the keys of a block begin in their lines.
        colon: Position behind the colon of its key; None for a list item.
    """

    start: int
    end: int
    block: bool = False
    pair: bool = False
    plain: bool = True
    items: Mapping[str, "_Place"] = field(default_factory=dict)
    column: int = 0
    colon: int | None = None


def flow_snippet(value: Any) -> Snippet:
    """A value written within a line."""
    yaml = YAML(typ="safe", pure=True)
    yaml.Representer = _Representer
    yaml.default_flow_style, yaml.width, yaml.allow_unicode = True, 10**9, True
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    stream, is_scalar = io.StringIO(), not isinstance(value, list | dict)
    yaml.dump([value] if is_scalar else value, stream)
    written = stream.getvalue().strip()
    return Snippet(written[1:-1] if is_scalar else written)


def find_snippet(text: str, steps: Steps) -> Snippet | None:
    """How a text writes a value; None if it can't be used elsewhere as it is.

    Args:
        text: YAML.
        steps: Where the value is in it.
    """
    place = _find(text, steps) if expand_aliases(text) == text else None
    if place is None or not place.plain or place.start == place.end or place.pair:
        return None
    written = text[place.start : place.end]
    if not place.block:
        return Snippet(written) if "\n" not in written and _is_read_in_brackets(written) else None
    indent = place.start - (text.rfind("\n", 0, place.start) + 1)
    first, *lines = written.split("\n")
    if any(line[:indent].strip() for line in lines):
        return None
    return Snippet("\n".join([first, *(line[indent:] for line in lines)]), block=True)


def _is_read_in_brackets(written: str) -> bool:
    """Whether DVC's reader, libyaml, takes it within a flow collection."""
    try:
        YAML(typ="safe").load(f"[{written}]")
    except YAMLError:
        return False
    return True


def set_value(text: str, steps: Steps, snippet: Snippet, value: Any) -> str:
    """The text with another value at `steps`.

    Args:
        text: YAML without aliases; its top level is a mapping.
        steps: Where the value belongs. The last key is added if the mapping before it lacks it.
        snippet: How to write the value.
        value: The value, for the places where a block of lines can't stand.
    """
    parent = _find(text, steps[:-1])
    if parent is None:
        raise KeyError(steps)
    if parent.pair:
        braced = f"{{{text[parent.start : parent.end]}}}"
        return set_value(text[: parent.start] + braced + text[parent.end :], steps, snippet, value)
    place = parent.items.get(str(steps[-1]))
    if place is None:
        return _add_key(text, parent, steps[-1], flow_snippet(value).text)
    start, end, colon = place.start, place.end, place.colon
    if colon is None or not parent.block:
        before = " " if start == end else ""
        return f"{text[:start]}{before}{flow_snippet(value).text}{text[end:]}"
    between = text[colon:start]
    if not snippet.block:  # on the line of the key, before the comments that are there
        rest = between.rstrip() if "#" in between else ""
        return f"{text[:colon]} {snippet.text}{_comment(rest)}{text[end:]}"
    indent = " " * (parent.column + 2)
    block = "\n".join(indent + line if line.strip() else line for line in snippet.text.split("\n"))
    if "\n" in between:
        return f"{text[:colon]}{between[: between.rindex(chr(10)) + 1]}{block}{text[end:]}"
    line_end = _line_end(text, end)
    return f"{text[:colon]}{_comment(text[end:line_end].rstrip())}\n{block}{text[line_end:]}"


def expand_aliases(text: str) -> str:
    """The text with the value of each alias, `*name`, in its place; the same text if it has none."""
    if "*" not in text:
        return text
    yaml = YAML(typ="safe", pure=True)
    yaml.Composer = _AliasComposer
    node = yaml.compose(text)
    if node is None:
        return text
    for start, end, target in reversed(yaml.composer.aliases):
        text = text[:start] + flow_snippet(yaml.constructor.construct_object(target, deep=True)).text + text[end:]
    return text


class _AliasComposer(Composer):
    """Notes where each alias is written, and what it stands for."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.aliases: list[tuple[int, int, Node]] = []

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.parser.peek_event()
        node = super().compose_node(parent, index)
        if isinstance(event, AliasEvent):
            self.aliases.append((event.start_mark.index, event.end_mark.index, node))
        return node


class _Representer(SafeRepresenter):
    """Writes every text within a line."""


def _represent_text(representer: SafeRepresenter, text: str) -> Node:
    quoted = not text.isprintable() or text.startswith(CONFLICT_MARKERS) or any(mark in text for mark in INDICATORS)
    return representer.represent_scalar("tag:yaml.org,2002:str", text, style='"' if quoted else None)


_Representer.add_representer(str, _represent_text)


def _find(text: str, steps: Steps) -> _Place | None:
    """Where the value at `steps` is written; None if there is none."""
    node = YAML(typ="safe", pure=True).compose(text)
    place = _place(text, node) if node else None
    for step in steps:
        place = place.items.get(str(step)) if place else None
    return place


def _place(text: str, node: Node, colon: int | None = None, empty_at: int | None = None) -> _Place:
    """Where a node is written. ruamel's mark for the end of a block is where the next value begins.

    Args:
        text: The whole text.
        node: The node.
        colon: Position behind the colon of its key.
        empty_at: Where the value would be if nothing is written.
    """
    start, end = node.start_mark.index, node.end_mark.index
    plain = text[start : start + 1] not in ("&", "!")
    if isinstance(node, ScalarNode):
        if start == end and empty_at is not None:
            start = end = empty_at
        return _Place(start, start + len(text[start:end].rstrip()), plain=plain, colon=colon)
    items: dict[str, _Place] = {}
    for index, entry in enumerate(node.value):
        if isinstance(node, MappingNode):
            key, value = entry
            key_end = _place(text, key).end
            found = text.find(":", key_end, value.start_mark.index + 1) + 1
            items[key.value] = _place(text, value, colon=found or None, empty_at=found or key_end)
        else:
            items[str(index)] = _place(text, entry)
    block = not getattr(node, "flow_style", False)
    pair = not block and isinstance(node, MappingNode) and text[start] != "{" and plain
    end = max([place.end for place in items.values()], default=end) if block else end
    column = node.value[0][0].start_mark.column if block and isinstance(node, MappingNode) and node.value else 0
    return _Place(start, end, block=block, pair=pair, plain=plain, items=items, column=column, colon=colon)


def _line_end(text: str, position: int) -> int:
    found = text.find("\n", position)
    return len(text) if found < 0 else found


def _comment(text: str) -> str:
    """What stands behind a value: two spaces before a comment of its line."""
    return f"  {text.lstrip()}" if text.lstrip(" \t").startswith("#") else text


def _add_key(text: str, parent: _Place, key: str | int, value: str) -> str:
    entry = f"{flow_snippet(key).text}: {value}"
    if parent.block:
        line_end = _line_end(text, parent.end)
        return f"{text[:line_end]}\n{' ' * parent.column}{entry}{text[line_end:]}"
    inside = text[: parent.end - 1].rstrip()
    comma = ", " if parent.items and not inside.endswith(",") else ""
    return f"{inside}{comma}{entry}{text[parent.end - 1 :]}"
