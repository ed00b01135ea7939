"""Whatever is wrong with params.yaml or a recipe: each command and stage says it in one line, and changes nothing."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.diagnosis.finding import examine
from pipeline.diagnosis.project import check_graph, check_params
from stages import entry
from stages.yaml_file import check_read_by_dvc
from tests.pipeline import toy
from tests.pipeline.commands.in_process import Commands

DEFAULT = (Path(__file__).parents[3] / "recipes/default.yaml").read_text(encoding="utf-8")
BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{last}'] * 10)}]\n" for last, name in zip("abcdefgh", "bcdefghi", strict=True)
)


def replaced(old: str, new: str) -> bytes:
    assert old in DEFAULT
    return DEFAULT.replace(old, new).encode()


def made(make: Callable[[Path], object]) -> Callable[[Path], object]:
    """The file replaced by something else at its path."""

    def remake(path: Path) -> None:
        path.unlink()
        make(path)

    return remake


FOLDER = "    folder: data/samples"
TITLE = DEFAULT[: DEFAULT.index("title: ")].count("\n") + 1  # its line
IN_BRACKETS = {"in a list": "[{}]", "in a mapping": "{{a: {}}}", "in a list of mappings": "[{{a: {}, b: train}}]"}
REFUSED_BY_DVC = {  # what DVC's reader, libyaml, refuses and ruamel.yaml takes
    **{
        f"{text} {place}": (
            replaced("title: ", f"title: {brackets.format(text)}  # "),
            rf"params\.yaml can't be read by DVC: line {TITLE}: .* put it in quotes\.",
        )
        for text in ("https://x.org/a.csv", "hf://datasets/a/b@main", "package:a", "a:b", "a?b", "why?", "x:")
        for place, brackets in IN_BRACKETS.items()
    },
    **{
        f"U+{ord(mark):04X} {place}": (
            replaced("title: ", f"title: {text}  # "),
            rf"params\.yaml can't be read by DVC: line {TITLE}: the character U\+{ord(mark):04X} ends a line there\.",
        )
        for mark in "\x85\u2028\u2029"
        for place, text in {"in a text": f"a{mark}b", "at its start": f"{mark}b"}.items()
    },
}
KINDS: dict[str, tuple[bytes | Callable[[Path], object], str]] = {
    "broken syntax": (b"seeds: [1\nsplit: {}\n", r"not valid YAML: line 2: "),
    "a tab": (replaced("  max_length", "\tmax_length"), r"not valid YAML: line \d+: "),
    "a conflict of a merge": (replaced("seeds: [42]", "<<<<<<< HEAD\nseeds: [42]"), r"line 4 is a conflict marker"),
    "a key twice": (replaced("seeds: [42]", "seeds: [42]\nseeds: [1]"), r'line 5: duplicate key "seeds"'),
    "a key twice in a section": (replaced("  val: ", "  val: 0.2\n  val: "), r'line \d+: duplicate key "val"'),
    "not UTF-8": (
        replaced("App reviews", "App reviews ö").decode().encode("latin-1"),
        r"line \d+\b.* not UTF-8|not UTF-8 \(line \d+",
    ),
    "UTF-16": (DEFAULT.encode("utf-16"), r"not UTF-8"),
    "a NUL": (replaced("title: ", "title: \0"), r"line \d+: the character U\+0000 is not allowed"),
    "an escape character": (replaced("title: ", "title: \x1b"), r"line \d+: the character U\+001B is not allowed"),
    "nothing": (b"", r"the file: expected keys and values, got null"),
    "only comments": (b"# seeds: [1]\n", r"the file: expected keys and values, got null"),
    "a list": (b"- seeds\n", r"the file: expected keys and values, got \['seeds'\]"),
    "a text": (b"seeds\n", r"the file: expected keys and values, got 'seeds'"),
    "two documents": (DEFAULT.encode() + b"---\na: 1\n", r"line \d+: but found another document"),
    "a section that is missing": (
        replaced("tokenize:\n", "tokenise:\n"),
        r"tokenize is missing; line \d+: unknown key tokenise",
    ),
    "a section that is a list": (
        replaced("split:\n", "split: []\nx:\n"),
        r"line \d+: split: expected keys and values, got \[\]",
    ),
    "brackets in brackets": (b"seeds: " + b"[" * 100_000, r"line 1: more than 50 levels"),
    "blocks in blocks": ("".join(f"{' ' * n}a:\n" for n in range(1000)).encode(), r"line 5[01]: more than 50 levels"),
    "aliases of aliases": (BOMB.encode(), r"line \d+: aliases that .* stand for more than"),
    "an alias of itself": (b"seeds: &a [*a]\n", r"line 1: aliases that contain themselves"),
    "an unknown alias": (replaced("[42]", "*nobody"), r"line 4: found undefined alias 'nobody'"),
    "a tag of Python": (
        replaced("[42]", "!!python/object/apply:os.system [touch x]"),
        r"line 4: could not determine a constructor",
    ),
    "a tag of nobody": (replaced("[42]", "!mine 42"), r"line 4: could not determine a constructor"),
    "a tag that does not fit": (replaced("[42]", "!!int x"), r"line 4: x can't be read as a value"),
    "a date that is none": (
        replaced("title: App", "title: 2024-13-45 #"),
        r"line \d+: 2024-13-45 can't be read as a value",
    ),
    "a date": (
        replaced("title: App", "title: 2024-12-24 #"),
        r"line \d+: report.title: expected a string, got 2024-12-24\. Write it in quotes: \"2024-12-24\"",
    ),
    **{
        f"{key} as a label of {place}": (
            replaced(f"{place}: {empty}", f"{place}: {{{key}: {value}}}"),
            rf"[a-z.]*{place}\.{re.escape(key)}: expected a string .*Write it in quotes: \"{re.escape(key)}\"",
        )
        for key in ("true", "false", "1.5", "-0.0", "null", "2024-12-24")
        for place, empty, value in (("labels", "{}", "name"), ("class_weights", "none", "1.0"))
    },
    **{
        f"{value} in label_order": (
            replaced("label_order: []", f"label_order: [{value}]"),
            rf"line \d+: \S+label_order\[0\]: expected a string, got {value}\. Write it in quotes: \"{value}\"",
        )
        for value in ("true", "3", "1.5", "2024-12-24")
    },
    "true as a seed": (replaced("[42]", "[true]"), r"line 4: seeds\[0\]: expected an integer, got true"),
    "a negative seed": (replaced("[42]", "[-1]"), r"line 4: seeds\[0\]: expected 0 or more, got -1"),
    "a seed that no generator takes": (
        replaced("[42]", "[4294967296]"),
        r"line 4: seeds\[0\]: expected 4294967295 or less",
    ),
    "an integer of 5,000 digits": (replaced("[42]", f"[{'9' * 5000}]"), r"line 4: 9+… can't be read as a value"),
    "a huge integer": (replaced("batch_size: 16", f"batch_size: {10**30}"), r"batch_size: expected 2147483647 or less"),
    "not a number": (
        replaced("learning_rate: ", "learning_rate: .nan  # "),
        r"learning_rate: expected a finite number, got nan",
    ),
    "infinity": (
        replaced("learning_rate: ", "learning_rate: .inf  # "),
        r"learning_rate: expected a finite number, got inf",
    ),
    "more than a float holds": (
        replaced("learning_rate: ", "learning_rate: 1e999  # "),
        r"learning_rate: expected a finite number",
    ),
    "a hundred problems": (replaced("[42]", f"[{', '.join(['x'] * 100)}]"), r"line 4: seeds\[0\]: .*; and 80 more$"),
    "a long text for a number": (
        replaced("[42]", f"[{'x' * 10_000}]"),
        r"line 4: seeds\[0\]: expected an integer, got 'x{78}…$",
    ),
    "a key with an escape character": (
        replaced("split:\n", 'split:\n  "\\e[31m": 1\n'),
        r"unknown key split\.\\x1b\[31m",
    ),
    **{
        f"the folder {folder!r}": (
            replaced(FOLDER, f'    folder: "{folder}"'),
            r"line \d+: download.dataset.folder: expected a folder",
        )
        for folder in (
            "",
            ".",
            "..",
            "./",
            "a/..",
            "../..",
            "/",
            "a\\0b",
            "a\\nb",
            "https://x.org/a",
            "s3://bucket/key",
        )
    },
    "a folder": (made(Path.mkdir), r"is not a file"),
    "a pipe": (made(os.mkfifo), r"is not a file"),
    "a device": (made(lambda path: path.symlink_to("/dev/zero")), r"is not a file"),
    "a link to nowhere": (
        made(lambda path: path.symlink_to("nowhere")),
        r"missing\. Write it with: retune use default",
    ),
    **REFUSED_BY_DVC,
    "no file": (Path.unlink, r"missing\. Write it with: retune use default"),
}
COMMANDS = (
    ["plan"],
    ["plan", "-S", "tokenize.max_length=64"],
    ["run"],
    ["run", "-S", "tokenize.max_length=64"],
    ["compare", "HEAD"],
)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy.own_project(tmp_path_factory.mktemp("broken") / "own")


@pytest.fixture
def own(original: Path) -> Path:
    """This project, with its params.yaml as it was before each test."""
    path = original / "params.yaml"
    if path.is_dir():
        path.rmdir()
    path.unlink(missing_ok=True)
    path.write_text(DEFAULT, encoding="utf-8")
    return original


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Commands:
    return Commands(monkeypatch, capfd)


def break_params(root: Path, kind: str) -> str:
    content, message = KINDS[kind]
    if isinstance(content, bytes):
        (root / "params.yaml").write_bytes(content)
    else:
        content(root / "params.yaml")
    return message


@pytest.mark.parametrize("kind", KINDS)
def test_a_plan_names_it_in_one_line(own: Path, command: Commands, kind: str) -> None:
    message = break_params(own, kind)
    done = command(own, "plan")
    assert (done.code, done.out, len(done.lines)) == (1, "", 1)
    assert re.search(message, done.lines[0]), done.err
    assert done.lines[0].startswith("error: ")
    assert done.lines[0].isprintable()
    assert len(done.err) < 4000


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
@pytest.mark.parametrize(
    "kind",
    [
        *("broken syntax", "UTF-16", "a list", "true as a seed", "a pipe", "no file"),
        *("https://x.org/a.csv in a list of mappings", "U+2028 in a text"),
    ],
)
def test_each_command_names_it_in_one_line(own: Path, command: Commands, kind: str, arguments: list[str]) -> None:
    break_params(own, kind)
    done = command(own, *arguments)
    assert (done.code, done.out, len(done.lines)) == (1, "", 1)
    assert re.search(r"^error: .*params\.yaml", done.err)


@pytest.mark.parametrize("kind", KINDS)
def test_each_stage_names_it_in_one_line(
    own: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    """The stages share one entry; `test_a_stage_as_a_plain_command` starts each of them."""
    message = break_params(own, kind)
    monkeypatch.chdir(own)
    monkeypatch.setattr(sys, "argv", ["split"])
    with pytest.raises(SystemExit) as end:
        entry.run(lambda *_: pytest.fail("the stage ran"), stage="split", doc="")
    text = capsys.readouterr().err
    assert (end.value.code, len(text.splitlines())) == (1, 1)
    assert re.search(message, text.strip()), text


@pytest.mark.parametrize("kind", REFUSED_BY_DVC)
def test_doctor_does_not_call_it_valid(own: Path, kind: str) -> None:
    message = break_params(own, kind)
    for check in (check_params, check_graph):
        (finding,) = examine("x", check, own)
        assert finding.state == "fail"
        assert re.search(message, finding.detail)


@pytest.mark.parametrize("text", ["https://x.org/a.csv", "a?b", "x:", "a\u2028b"])
@pytest.mark.parametrize("brackets", ["{}", *IN_BRACKETS.values()])
def test_in_quotes_dvc_reads_it(text: str, brackets: str) -> None:
    check_read_by_dvc("title: " + brackets.format(f'"{text}"'), name="params.yaml")


@pytest.mark.slow
@pytest.mark.parametrize(
    "stage", ["download dataset", "tokenize", "split", "finetune --seed 42", "evaluate --seed 42", "report"]
)
def test_a_stage_as_a_plain_command(own: Path, stage: str) -> None:
    message = break_params(own, "a key twice")
    done = subprocess.run([sys.executable, "-m", *f"stages.{stage}".split()], cwd=own, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("error: params.yaml is not valid YAML: line 5: ")
    assert len(done.stderr.splitlines()) == 1
    assert message


@pytest.mark.parametrize(
    "kind", ["broken syntax", "UTF-16", "a list", "true as a seed", "an alias of itself", "a key twice"]
)
def test_a_recipe_is_read_as_params_are(own: Path, command: Commands, kind: str) -> None:
    before = (own / "params.yaml").read_bytes()
    (own / "recipes/mine.yaml").write_bytes(KINDS[kind][0])  # type: ignore[arg-type]
    for arguments in (["use", "mine"], ["run", "--recipe", "mine"]):
        done = command(own, *arguments)
        assert (done.code, done.out, len(done.lines)) == (1, "", 1), (arguments, done.err)
        assert "mine" in done.err
        assert done.err.strip().isprintable()
    assert (own / "params.yaml").read_bytes() == before


@pytest.mark.parametrize("layout", ["\ufeff{}", "%YAML 1.2\n---\n{}", "{}...\n", "---\n{}"])
def test_good_files_are_read(own: Path, command: Commands, layout: str) -> None:
    (own / "params.yaml").write_text(layout.replace("{}", DEFAULT), encoding="utf-8")
    assert command(own, "plan").code == 0


@pytest.mark.parametrize(
    "folder", ["./data/samples", "data//samples", "data/samples/", "data/x/../samples", "../elsewhere", "/elsewhere"]
)
def test_good_folders_are_planned(own: Path, command: Commands, folder: str) -> None:
    toy.edit(own, "params.yaml", FOLDER, f"    folder: {folder}")
    done = command(own, "plan")
    assert (done.code, done.err) == (0, "")


@pytest.mark.parametrize("folder", ["ROOT", "../own", "/", "data", "data/download/dataset", "data/download"])
def test_a_folder_around_the_project_or_of_its_outputs_is_named(own: Path, command: Commands, folder: str) -> None:
    toy.edit(own, "params.yaml", FOLDER, f"    folder: {folder.replace('ROOT', str(own))}")
    done = command(own, "plan")
    assert (done.code, len(done.lines)) == (1, 1)
    assert re.search("contains the whole project|form a cycle|expected a folder|its own output", done.err)
