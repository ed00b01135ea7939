"""YAML as DVC reads it, with the line of each key; whatever is wrong with a file is one error that names the line."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.composer import MaxDepthExceededError
from ruamel.yaml.constructor import ConstructorError, DuplicateKeyError, SafeConstructor
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from stages.errors import ParamsError
from stages.shown import shorten

MAX_BYTES = 2_000_000
LONGEST = 80  # characters of a value that a message shows
MAX_MARKS = 50_000  # commas, colons and line ends, which take the parser ten seconds; params.yaml has 400
MAX_DEPTH = 50  # levels; params.yaml has 5
CONFLICT_MARKERS = ("<<<<<<< ", "||||||| ", ">>>>>>> ")  # of a git merge, at the start of a line
MAX_VALUES = 300_000  # aliases counted at each use: a few lines of them can stand for billions of values
LINE_ENDS = re.compile("[\x85\u2028\u2029]")  # by YAML 1.1
HALF_CHARACTER = re.compile("[\ud800-\udfff]")  # JSON writes an emoji as two of them, which YAML does not join

Lines = Mapping[tuple[str, ...], int]  # the keys and list positions that lead to a value -> its line, from 1


def read_text(path: Path) -> str | None:
    """The text of a file of UTF-8, with or without a byte order mark; None if there is none.

    Raises:
        ParamsError: It is not a file (a pipe would be waited for), is too large, or is not UTF-8.
    """
    if not path.exists():
        return None
    if not path.is_file():
        raise ParamsError(f"{path} is not a file. Move it away, and put a file in its place.")
    content = path.read_bytes() if path.stat().st_size <= MAX_BYTES else b" " * (MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ParamsError(f"{path} has more than {MAX_BYTES // 10**6} MB, too much for a file that people write.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ParamsError(f"{path} line {line} is not UTF-8 (byte {error.start}). Save the file as UTF-8.") from error


def conflict_line(text: str) -> int | None:
    """The number, from 1, of the first line that a git merge left as a conflict marker; None if there is none."""
    return next((number for number, line in enumerate(text.splitlines(), 1) if line.startswith(CONFLICT_MARKERS)), None)


def parse_yaml(text: str, *, name: str) -> Any:
    """The value of a YAML 1.2 text: `2e-5` is a number, and a repeated key is an error.

    Raises:
        ParamsError: The text is not valid YAML; the message names the line.
    """
    return parse_with_lines(text, name=name)[0]


def parse_with_lines(text: str, *, name: str) -> tuple[Any, Lines]:
    """The value of a YAML 1.2 text, and the line of each key and list item.

    Args:
        text: The text.
        name: How messages name it.

    Raises:
        ParamsError: The text is too long, or is not valid YAML; the message names the line.
    """
    if sum(map(text.count, ",:\n")) > MAX_MARKS:
        raise ParamsError(f"{name} has more than {MAX_MARKS:,} commas, colons and lines, too many to read. Shorten it.")
    if line := conflict_line(text):
        raise ParamsError(
            f"{name} line {line} is a conflict marker of a git merge. Choose a side, and remove the markers."
        )
    yaml = YAML(typ="safe", pure=True)
    yaml.Constructor = _Constructor
    yaml.max_depth = MAX_DEPTH
    try:
        value = yaml.load(text)
    except MaxDepthExceededError as error:
        raise _invalid(name, error.problem_mark.line, f"more than {MAX_DEPTH} levels of brackets or blocks") from error
    except DuplicateKeyError as error:
        key = str(error.problem).partition('" with value')[0].removeprefix('found duplicate key "')
        raise _invalid(name, error.problem_mark.line, f'duplicate key "{key}". Keep one of them') from error
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _invalid(name, mark.line if mark else None, error.problem or error.context) from error
    except ReaderError as error:
        problem = f"the character U+{error.character:04X} is not allowed"
        raise _invalid(name, text.count("\n", 0, error.position), problem) from error
    return value, yaml.constructor.lines


def check_read_by_dvc(text: str, *, name: str) -> None:
    """Check that DVC's reader, libyaml, takes a text that `parse_with_lines` takes: it has YAML 1.1's rules.

    Args:
        text: The text.
        name: How messages name it.

    Raises:
        ParamsError: It does not; the message names the line.
    """
    try:
        for _ in YAML(typ="safe").parse(text):
            pass
    except MarkedYAMLError as error:
        if end := LINE_ENDS.search(text):
            line, problem = text.count("\n", 0, end.start()), f"the character U+{ord(end[0]):04X} ends a line there"
            advice = "Remove it, or write it as an escape in double quotes"
        else:
            mark = error.problem_mark or error.context_mark
            line, problem = mark.line if mark else 0, error.problem or error.context or "an error"
            advice = "If a text in brackets has : or ?, as a URL does, put it in quotes"
        raise ParamsError(f"{name} can't be read by DVC: line {line + 1}: {problem}. {advice}.") from error


class _Constructor(SafeConstructor):
    """Makes the values of a document; `lines` has the line of each.

    Values that Python refuses, such as the date 2024-13-45 or an integer of 5,000 digits, are errors with a line too.
    """

    lines: Lines = {}  # noqa: RUF012  (replaced, never changed)

    def construct_document(self, node: Node) -> Any:
        self.lines = _find_lines(node)
        return super().construct_document(node)

    def construct_object(self, node: Node, deep: bool = False) -> Any:
        if isinstance(node, ScalarNode) and (half := HALF_CHARACTER.search(node.value)):
            problem = f"\\u{ord(half[0]):04x} is half a character, which can't be saved. Write the character itself"
            raise ConstructorError(None, None, problem, node.start_mark)
        try:
            return super().construct_object(node, deep=deep)
        except (ValueError, OverflowError) as error:
            value = shorten(str(node.value), LONGEST)
            problem = f"{value} can't be read as a value ({error}). Put it in quotes if it is text"
            raise ConstructorError(None, None, problem, node.start_mark) from error


def _find_lines(root: Node) -> Lines:
    """The line of everything below a node.

    Raises:
        ConstructorError: Aliases stand for too many values, or for a value that contains itself.
    """
    lines: dict[tuple[str, ...], int] = {}
    todo: list[tuple[tuple[str, ...], Node]] = [((), root)]
    visited = 0
    while todo:
        path, node = todo.pop()
        children: list[tuple[str, Node, Node]] = []
        if isinstance(node, MappingNode):
            children = [(str(key.value), key, value) for key, value in node.value]
        elif isinstance(node, SequenceNode):
            children = [(str(index), item, item) for index, item in enumerate(node.value)]
        visited += len(children)
        if visited > MAX_VALUES or len(path) > MAX_DEPTH:
            problem = f"aliases that contain themselves, or stand for more than {MAX_VALUES:,} values"
            raise ConstructorError(None, None, problem, node.start_mark)
        for step, marked, value in children:
            lines[(*path, step)] = marked.start_mark.line + 1
            todo.append(((*path, step), value))
    return lines


def line_of(lines: Lines, path: tuple[str, ...]) -> int | None:
    """The line of a key, or of the nearest section above it that is written in the file; None if none is."""
    return next((lines[path[:end]] for end in range(len(path), 0, -1) if path[:end] in lines), None)


def _invalid(name: str, line: int | None, problem: str | None) -> ParamsError:
    where = "" if line is None else f"line {line + 1}: "
    return ParamsError(f"{name} is not valid YAML: {where}{' '.join(str(problem).split())}")
