"""What the documents name exists: modules, tests, files, environment variables, commands."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "benchmarks/README.md", *sorted(
    path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.md")
)]  # fmt: skip


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def paths_in_trees(text: str) -> list[str]:
    """The paths in the indented trees of a page: two spaces per level, a folder's name ends with a slash."""
    paths = []
    for tree in re.findall(r"```\n((?:stages|pipeline)/ .*?)```", text, flags=re.DOTALL):
        folders: list[str] = []
        for line in tree.splitlines():
            indent, name = re.match(r"( *)(\S+)", line).groups()  # type: ignore[union-attr]
            folders = folders[: len(indent) // 2]
            paths.append("".join(folders) + name)
            folders.append(name)
    return paths


def test_the_architecture_page_has_a_line_per_module() -> None:
    modules = [path for wing in ("stages", "pipeline") for path in (ROOT / wing).rglob("*.py")]
    names = [path.relative_to(ROOT).as_posix().replace("__init__.py", "") for path in modules]
    lines = paths_in_trees(read("docs/architecture.md"))
    assert set(names) - set(lines) == set(), "modules and packages without a line"
    assert set(lines) - set(names) == set(), "lines of modules that do not exist"
    assert len(lines) == len(set(lines)), "a module has two lines"


@pytest.mark.parametrize("page", PAGES)
def test_the_tests_that_a_page_names_exist(page: str) -> None:
    for file, test in re.findall(r"\b(tests/[\w/]+\.py)(?:::(\w+))?", read(page)):
        assert (ROOT / file).is_file(), file
        assert not test or f"def {test}(" in read(file), f"{file}::{test}"


@pytest.mark.parametrize("page", PAGES)
def test_the_links_of_a_page_lead_somewhere(page: str) -> None:
    for target in re.findall(r"\]\(((?!https?:)[^)#]*)(?:#[^)]*)?\)", read(page)):
        assert ((ROOT / page).parent / target).exists(), target


def test_contributing_names_every_environment_variable_of_the_tests() -> None:
    files = [*(ROOT / "tests").rglob("*.py"), *(ROOT / "benchmarks").glob("*.py")]
    lines = [line for file in files for line in file.read_text(encoding="utf-8").splitlines() if "os.environ" in line]
    variables = {name for line in lines for name in re.findall(r'"(RETUNE_\w+)"', line)}
    assert variables >= {"RETUNE_TEST_WORKERS", "RETUNE_SHARED"}
    assert variables <= set(re.findall(r"`(RETUNE_\w+)", read("CONTRIBUTING.md")))


def test_the_example_of_a_comment_is_of_this_version() -> None:
    """Its headings are those that a comment has now; docs/pictures/make.py makes it anew."""
    from pipeline.comparison.render import markdown
    from tests.pipeline.comparison.builders import comparison

    example = read("docs/pull-requests.md").partition("## What the comment looks like")[2]
    headings = [line for line in markdown.render(comparison("plain")).splitlines() if line.startswith("| metric |")]
    assert headings
    for heading in headings:
        shape = re.escape(heading).replace("95%", r"[\d.]+%")
        assert re.search(f"^{shape}$", example, flags=re.MULTILINE), heading
    for fold in ("Calibration, before and after", "Cost", "All metrics", "How to read this"):
        assert f"<summary>{fold}</summary>" in example
