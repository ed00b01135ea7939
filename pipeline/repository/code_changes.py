"""Compares two states of a Python file: whether they differ in more than comments, layout and docstrings."""

import ast
import re
import warnings

# Code that reads code: to it a docstring, a comment or the number of a line may be data.
READS_CODE = re.compile(
    rb"[.'\"]__doc__|\bimport\b(?:[^\n(#]*|\s*\([^)]*)\b__doc__|attribute_docstrings|getdoc|getcomments|getsource|\bget_source|findsource|linecache"
    rb"|[ft]b?_lineno|co_firstlineno|co_lines|co_lnotab|co_positions|currentframe|_getframe"
    rb"|get(?:outer|inner)frames|extract_(?:stack|tb)|walk_(?:stack|tb)|StackSummary"
    rb"|inspect(?:\.| import .*\b)(?:stack|trace)\b"
    rb"|\bpydoc\b|\bget_data\b|__file__"
)
FINDS_A_FOLDER = re.compile(  # and reads nothing
    rb"\bPath\(__file__\)(?:\.(?:resolve|absolute)\(\))?\.parents?\b"
    rb"|\bdirname\((?:[\w.]*\b(?:abspath|realpath)\()?__file__\)"
)
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError)  # ValueError: null bytes, or a number too long


def same_code(before: bytes, now: bytes) -> bool:
    """Whether two Python files have the same syntax tree, docstrings left out, and so do the same.

    Where a module names `__doc__`, its docstring and those of its classes are code, such as what `--help` prints. So is
    a line `#!`, which chooses the interpreter, and a line that declares the encoding where it changes a text.
    Other docstrings are comments unless code of the stage `reads_code`, which the caller checks.
    """
    if _interpreter(before) != _interpreter(now):
        return False
    try:
        return _syntax(before) == _syntax(now)
    except UNREADABLE:
        return False


def reads_code(source: bytes) -> bool:
    """Whether a Python file may read docstrings of other objects, source code or line numbers."""
    return READS_CODE.search(FINDS_A_FOLDER.sub(b"", source)) is not None


def _interpreter(source: bytes) -> bytes:
    return source.split(b"\n", 1)[0].rstrip() if source.startswith(b"#!") else b""


def _syntax(source: bytes) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)  # such as "\d" in a text that is no raw one
        tree = ast.parse(source)
    named = any(isinstance(node, ast.Name) and node.id == "__doc__" for node in ast.walk(tree))
    kept = (ast.Module, ast.ClassDef) if named else ()  # in the body of either, the name is its own docstring
    for node in ast.walk(tree):
        if isinstance(node, DOCUMENTED) and not isinstance(node, kept) and _has_docstring(node):
            del node.body[0]
    return ast.dump(tree)


def _has_docstring(node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return ast.get_docstring(node, clean=False) is not None
