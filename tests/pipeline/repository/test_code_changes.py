"""Which edits of a Python file are no change of what it does."""

from pathlib import Path

import pytest

from pipeline.repository.code_changes import reads_code, same_code

BEFORE = '''"""A module."""

import os  # to list


class Box:
    """A box."""

    size: int = 0x10
    """Its size."""


def names(folder: str = "a" "b") -> list[str]:
    """List it."""
    # as it is
    return [name for name in os.listdir(folder) if name != "# no comment"]
'''

SAME = {
    "comment": ("# as it is", "# as the file system gives it"),
    "comment removed": ("    # as it is\n", ""),
    "blank lines": ("\n\n\nclass", "\nclass"),
    "line broken": ("os.listdir(folder)", "os.listdir(\n        folder\n    )"),
    "quotes": ('"# no comment"', "'# no comment'"),
    "spelling of a number": ("0x10", "16"),
    "text joined": ('"a" "b"', '"ab"'),
    "module docstring": ('"""A module."""', '"""Another."""'),
    "module docstring removed": ('"""A module."""\n', ""),
    "class docstring": ('"""A box."""', '"""A larger box."""'),
    "function docstring removed": ('    """List it."""\n', ""),
    "line ends": ("\n", "\r\n"),
}
OTHER = {
    "name": ("folder", "path"),
    "text": ("# no comment", "# a comment"),
    "number": ("0x10", "17"),
    "type of a number": ("0x10", "16.0"),
    "annotation": ("int", "float"),
    "order": ('    size: int = 0x10\n    """Its size."""\n', '    """Its size."""\n    size: int = 0x10\n'),
    "text of a field": ("Its size.", "Its width."),
    "import": ("import os", "import os as os"),
    "does not parse": ("def names", "def names names"),
    "null byte": ("# as it is", "# \0"),
    "interpreter": ('"""A module."""', '#!/usr/bin/python3 -O\n"""A module."""'),
    "nested too deep": ("0x10", "(" * 5000 + "1" + ")" * 5000),
    "number too long": ("0x10", "0x" + "1" * 9000),
}


@pytest.mark.parametrize("edit", SAME.values(), ids=SAME)
def test_comments_layout_and_docstrings_are_no_change(edit: tuple[str, str]) -> None:
    now = BEFORE.replace(*edit)
    assert now != BEFORE
    assert same_code(BEFORE.encode(), now.encode())
    assert same_code(now.encode(), BEFORE.encode())


@pytest.mark.parametrize("edit", OTHER.values(), ids=OTHER)
def test_everything_else_is_a_change(edit: tuple[str, str]) -> None:
    now = BEFORE.replace(*edit)
    assert now != BEFORE
    assert not same_code(BEFORE.encode(), now.encode())
    assert not same_code(now.encode(), BEFORE.encode())


def test_a_comment_that_changes_the_encoding_is_a_change_where_it_changes_a_text() -> None:
    text = b"name = '\xc3\xa9'\n"
    assert not same_code(text, b"# coding: latin-1\n" + text)
    assert same_code(b"name = 'e'\n", b"# coding: latin-1\nname = 'e'\n")


def test_a_module_docstring_that_the_module_names_is_code() -> None:
    before = b'"""Usage."""\ndef run():\n    """Start."""\n    print(__doc__)\n'
    assert not same_code(before, before.replace(b"Usage", b"How to use"))
    assert same_code(before, before.replace(b"Start", b"Begin"))


@pytest.mark.parametrize("where", ["in the class", "in the module", "in a method", "in another class"])
def test_a_class_docstring_is_code_in_a_module_that_names_any(where: str) -> None:
    names = {
        "in the class": "class Box:\n    'A.'\n    text = __doc__\n",
        "in the module": "class Box:\n    'A.'\ntext = __doc__\n",
        "in a method": "class Box:\n    'A.'\n    def text(self):\n        return __doc__\n",
        "in another class": "class Box:\n    'A.'\nclass Other:\n    text = __doc__\n",
    }
    assert not same_code(names[where].encode(), names[where].replace("A.", "B.").encode())
    unnamed = names[where].replace("__doc__", "text")
    assert same_code(unnamed.encode(), unnamed.replace("A.", "B.").encode())


def test_a_name_in_a_comment_is_no_code() -> None:
    assert same_code(b'"""A."""  # __doc__\n', b'"""B."""\n')


@pytest.mark.parametrize(
    ("source", "reads"),
    [
        ("print(box.__doc__)", True),
        ("inspect.getdoc(box)", True),
        ("from box import __doc__ as text", True),
        ("from box import open, __doc__", True),
        ("from box import (\n    open,\n    __doc__,\n)", True),
        ("from box import (open)\nprint(__doc__)", False),
        ("import box\nprint(__doc__)", False),
        ("import box  # __doc__", False),
        ("getattr(box, '__doc__')", True),
        ('globals()["__doc__"]', True),
        ("open(__file__).read()", True),
        ("open( __file__, 'rb')", True),
        ("Path(__file__).read_text()", True),
        ("Path(__file__) .open()", True),
        ("open(box.__file__)", True),
        ("Path(__file__).resolve().read_text()", True),
        ("Path(__file__).absolute().open()", True),
        ("open(Path(__file__))", True),
        ("open(os.path.abspath(__file__))", True),
        ("Path(__file__).with_name('box.py')", True),
        ("source = __file__", True),
        ("pydoc.render_doc(box)", True),
        ("Path(__file__).resolve().parents[1]", False),
        ("os.path.dirname(__file__)", False),
        ("os.path.dirname(os.path.abspath(__file__))", False),
        ("globals()['__file__']", True),
        ("pkgutil.get_data('box', 'box.py')", True),
        ("__loader__.get_source('box')", True),
        ("traceback.extract_stack()[-1]", True),
        ("traceback.StackSummary", True),
        ("inspect.stack()[0]", True),
        ("from inspect import signature, stack", True),
        ("inspect.currentframe()", True),
        ("error.__traceback__.tb_lineno", True),
        ("run.__code__.co_lines()", True),
        ("inspect.getsource(box)", True),
        ("sys._getframe().f_lineno", True),
        ("model_config = ConfigDict(use_attribute_docstrings=True)", True),
        ("parser = ArgumentParser(description=__doc__)", False),
        ("inspect.signature(box)", False),
        ("Path(__file__).parent / 'templates'", False),
        ("torch.stack(parts)", False),
        ("traceback.format_exception(error)", False),
        ("JSONDecodeError.lineno", False),
    ],
)
def test_code_that_reads_code_is_known(source: str, reads: bool) -> None:
    assert reads_code(source.encode()) is reads


def test_no_stage_of_the_project_reads_code() -> None:
    files = list((Path(__file__).parents[3] / "stages").rglob("*.py"))
    assert len(files) > 100
    assert [path for path in files if reads_code(path.read_bytes())] == []
