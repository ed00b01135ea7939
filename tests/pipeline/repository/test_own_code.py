"""Which files a command runs as Python code; every other file may be data."""

import pytest

from pipeline.repository.own_code import arguments, in_package, names_path, own_code

FILES = {
    "work.py": "import lib.names\nfrom pack import part\n",
    "lib/names.py": "def late():\n    import lib.late\n",
    "lib/late.py": "import work\n",
    "lib/alone.py": "",
    "pack/__init__.py": "",
    "pack/__main__.py": "from . import part\nfrom .deep.inner import x\n",
    "pack/part.py": "",
    "pack/deep/__init__.py": "",
    "pack/deep/inner.py": "from ..other import y\nfrom ...above import z\n",
    "pack/other.py": "",
    "tools/run.py": "import beside\nimport lib.alone\n",
    "tools/beside.py": "",
    "texts/s9.py": "",
    "broken.py": "import lib.alone\n(",
}
WORK = {"work.py", "lib/names.py", "lib/late.py", "pack/__init__.py", "pack/part.py"}
PACK = {"pack/__init__.py", "pack/__main__.py", "pack/part.py", "pack/deep/__init__.py", "pack/deep/inner.py"}
COMMANDS: dict[str, set[str]] = {
    "python work.py out.json --from texts/s9.py": WORK,
    "python3.11 -u -W ignore -Xdev ./work.py": WORK,
    "python -m pack texts/s9.py": PACK | {"pack/other.py"},
    "python -m pack.part": {"pack/__init__.py", "pack/part.py"},
    "OMP=1 setsid -w /usr/bin/python work.py>log && python -m pack.part": WORK,
    "python tools/run.py": {"tools/run.py", "tools/beside.py"},  # imports begin in the folder of the script
    "python broken.py": {"broken.py"},
    "python -c 'import work' texts/s9.py": set(),
    "python missing.py": set(),
    "python": set(),
    "python -m": set(),
    "cat texts/s9.py": set(),
    "python 'work.py": set(),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_code_is_what_the_command_names_and_what_that_imports(command: str) -> None:
    def read(path: str) -> bytes | None:
        return FILES[path].encode() if path in FILES else None

    assert own_code(command, read) == COMMANDS[command]


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("pack/other.py", True),  # of the package that runs, and imported by nothing
        ("./pack/deep/new.py", True),
        ("pack/texts/s9.py", False),  # a folder without __init__.py
        ("packed/texts.py", False),  # a package that nothing imports from
        ("texts/s9.py", False),
        ("s9.py", False),
    ],
)
def test_a_module_of_a_package_that_runs_is_code(path: str, code: bool) -> None:
    files = {**FILES, "pack/deep/new.py": "", "pack/texts/s9.py": "", "packed/__init__.py": "", "packed/texts.py": ""}

    def read(name: str) -> bytes | None:
        return files[name].encode() if name in files else None

    assert in_package(path, own_code("python -m pack.part", read), read) is code


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ([{"folder": "./lib/"}], True),
        ([["x", "lib/deep/a.py"]], True),
        ([{"a": {"b": ["."]}}], True),
        (["lib/deep/b.py", "li", "", None, 3, True], False),
    ],
)
def test_what_parameters_name_is_data(values: list[object], names: bool) -> None:
    assert names_path(values, "lib/deep/a.py") is names


@pytest.mark.parametrize(
    ("command", "data"),
    [
        ("python work.py texts/s9.py", True),
        ("python work.py --from=texts/s9.py", True),
        ("python -m pack texts", True),
        ("python work.py && cp texts/s9.py out", True),
        ("python texts/s9.py", False),
        ("python -u ./texts/s9.py other.py", False),
        ("python -m texts.s9", False),
        ("python 'texts/s9.py", False),
    ],
)
def test_what_an_argument_of_the_command_names_is_data(command: str, data: bool) -> None:
    assert names_path(arguments(command), "texts/s9.py") is data
