"""`retune init` and `retune use` as a user runs them: what is asked, said, written, and kept out of git."""

import io
import json
import os
import re
import shutil
import sys
from pathlib import Path

import datasets
import pytest

from pipeline.execution.workspace import hold
from pipeline.repository.project import Project
from stages.download.dataset import _read_options
from stages.download.readers.text_files import read_text_file
from stages.params import Params, parse_mapping, read_params
from tests.pipeline import toy
from tests.pipeline.commands.in_process import Commands, dvc_in_process

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:dvc")  # what it calls in its own dependencies
ROWS = "review_id,body,stars,author\n" + "".join(
    f"{number},the text of review number {number},{number % 3 + 1},u{number // 4}\n" for number in range(40)
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy.own_project(tmp_path_factory.mktemp("own") / "project")


@pytest.fixture
def own(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "project", symlinks=True))


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Commands:
    dvc_in_process(monkeypatch)
    return Commands(monkeypatch, capfd)


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    path = tmp_path / "App_Reviews.csv"
    path.write_text(ROWS)
    return path


def params(root: Path) -> Params:
    return read_params(root / "params.yaml")


def answer(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    """Let a command ask, and answer it."""
    monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
    for module in ("pipeline.commands.init", "pipeline.commands.plan"):
        monkeypatch.setattr(f"{module}.can_ask", lambda: True)


def in_git(root: Path) -> set[str]:
    """What `git add --all` would give to git."""
    toy.git(root, "add", "--all")
    return set(toy.git(root, "diff", "--cached", "--name-only").splitlines())


def test_a_file_from_elsewhere(own: Path, command: Commands, reviews: Path) -> None:
    done = command(own, "init", str(reviews))
    assert (done.code, done.err) == (0, "")
    lines = [" ".join(line.split()) for line in done.out.splitlines()]
    path = "data/mine/App_Reviews.csv"
    assert lines == [
        f"{path} (copied): tracked by DVC; git gets {path}.dvc only, never the data.",
        "text body 28 characters on average",
        "label stars 3 values: 1, 2, 3",
        "id review_id",
        "group author 10 values: u0, u1, u2, u3, u4 and 5 more",
        "reset evaluate.metric: macro_f1 -> auto (to set it again: retune init FILE -S KEY=VALUE)",
        "params.yaml describes it. To change a column: retune init FILE --label COLUMN",
        "Next: retune run. To share the data: git add --all, git commit, dvc push",
    ]
    dataset = params(own).download.dataset
    assert ([file.source for file in dataset.files], dataset.folder) == ([path], path)
    assert (dataset.columns.text, dataset.columns.label) == ("body", "stars")
    assert params(own).report.title == "App Reviews"
    assert in_git(own) == {"params.yaml", f"{path}.dvc"}
    with Project(own) as project:
        assert project.is_kept(path)
        assert path in next(stage for stage in project.graph.stages if stage.name == "download@dataset").deps


def test_a_file_in_the_project_stays_where_it_is(own: Path, command: Commands) -> None:
    (own / "private").mkdir()
    (own / "private/rows.csv").write_text(ROWS)
    done = command(own / "private", "init", "rows.csv")
    assert (done.code, done.err) == (0, "")
    assert params(own).download.dataset.folder == "private/rows.csv"
    assert in_git(own) == {"params.yaml", "private/rows.csv.dvc", "private/.gitignore"}


def test_a_file_that_git_has_stays_in_git(own: Path, command: Commands) -> None:
    (own / "rows.csv").write_text(ROWS)
    toy.git(own, "add", "rows.csv")
    done = command(own, "init", "rows.csv")
    assert "tracked by git already" in done.out
    assert in_git(own) == {"params.yaml", "rows.csv"}


@pytest.mark.parametrize("name", ["data/mine/rows.csv", "data/mine/deep/rows.csv", "data/mine/notes.txt"])
def test_data_put_there_by_hand_never_gets_into_git(own: Path, name: str) -> None:
    (own / name).parent.mkdir(parents=True)
    (own / name).write_text("private")
    assert in_git(own) == set()


def test_other_edits_of_params_stay(own: Path, command: Commands, reviews: Path) -> None:
    toy.edit(own, "params.yaml", "max_epochs: 4  #", "max_epochs: 9  # mine:")
    assert command(own, "init", str(reviews), "-S", "seeds=[7]").code == 0
    assert "max_epochs: 9  # mine:" in (own / "params.yaml").read_text()
    assert params(own).seeds == [7]
    assert command(own, "use", "default").code == 1, "these edits are still nobody's but the user's"


def test_what_was_said_of_other_labels_goes_and_of_the_same_ones_stays(
    own: Path, command: Commands, reviews: Path, tmp_path: Path
) -> None:
    """Else the first run of numbers ends at a metric of classes, or at an order of labels that they don't have."""
    toy.edit(own, "params.yaml", "label_order: []", "label_order: [a, b]")
    assert command(own, "init", str(reviews)).code == 0
    assert (params(own).evaluate.metric, params(own).download.dataset.label_order) == ("auto", [])
    assert command(own, "init", str(reviews), "-S", "evaluate.metric=mcc").code == 0
    more = tmp_path / "more.csv"
    more.write_text(reviews.read_text() + "40,the text of review number 40,1,u9\n")
    assert command(own, "init", str(more)).code == 0
    assert params(own).evaluate.metric == "mcc", "new rows of the same data set"
    more.write_text(more.read_text().replace("stars", "share"))
    assert command(own, "init", str(more), "--label", "share", "--force").code == 0
    assert params(own).evaluate.metric == "auto"


SET = {  # by a person for other labels: the key, its value, and what it is after `retune init`
    "evaluate.metric": ("mcc", "auto"),
    "download.dataset.target": ("classes", "auto"),
    "download.dataset.label_order": ("[a, b, c]", "[]"),
    "download.dataset.labels": ("{0: ham, 1: spam}", "{}"),
    "download.dataset.columns.slices": ("[version]", "[]"),
}


@pytest.mark.parametrize("key", SET)
def test_a_value_that_is_reset_is_named(own: Path, command: Commands, reviews: Path, key: str) -> None:
    old, new = SET[key]
    assert command(own, "use", "default", "-S", "evaluate.metric=auto", "-S", f"{key}={old}").code == 0
    done = command(own, "init", str(reviews))
    said = [line.strip() for line in done.out.splitlines() if line.startswith("  reset ")]
    assert said == [f"reset {key}: {old} -> {new} (to set it again: retune init FILE -S KEY=VALUE)"]


def test_what_is_set_again_or_was_the_same_is_not_reset(own: Path, command: Commands, reviews: Path) -> None:
    assert command(own, "use", "default", "-S", "evaluate.metric=mcc").code == 0
    for _ in range(2):
        done = command(own, "init", str(reviews), "-S", "evaluate.metric=mcc")
        assert (done.code, "reset" in done.out) == (0, False)


def test_options_win(own: Path, command: Commands, reviews: Path) -> None:
    arguments = ["--label", "author", "--id", "none", "--group", "none", "--pair", "stars", "--title", "Who wrote it?"]
    assert command(own, "init", str(reviews), *arguments).code == 0
    columns = params(own).download.dataset.columns
    assert (columns.label, columns.id, columns.group, columns.text_pair) == ("author", None, None, "stars")
    assert params(own).report.title == "Who wrote it?"


COLUMNS_SET = [
    ["-S", "download.dataset.columns.label=author"],
    ["-S", "download.dataset.columns={label: author}"],
    ["-S", "download.dataset.columns.label=author", "-S", "download.dataset.columns.group=null"],
    ["-S", "download.dataset.columns.label=stars", "--label", "stars", "-S", "download.dataset.columns.label=author"],
]


@pytest.mark.parametrize("arguments", COLUMNS_SET)
def test_a_column_that_an_override_sets_is_the_one_that_is_shown(
    own: Path, command: Commands, reviews: Path, arguments: list[str]
) -> None:
    done = command(own, "init", str(reviews), *arguments)
    assert done.code == 0, done.err
    lines = [" ".join(line.split()) for line in done.out.splitlines()]
    assert "label author 10 values: u0, u1, u2, u3, u4 and 5 more" in lines
    assert "group none" in lines, "a column is taken once"
    columns = params(own).download.dataset.columns
    assert (columns.text, columns.label, columns.group) == ("body", "author", None)


def test_an_override_names_a_column_where_none_is_seen(own: Path, command: Commands, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("q,z\n" + "".join(f"s{row},k{row % 2}\n" for row in range(9)))
    set_columns = ["-S", "download.dataset.columns.text=q", "-S", "download.dataset.columns.label=z"]
    assert command(own, "init", str(tmp_path / "rows.csv")).code == 1
    assert command(own, "init", str(tmp_path / "rows.csv"), *set_columns).code == 0
    assert params(own).download.dataset.columns.text == "q"
    missing = command(
        own, "init", str(tmp_path / "rows.csv"), *set_columns[:2], "-S", "download.dataset.columns.label=zz"
    )
    assert "There is no column zz for the label. The file has: q, z." in missing.err


def test_a_column_that_an_option_takes_is_not_guessed_again(own: Path, command: Commands, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text(
        "text,body,label\n" + "a long enough text,another text,x\nanother text,a text of its own,y\n" * 9
    )
    done = command(own, "init", str(tmp_path / "rows.csv"), "--label", "text")
    assert done.code == 0, done.err
    assert (params(own).download.dataset.columns.text, params(own).download.dataset.columns.label) == ("body", "text")


def test_names_from_the_data_are_shown_as_they_are(own: Path, command: Commands, tmp_path: Path) -> None:
    (tmp_path / "[red]rows.csv").write_text("[bold]text,[/]label\n" + "a long enough text,[x]\nanother text,y\n" * 9)
    done = command(own, "init", str(tmp_path / "[red]rows.csv"))
    assert (done.code, done.err) == (0, "")
    for shown in ("data/mine/[red]rows.csv", "[bold]text", "[/]label", "2 values: [x], y"):
        assert shown in done.out
    assert command(own, "plan").code == 0


def test_what_is_a_guess_is_said(own: Path, command: Commands, tmp_path: Path) -> None:
    rows = b"great caf\xe9 in town,good\nbad coffee in town,good\nso-so tea at home,bad\nno tea at all,bad\n"
    (tmp_path / "rows.csv").write_bytes(rows)
    done = command(own, "init", str(tmp_path / "rows.csv"))
    assert done.code == 0, done.err
    assert "cp1252 is a guess, because the file is not UTF-8" in done.out
    assert "-S download.dataset.encoding=NAME" in done.out
    assert "no header (if it has one: -S download.dataset.header=true)" in done.out
    assert params(own).download.dataset.header is False


def test_why_a_file_has_no_labels(own: Path, command: Commands, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("text,label,label\n" + "a long enough text,x,y\n" * 3)
    done = command(own, "init", str(tmp_path / "rows.csv"))
    assert done.code == 1
    assert "Several columns are named 'label'. Give each column a name of its own." in done.err
    assert "--label COLUMN" not in done.err


def test_in_a_terminal_it_asks(own: Path, command: Commands, reviews: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, "", "lable", "author", "none", "none")  # Enter takes the guess; a column that is not there
    done = command(own, "init", str(reviews))
    assert done.code == 0
    assert "Column of the text (review_id, body, stars, author) [body]" in done.out
    assert done.out.count("Column of the label") == 2
    columns = params(own).download.dataset.columns
    assert (columns.text, columns.label, columns.id, columns.group) == ("body", "author", None, None)


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("key", SET)
def test_a_value_that_an_override_sets_is_not_called_reset(
    own: Path, command: Commands, reviews: Path, key: str, again: bool
) -> None:
    """Also where it is another value than that of params.yaml, and not what init writes without it."""
    if again:
        assert command(own, "init", str(reviews)).code == 0
    done = command(own, "init", str(reviews), "-S", "evaluate.metric=accuracy", "-S", f"{key}={SET[key][0]}")
    assert (done.code, "reset" in done.out) == (0, False), done.out


@pytest.mark.parametrize("asked", [False, True])
def test_lists_are_a_label(
    asked: bool, own: Path, command: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = ({"text": f"a message of its own, {row}", "topics": ["app", "bill"][: row % 3]} for row in range(9))
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    if asked:
        answer(monkeypatch, "", "topics", "none", "none")
    done = command(own, "init", str(tmp_path / "rows.jsonl"))
    assert done.code == 0, done.err
    assert params(own).download.dataset.columns.label == "topics"


def test_in_a_terminal_columns_without_names_are_numbers(
    own: Path, command: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rows.csv").write_text("".join(f"{number % 2},text number {number}\n" for number in range(9)))
    answer(monkeypatch, "", "", "", "")
    done = command(own, "init", str(tmp_path / "rows.csv"))
    assert done.code == 0, done.err
    dataset = params(own).download.dataset
    assert (dataset.header, dataset.columns.text, dataset.columns.label) == (False, 1, 0)


REFUSED = {
    "no label": (
        "text\na long text\nanother long text\n",
        [],
        r"one column, 'text', so none is left for the label",
    ),
    "no label among several": (
        "text,other\na long text,x\nanother long text,y\n",
        [],
        r"Which column has their labels\? The file has: text, other. Add: --label",
    ),
    "no text": ("a,b\n1,2\n2,2\n", ["--label", "a"], "Which column has the texts?"),
    "another column": (ROWS, ["--text", "bdy"], "There is no column bdy for the text. The file has: review_id, body"),
    "a column of a file without a header": (
        "a,a\n" + "a text,x\n" * 9,
        ["--text", "a"],
        "The file has: 0, 1. It was read without a header; if it has one, add: -S download.dataset.header=true.",
    ),
    "no label in a file without a header": (
        "".join(f"a text of its own {n},{n}\n" for n in range(9)),
        [],
        "The file has: 0, 1. It was read without a header; if it has one, .* Add: --label COLUMN",
    ),
    "an empty file": ("", [], r"is empty \(0 bytes\)"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_changes_nothing(own: Path, command: Commands, tmp_path: Path, case: str) -> None:
    text, options, message = REFUSED[case]
    (tmp_path / "rows.csv").write_text(text)
    done = command(own, "init", str(tmp_path / "rows.csv"), *options)
    assert (done.code, done.out, len(done.lines)) == (1, "", 1)
    assert re.search(message, done.err), done.err
    assert toy.git(own, "status", "--porcelain") == ""


def test_another_file_of_the_same_name(own: Path, command: Commands, reviews: Path) -> None:
    mine = own / "data/mine/App_Reviews.csv"
    assert command(own, "init", str(reviews)).code == 0
    reviews.write_text(ROWS.replace("text", "word"))
    assert command(own, "init", str(reviews)).code == 0, "DVC keeps the former version"
    assert mine.read_text() == reviews.read_text()
    mine.write_text(ROWS + "1000,edited by hand,1,me\n")
    done = command(own, "init", str(reviews))
    assert done.code == 1
    assert "exists with other content, and DVC has no copy of it. Rename your file, or overwrite the" in done.err
    assert "edited by hand" in mine.read_text()
    assert command(own, "init", str(reviews), "--force").code == 0
    assert mine.read_text() == reviews.read_text()


def test_a_folder_per_class(own: Path, command: Commands, tmp_path: Path) -> None:
    for name in ("good/1.txt", "good/2.txt", "bad/1.txt"):
        (tmp_path / "films" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "films" / name).write_text(name)
    assert command(own, "init", str(tmp_path / "films")).code == 0
    dataset = params(own).download.dataset
    assert (dataset.format, dataset.folder, params(own).report.title) == ("folders", "data/mine/films", "Films")
    assert in_git(own) == {"params.yaml", "data/mine/films.dvc"}


LINKS = {  # what leads out of the folder -> is it a file?
    "a file of a class": ("bad/l.txt", True),
    "a file deep in a class": ("bad/deep/l.txt", True),
    "a class": ("worse", False),
    "a folder in a class": ("bad/more", False),
    "a file beside the classes": ("l.txt", True),
    "a hidden file": (".l.txt", True),
    "a file in a hidden folder": (".cache/l.txt", True),
    "a file of a data set of `datasets`": ("data-00001.arrow", True),
}


@pytest.mark.parametrize("where", ["elsewhere", "in the project", "in git"])
@pytest.mark.parametrize("how", ["absolute", "relative", "a link to a link"])
@pytest.mark.parametrize("link", LINKS)
def test_a_link_out_of_a_folder_is_refused_before_anything_is_copied(
    own: Path, command: Commands, tmp_path: Path, link: str, how: str, where: str
) -> None:
    name, is_file = LINKS[link]
    folder = (tmp_path if where == "elsewhere" else own) / "films"
    for file in ("good/1.txt", "bad/1.txt"):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(file)
    if "datasets" in link:
        shutil.rmtree(folder)
        datasets.Dataset.from_dict({"text": ["a", "b"] * 9, "label": ["x", "y"] * 9}).save_to_disk(folder)
    (tmp_path / "private").mkdir()
    (tmp_path / "private/key.txt").write_text("PRIVATE")
    target, path = tmp_path / ("private/key.txt" if is_file else "private"), folder / name
    path.parent.mkdir(exist_ok=True)
    if how == "a link to a link":
        (folder.parent / "hop").symlink_to(target)
        target = folder.parent / "hop"
    path.symlink_to(os.path.relpath(target, path.parent) if how == "relative" else target)
    if where == "in git":
        toy.git(own, "add", "--force", "films")
    before = toy.git(own, "status", "--porcelain", "--ignored")
    done = command(own, "init", str(folder))
    if where == "elsewhere" and "hidden" in link:
        assert (done.code, list((own / "data/mine").rglob("*l.txt"))) == (0, []), "what is hidden is not copied"
        return
    assert (done.code, done.out, len(done.lines)) == (1, "", 1), done.err
    assert re.search(r" leads |the folder\. In a data set", done.err), "paths are cut where they are long"
    assert "Copy the file there, delete the link." in done.err
    assert toy.git(own, "status", "--porcelain", "--ignored") == before
    assert not (own / "data/mine/films").exists()


def test_links_within_a_folder_are_copied_as_what_they_lead_to(own: Path, command: Commands, tmp_path: Path) -> None:
    for name in ("good/1.txt", "bad/1.txt"):
        (tmp_path / "films" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "films" / name).write_text(name)
    (tmp_path / "films/good/2.txt").symlink_to("../bad/1.txt")
    (tmp_path / "mine").symlink_to("films")
    assert command(own, "init", str(tmp_path / "mine")).code == 0, "a link that a person names is theirs"
    copied = own / "data/mine/mine/good/2.txt"
    assert copied.read_text() == "bad/1.txt"
    assert not (own / "data/mine/mine").is_symlink()


def test_what_is_no_file_in_a_folder_is_refused(own: Path, command: Commands, tmp_path: Path) -> None:
    for name in ("good", "bad"):
        (tmp_path / "films" / name).mkdir(parents=True)
        os.mkfifo(tmp_path / "films" / name / "pipe")
    done = command(own, "init", str(tmp_path / "films"))
    assert (done.code, done.out, len(done.lines)) == (1, "", 1), done.err
    assert "/pipe is a named pipe, not a file with rows. Name a copy or another file in the folder." in done.err
    assert not (own / "data/mine/films").exists()


def test_folders_of_splits(own: Path, command: Commands, tmp_path: Path) -> None:
    for name in ("train/good/1.txt", "train/bad/1.txt", "test/good/1.txt", "test/bad/1.txt", "README"):
        (tmp_path / "films" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "films" / name).write_text(name)
    done = command(own, "init", str(tmp_path / "films"))
    assert done.code == 0, done.err
    lines = [" ".join(line.split()) for line in done.out.splitlines()]
    assert lines[1:4] == [
        "classes 2: bad, good",
        "splits test (as test), train (as train)",
        "not read 1 outside the class folders: README",
    ]
    files = params(own).download.dataset.files
    assert [(file.source, file.split) for file in files] == [
        ("data/mine/films/test", "test"),
        ("data/mine/films/train", "train"),
    ]


def test_what_is_set_of_how_a_file_is_read_holds(own: Path, command: Commands, tmp_path: Path) -> None:
    (tmp_path / "rows.dat").write_text("".join(f"text number {n}~{n % 2}\n" for n in range(9)))
    values = ["format=csv", "delimiter='~'", "header=false"]
    options = [part for value in values for part in ("-S", f"download.dataset.{value}")]
    done = command(own, "init", str(tmp_path / "rows.dat"), *options)
    assert done.code == 0, done.err
    dataset = params(own).download.dataset
    assert (dataset.format, dataset.delimiter, dataset.header) == ("csv", "~", False)
    assert (dataset.columns.text, dataset.columns.label) == (0, 1)


def test_a_wrong_setting_of_how_a_file_is_read_is_refused_first(own: Path, command: Commands, reviews: Path) -> None:
    done = command(own, "init", str(reviews), "-S", "download.dataset.encoding=utf-9")
    assert (done.code, done.out) == (1, "")
    assert "download.dataset.encoding" in done.err
    assert not (own / "data/mine/App_Reviews.csv").exists()


def test_use_says_what_it_wrote(own: Path, command: Commands) -> None:
    five = ["seeds=[1,2]", "split.val=0.2", "split.test=0.2", "tokenize.max_length=64", "finetune.learning_rate=5e-5"]
    done = command(own, "use", "default", *[part for value in five for part in ("-S", value)])
    assert done.out == "params.yaml now holds the recipe default with 5 changes. Next: retune run\n"
    done = command(own, "use", "default", "-S", "seeds=[1]")
    assert done.out == "params.yaml now holds the recipe default with 1 change. Next: retune run\n"
    done = command(own, "use", "default", "-S", "seeds=[42]")
    assert done.out == "params.yaml now holds the recipe default. Next: retune run\n"


@pytest.mark.parametrize("name", ["use", "init"])
def test_what_a_run_reads_stays_until_it_ends(own: Path, command: Commands, reviews: Path, name: str) -> None:
    before = (own / "params.yaml").read_text()
    with hold(own):
        done = command(own, name, {"use": "sms_spam", "init": str(reviews)}[name])
    assert (done.code, done.out, len(done.lines)) == (1, "", 1)
    assert re.search(r"Another run uses this workspace \(process \d+, .*Wait for it to end, or stop it", done.err)
    assert (own / "params.yaml").read_text() == before
    assert not (own / "data/mine/App_Reviews.csv").exists()


@pytest.mark.parametrize("arguments", [["use", "sms_spam"], ["run", "--recipe", "sms_spam"]], ids=" ".join)
def test_where_nobody_can_answer_an_edit_is_not_discarded(own: Path, command: Commands, arguments: list[str]) -> None:
    toy.edit(own, "params.yaml", "max_epochs: 4", "max_epochs: 9")
    before = (own / "params.yaml").read_text()
    done = command(own, *arguments)
    assert (done.code, done.out, len(done.lines)) == (1, "", 1)
    assert "would be lost: finetune.max_epochs 4 -> 9. Commit the file (git commit params.yaml), or" in done.err
    assert (own / "params.yaml").read_text() == before


@pytest.mark.parametrize("yes", [True, False], ids=["yes", "no"])
def test_in_a_terminal_use_shows_the_edits_and_asks(
    own: Path, command: Commands, monkeypatch: pytest.MonkeyPatch, yes: bool
) -> None:
    toy.edit(own, "params.yaml", "max_epochs: 4", "max_epochs: 9")
    answer(monkeypatch, "y" if yes else "")
    done = command(own, "use", "sms_spam")
    assert "  finetune.max_epochs 4 -> 9\nDiscard them and write the recipe sms_spam? [y/N]:" in done.out
    assert done.code == (0 if yes else 1)
    assert (params(own).finetune.max_epochs == 9) != yes
    assert yes or "params.yaml is unchanged." in done.out


UNUSABLE = {  # a file without a column that can be chosen, or that is a folder: its text, the options, the message
    "columns of one name": ("rows.csv", "text,text\n", [], "Several columns are named 'text'"),
    "columns of one name, named": ("rows.csv", "text,text\n", ["--text", "text"], "Several columns are named 'text'"),
    "columns of another name": (
        "rows.csv",
        "a,a\n",
        ["-S", "download.dataset.header=true"],
        "Several columns are named 'a'",
    ),
    "a column that is not there": (
        "rows.csv",
        "text,text\n",
        ["--text", "nope"],
        "There is no column nope for the text. The file has: text. Several columns are named 'text': give each a name",
    ),
    "lists": ("rows.jsonl", '{"tokens": ["a", "b"], "tags": ["x"]}\n', [], "'tokens' holds lists. Write one text per"),
    "objects without values": ("rows.jsonl", '{"a": {}}\n', [], "No column has a value. Fill a column of the texts"),
    "a folder, an option": ("rows", "", ["--label", "nope"], "has no columns, so none is for the label"),
    "a folder, an override": (
        "rows",
        "",
        ["-S", "download.dataset.columns.group=nope"],
        "has no columns, so none is for the group",
    ),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_without_a_usable_column_nothing_is_written(own: Path, command: Commands, tmp_path: Path, case: str) -> None:
    name, first, options, message = UNUSABLE[case]
    if first:
        line = first if name.endswith("jsonl") else "a long enough text,another one\n"
        (tmp_path / name).write_text(first + line * 40)
    else:
        for part in ("good", "bad"):
            (tmp_path / name / part).mkdir(parents=True)
            (tmp_path / name / part / "1.txt").write_text(part)
    done = command(own, "init", str(tmp_path / name), *options)
    assert (done.code, done.out, len(done.lines)) == (1, "", 1), done.err
    assert message in " ".join(done.err.split()), done.err
    assert toy.git(own, "status", "--porcelain") == ""


ONE_HOT = "text,app,pay,staff\n" + "".join(
    f"a message of its own {n},{n % 2},{n % 3 % 2},{n % 5 % 2}\n" for n in range(40)
)
SEVERAL = [  # ways to say that a label has a column each
    ["--label", "app,pay,staff"],
    ["--label", "app, pay", "--label", "staff"],
    ["--label", "app", "--label", "pay", "--label", "staff"],
    ["-S", "download.dataset.columns.label=[app, pay, staff]"],
    ["-S", "download.dataset.columns={label: [app, pay, staff]}", "--label", "pay"],
]


@pytest.mark.parametrize("arguments", SEVERAL, ids=" ".join)
def test_a_column_for_each_label(own: Path, command: Commands, tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "rows.csv").write_text(ONE_HOT)
    done = command(own, "init", str(tmp_path / "rows.csv"), *arguments)
    assert done.code == 0, done.err
    assert params(own).download.dataset.columns.label == ["app", "pay", "staff"]
    assert "label app, pay, staff 3 labels, of which a row has any number" in " ".join(done.out.split())
    wrong = command(own, "init", str(tmp_path / "rows.csv"), "--label", "app,pai")
    assert "There is no column pai for the label. The file has: text, app, pay, staff." in wrong.err


def test_columns_for_labels_are_named_in_a_terminal(
    own: Path, command: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rows.csv").write_text(ONE_HOT)
    answer(monkeypatch, "", "app,pai", "app,pay", "none", "none")
    assert command(own, "init", str(tmp_path / "rows.csv")).code == 0
    assert params(own).download.dataset.columns.label == ["app", "pay"]


def test_a_comma_in_the_name_of_a_column_divides_nothing(own: Path, command: Commands, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text('text,"app,pay",app,pay\n' + "a long enough text,x,1,0\nanother,y,0,1\n" * 9)
    assert command(own, "init", str(tmp_path / "rows.csv"), "--label", "app,pay").code == 0
    assert params(own).download.dataset.columns.label == "app,pay"


TWICE = "question,answer,label,stars,author,app,pay,split\n" + "".join(
    f"a long question number {n},an answer to it {n},k{n % 2},{n % 3 + 1},u{n // 4},{n % 2},{n % 3 % 2},s{n % 4}\n"
    for n in range(40)
)
KEPT = {  # of a data set that gets new rows: what a person chose
    "the label": (["--label", "stars"], []),
    "a pair and a group": (["--pair", "answer", "--group", "answer"], []),
    "no group": (["--group", "none"], []),
    "a group": (["--group", "stars"], []),
    "a label of several columns": (["--label", "app,pay"], ["download.dataset.target=label_set"]),
    "names of labels": (["--label", "stars"], ["download.dataset.labels={1: bad, 2: fair, 3: good}"]),
    "slices": ([], ["download.dataset.columns.slices=[split, app]"]),
    "an order": ([], ["download.dataset.label_order=[k1, k0]"]),
    "a separator": ([], ["download.dataset.label_separator='|'"]),
    "a title": (["--title", "Mine"], []),
    "quotes": ([], ["download.dataset.quoting=false"]),
    "a metric": ([], ["evaluate.metric=mcc"]),
}


@pytest.fixture
def twice(tmp_path: Path) -> Path:
    (tmp_path / "rows.csv").write_text(TWICE)
    return tmp_path / "rows.csv"


@pytest.mark.parametrize("case", KEPT)
def test_what_is_said_of_a_data_set_stays_with_new_rows(own: Path, command: Commands, twice: Path, case: str) -> None:
    options, values = KEPT[case]
    done = command(own, "init", str(twice), *options, *(part for value in values for part in ("-S", value)))
    assert done.code == 0, done.err
    before = (own / "params.yaml").read_text()
    twice.write_text(TWICE + "another long question,another answer,k1,1,u1,1,0,s1\n")
    done = command(own, "init", str(twice))
    assert (done.code, "reset" in done.out) == (0, False), done.err
    assert (own / "params.yaml").read_text() == before


def test_what_the_new_rows_lack_is_reset_and_named(own: Path, command: Commands, twice: Path) -> None:
    assert command(own, "init", str(twice), "--label", "stars", "--group", "split", "--pair", "answer").code == 0
    values = ["download.dataset.labels={1: bad, 2: fair, 3: good}", "download.dataset.columns.slices=[split, app]"]
    assert command(own, "init", str(twice), *(part for value in values for part in ("-S", value))).code == 0
    twice.write_text(TWICE.replace("stars", "points").replace("split", "part").replace("answer,", "reply,", 1))
    done = command(own, "init", str(twice))
    said = {
        line.split()[1]: line.split("(")[0].split(": ", 1)[1].strip()
        for line in done.out.splitlines()
        if " reset " in line
    }
    assert said == {
        "download.dataset.columns.slices:": "[split, app] -> [app]",
        "download.dataset.labels:": "{1: bad, 2: fair, 3: good} -> {}",
        "download.dataset.columns.label:": "stars -> label",
        "download.dataset.columns.group:": "split -> author",
        "download.dataset.columns.text_pair:": "answer -> null",
    }


def test_options_win_over_what_was_said_and_another_name_starts_anew(
    own: Path, command: Commands, twice: Path, tmp_path: Path
) -> None:
    assert command(own, "init", str(twice), "--label", "stars", "--group", "none").code == 0
    assert command(own, "init", str(twice), "--label", "author", "--title", "Whose?").code == 0
    columns = params(own).download.dataset.columns
    assert (columns.label, columns.group, params(own).report.title) == ("author", None, "Whose?")
    (tmp_path / "other.csv").write_text(TWICE)
    assert command(own, "init", str(tmp_path / "other.csv")).code == 0
    columns = params(own).download.dataset.columns
    assert (columns.label, columns.group, params(own).report.title) == ("label", "author", "Other")


def test_a_guessed_encoding_and_a_header_that_a_person_set_stay(own: Path, command: Commands, tmp_path: Path) -> None:
    rows = "x1,x2\n" + "good cafè at home number,x2\nbad thè,y\n" * 9
    (tmp_path / "rows.csv").write_bytes(rows.encode("cp1250", "replace").replace(b"?", b"\xe8"))
    how = ["--text=x1", "--label=x2", "-S", "download.dataset.encoding=cp1250", "-S", "download.dataset.header=true"]
    assert command(own, "init", str(tmp_path / "rows.csv"), *how).code == 0
    before = (own / "params.yaml").read_text()
    done = command(own, "init", str(tmp_path / "rows.csv"))
    assert (done.code, (own / "params.yaml").read_text()) == (0, before), done.out
    (tmp_path / "rows.csv").write_text(rows)
    done = command(own, "init", str(tmp_path / "rows.csv"))
    assert (params(own).download.dataset.encoding, "reset" in done.out) == ("utf-8", False), "the file is another one"


@pytest.mark.parametrize("recipe", ["answers", "how_sure", "support_messages"])
def test_a_file_that_is_named_like_a_sample_of_a_recipe_inherits_nothing(
    own: Path, command: Commands, tmp_path: Path, recipe: str
) -> None:
    assert command(own, "use", recipe).code == 0
    samples = params(own).download.dataset
    names = [name for name in (samples.columns.text, samples.columns.label, samples.columns.text_pair) if name]
    (tmp_path / f"{recipe}.csv").write_text(
        f"{','.join(map(str, names))},id\n"
        + "".join(f"a long text {n},{n % 2},another text {n},{n}\n" for n in range(40))
        if len(names) == 3
        else f"{','.join(map(str, names))}\n" + "".join(f"a long text {n},{n % 2}\n" for n in range(40))
    )
    done = command(own, "init", str(tmp_path / f"{recipe}.csv"))
    assert (done.code, "kept" in done.out) == (0, False), done.err
    now = params(own)
    assert (now.download.dataset.columns.text_pair, now.download.dataset.columns.group) == (None, None)
    assert (now.evaluate.metric, now.download.dataset.target) == ("auto", "auto")
    assert now.report.title == recipe.replace("_", " ").capitalize()


def test_a_sample_of_a_recipe_that_a_person_names_is_theirs(own: Path, command: Commands) -> None:
    assert command(own, "use", "answers").code == 0
    (own / "data/samples").mkdir(parents=True, exist_ok=True)
    shutil.copy(toy.REPOSITORY / "data/samples/answers.csv", own / "data/samples/answers.csv")
    toy.git(own, "add", "--force", "data/samples/answers.csv")
    done = command(own, "init", "data/samples/answers.csv")
    assert done.code == 0, done.err
    said = "kept, because answers.csv has the name of the data set so far: text_pair, group, title, metric"
    assert said in done.out


ANSWERS = {  # options, answers -> what is said, and the columns then (text, label, group, text_pair)
    "a label is the group": (
        [],
        ["", "", "", "label", "author"],
        "is the label, so it can't be the group too",
        "author",
    ),
    "a text is the label": (
        [],
        ["", "question", "stars", "", "author"],
        "is the text, so it can't be the label",
        "author",
    ),
    "a pair is the text": (
        ["--pair", "answer"],
        ["answer", "question", "", "", "author"],
        "is the text, so it can't be the text_pair too",
        "author",
    ),
    "no id": ([], ["", "", "stars", "", "author"], "has a value twice, so it can't be the id", "author"),
    "no flags": ([], ["", "app,author", "app,pay", "", "author"], "'author' has the value 'u0'", "author"),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_an_answer_that_can_not_be_is_asked_again_with_the_reason(
    own: Path, command: Commands, twice: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    options, answers, why, group = ANSWERS[case]
    answer(monkeypatch, *answers)
    done = command(own, "init", str(twice), *options)
    assert done.code == 0, done.err
    assert (done.out.count(why), done.out.count("Column of the")) == (1, 5)
    assert params(own).download.dataset.columns.group == group


def test_a_former_encoding_stays_only_where_it_decodes_the_file(own: Path, command: Commands, tmp_path: Path) -> None:
    rows = "text,label\n" + "".join(f"caf\xe9 number {n} in town,k{n % 2}\n" for n in range(40))
    (tmp_path / "rows.csv").write_text(rows, "utf-8")
    assert command(own, "init", str(tmp_path / "rows.csv")).code == 0
    (tmp_path / "rows.csv").write_text(rows, "cp1252")
    done = command(own, "init", str(tmp_path / "rows.csv"))
    assert (done.code, params(own).download.dataset.encoding) == (0, "cp1252"), done.err
    assert "cp1252 is a guess" in done.out
    assert "reset" not in done.out


def test_a_key_that_an_older_file_lacks_is_no_fault_of_the_program(own: Path, command: Commands, twice: Path) -> None:
    assert command(own, "init", str(twice), "--label", "stars").code == 0
    whole = parse_mapping((own / "params.yaml").read_text(), name="params.yaml")
    lacking = []
    for key in whole["download"]["dataset"]:
        section = {name: value for name, value in whole["download"]["dataset"].items() if name != key}
        values = {**whole, "download": {**whole["download"], "dataset": section}}
        (own / "params.yaml").write_text(json.dumps(values))
        done = command(own, "init", str(twice))
        if done.code:
            assert f"download.dataset.{key} is missing. Copy missing keys from recipes/default.yaml." in done.err
        else:
            lacking.append(key)
            assert params(own).download.dataset.columns.label == "stars"
    assert lacking == ["sheet", "label_separator"]


SPOILED = {  # an option, the column, what stands in it now -> the exit code, and what is said
    "a blank text": (["--text", "answer"], "answer", "", 1, "'answer' is blank in all rows. Fill it, or name another"),
    "a blank label": (["--label", "stars"], "stars", "", 1, "'stars' is blank in all rows. Fill it, or name another"),
    "one label": (["--label", "stars"], "stars", "5", 1, "'stars' has only one value, but a model needs two classes"),
    "flags": (["--label", "app,pay"], "pay", "no", 1, "'pay' has the value 'no', but one of several labels needs 0 or"),
    "an id": (
        ["--id", "key"],
        "key",
        "5",
        0,
        "columns.id: key -> null (The column 'key' has a value twice, so it can't",
    ),
    "a group": (
        ["--group", "key"],
        "key",
        "",
        0,
        "columns.group: key -> author (The column 'key' is blank in all rows",
    ),
    "a pair": (
        ["--pair", "answer"],
        "answer",
        "",
        0,
        "columns.text_pair: answer -> null (The column 'answer' is blank",
    ),
}


@pytest.mark.parametrize("case", SPOILED)
def test_a_kept_column_is_checked_like_one_that_is_named(own: Path, command: Commands, twice: Path, case: str) -> None:
    option, column, value, code, said = SPOILED[case]
    header, *rows = (line.split(",") for line in TWICE.splitlines())
    table = [[*header, "key"], *([*row, str(number)] for number, row in enumerate(rows))]
    twice.write_text("".join(",".join(row) + "\n" for row in table))
    assert command(own, "init", str(twice), *option).code == 0
    place = table[0].index(column)
    for row in table[1:]:
        row[place] = value
    twice.write_text("".join(",".join(row) + "\n" for row in table))
    done = command(own, "init", str(twice))
    assert done.code == code, done.err
    assert said in (done.err if code else done.out)


@pytest.mark.parametrize("label", [" stars", "stars", "stars "])
@pytest.mark.parametrize("how", ["option", "override", "answer"])
def test_blanks_around_names_in_the_header(
    own: Path, command: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, label: str, how: str
) -> None:
    (tmp_path / "rows.csv").write_text("text, stars,label\n" + ROWS_OF_BLANKS)
    if how == "answer":
        answer(monkeypatch, "", label, "", "")
    options = {"option": ["--label", label], "override": ["-S", f"download.dataset.columns.label='{label}'"]}
    done = command(own, "init", str(tmp_path / "rows.csv"), *options.get(how, []))
    assert done.code == 0, done.err
    assert params(own).download.dataset.columns.label == " stars"
    assert [line.split() for line in done.out.splitlines() if "not used" in line] == [["not", "used", "label"]]


ROWS_OF_BLANKS = "".join(f"a text of its own {n},{n % 3},k{n % 2}\n" for n in range(40))


def test_a_header_that_a_person_denied_stays_denied(own: Path, command: Commands, twice: Path) -> None:
    how = ["--text", "0", "--label", "2", "-S", "download.dataset.header=false"]
    assert command(own, "init", str(twice), *how).code == 0
    before = (own / "params.yaml").read_text()
    twice.write_text(TWICE + "another long question,another answer,k1,1,u1,1,0,s1\n")
    done = command(own, "init", str(twice))
    assert (done.code, (own / "params.yaml").read_text()) == (0, before), done.err
    assert "kept, because rows.csv has the name of the data set so far: header, text, label" in done.out


def test_a_header_that_the_new_rows_have_is_read(own: Path, command: Commands, tmp_path: Path) -> None:
    """Nobody had said that there is none."""
    rows = "".join(f"a text of its own {n},{n % 2}\n" for n in range(40))
    (tmp_path / "rows.csv").write_text(rows)
    assert command(own, "init", str(tmp_path / "rows.csv")).code == 0
    assert params(own).download.dataset.header is False
    (tmp_path / "rows.csv").write_text(f"text,label\n{rows}")
    assert command(own, "init", str(tmp_path / "rows.csv")).code == 0
    dataset = params(own).download.dataset
    assert (dataset.header, dataset.columns.text, dataset.columns.label) == (True, "text", "label")


TAKEN = {  # the options of before, those of now -> what is said
    "one of the labels": (
        ["--label", "app,pay"],
        ["--group", "pay"],
        "'pay' is one of the labels (app, pay), so it can't",
    ),
    "the label": (["--label", "stars"], ["--id", "stars"], "'stars' has a value twice, so it can't be the id"),
    "the text": (["--text", "answer"], ["--label", "answer"], "'answer' is the text, so it can't be the label too"),
    "a set": (
        ["--label", "stars"],
        ["--label", "app,answer"],
        "'answer' has the value 'an answer to it 0', but one of",
    ),
}


@pytest.mark.parametrize("case", TAKEN)
def test_an_option_does_not_take_the_column_of_another_field(
    own: Path, command: Commands, twice: Path, case: str
) -> None:
    before, now, said = TAKEN[case]
    assert command(own, "init", str(twice), *before).code == 0
    text = (own / "params.yaml").read_text()
    done = command(own, "init", str(twice), *now)
    assert (done.code, len(done.lines), (own / "params.yaml").read_text()) == (1, 1, text)
    assert said in done.err
    assert "Name another column" in done.err or "--" in done.err


@pytest.mark.parametrize("where", ["elsewhere", "another folder"])
def test_what_is_kept_is_named_and_why(own: Path, command: Commands, twice: Path, tmp_path: Path, where: str) -> None:
    values = ["download.dataset.labels={1: bad, 2: fair, 3: good}", "download.dataset.columns.slices=[split, app]"]
    how = ["--label", "stars", "--group", "none", "--title", "Mine"]
    done = command(own, "init", str(twice), *how, *(part for value in values for part in ("-S", value)))
    assert (done.code, "kept" in done.out) == (0, False)
    if where == "another folder":
        (own / "private").mkdir()
        twice = Path(shutil.copy(twice, own / "private/rows.csv"))
    done = command(own, "init", str(twice))
    said = "kept, because rows.csv has the name of the data set so far: label, group, slices, labels, title"
    assert [line.strip() for line in done.out.splitlines() if "kept" in line] == [said]
    assert "reset" not in done.out, "the place of the new file is no loss"
    more = command(own, "init", str(twice), "--group", "author", "--title", "Other", "-S", values[0])
    assert "set so far: label, slices\n" in more.out, "what a person says is not kept"
    shutil.copy(twice, tmp_path / "other.csv")
    assert command(own, "init", str(twice), "-S", "evaluate.metric=mcc").code == 0
    other = command(own, "init", str(tmp_path / "other.csv"), "--label", "stars")
    assert "kept, because the label has the same column: metric\n" in other.out


LOST = {  # what a person set of the files and how they are read -> is it named as lost?
    "download.dataset.quoting=false": True,
    "download.dataset.files.0.split=train": True,
    "download.dataset.delimiter=';'": False,
}


@pytest.mark.parametrize("value", LOST)
def test_only_what_a_person_may_miss_is_called_reset(own: Path, command: Commands, twice: Path, value: str) -> None:
    twice.write_text(TWICE.replace(",", ";"))
    assert command(own, "init", str(twice), "-S", value).code == 0
    twice.write_text(TWICE.replace("label", "kind").replace("question", "body"))
    done = command(own, "init", str(twice), "--label", "stars")
    assert done.code == 0, done.err
    key = "download.dataset.files" if "files" in value else value.split("=")[0]
    assert (f"reset {key}" in done.out) == LOST[value], done.out
    assert "reset download.dataset.delimiter" not in done.out


@pytest.mark.parametrize("header", ["1,0", "0,1"])
@pytest.mark.parametrize("how", ["options", "overrides", "again"])
def test_a_number_names_the_column_that_the_stage_reads(
    own: Path, command: Commands, tmp_path: Path, header: str, how: str
) -> None:
    """With a header it is a name, whatever its position; a model's input.json takes names for text alone."""
    text, label = header.split(",")
    (tmp_path / "rows.csv").write_text(f"{header}\n" + "".join(f"a text of its own {n},k{n % 2}\n" for n in range(40)))
    named = ["--text", text, "--label", label]
    if how != "options":
        keys = {"text": text, "label": label}
        named = [part for key in keys for part in ("-S", f"download.dataset.columns.{key}={keys[key]}")]
    done = command(own, "init", str(tmp_path / "rows.csv"), "-S", "download.dataset.header=true", *named)
    if how == "again":
        done = command(own, "init", str(tmp_path / "rows.csv"))
    assert done.code == 0, done.err
    dataset = params(own).download.dataset
    assert (dataset.columns.text, dataset.columns.label) == (text, label)
    records = list(read_text_file(tmp_path / "rows.csv", name="rows.csv", options=_read_options(dataset)))
    assert (records[0].text, records[0].label, len(records)) == ("a text of its own 0", "k0", 40)


def test_many_labels_are_cut(own: Path, command: Commands, tmp_path: Path) -> None:
    rows = "".join(f"a text of its own {n}," + ",".join(str((n + m) % 2) for m in range(33)) + "\n" for n in range(40))
    (tmp_path / "rows.csv").write_text(f"{FLAGS_OF_MANY}\n{rows}")
    done = command(own, "init", str(tmp_path / "rows.csv"), "--label", "f0")
    hint = "f1, f2, f3, f4, f5 and 27 more (for sets of labels: --label f0,f1,f2,f3,f4 ... (33 columns of 0 and 1))"
    assert hint in done.out
    done = command(own, "init", str(tmp_path / "rows.csv"), "--label", FLAGS_OF_MANY.removeprefix("text,"))
    assert "f0, f1, f2, f3, f4 and 28 more" in done.out
    assert "f10" not in done.out


def test_a_hint_can_be_typed_where_names_have_commas(own: Path, command: Commands, tmp_path: Path) -> None:
    rows = "".join(f"a text of its own {n},{n % 2},{n % 3 % 2},{n % 5 % 2}\n" for n in range(40))
    (tmp_path / "rows.csv").write_text(f'text,"app,pay",app,pay\n{rows}')
    done = command(own, "init", str(tmp_path / "rows.csv"), "--label", "app")
    hint = "--label app,pay --label app --label pay"
    assert f"for sets of labels: {hint})" in done.out
    assert command(own, "init", str(tmp_path / "rows.csv"), *hint.split()).code == 0
    assert params(own).download.dataset.columns.label == ["app,pay", "app", "pay"]


PAIR, SETS = "for pairs of texts: --pair", "for sets of labels: --label"
FLAGS_OF_MANY = "text," + ",".join(f"f{n}" for n in range(33))
UNUSED = {  # columns of TWICE, options -> what is said of the columns that are not used
    "a second text": ("question,answer,label", [], f"answer ({PAIR} answer)"),
    "a second text that is used": ("question,answer,label", ["--pair", "answer"], None),
    "a column of splits": ("question,label,split", [], "split"),
    "a slice": ("question,label,split", ["-S", "download.dataset.columns.slices=[split]"], None),
    "columns of 0 and 1": ("question,app,pay", [], f"pay ({SETS} app,pay)"),
    "columns of 0 and 1 that are used": ("question,app,pay", ["--label", "app,pay"], None),
    "a slice of 0 and 1": (
        "question,app,pay",
        ["--label", "app", "-S", "download.dataset.columns.slices=[pay]"],
        None,
    ),
    "all of these": ("question,answer,app,pay", [], f"answer, pay ({PAIR} answer; {SETS} app,pay)"),
}


@pytest.mark.parametrize("case", UNUSED)
def test_columns_that_are_not_used_are_named(own: Path, command: Commands, tmp_path: Path, case: str) -> None:
    names, options, expected = UNUSED[case]
    header, *rows = (line.split(",") for line in TWICE.splitlines())
    kept = [header.index(name) for name in names.split(",")]
    (tmp_path / "rows.csv").write_text("".join(",".join(row[n] for n in kept) + "\n" for row in [header, *rows]))
    done = command(own, "init", str(tmp_path / "rows.csv"), *options)
    assert done.code == 0, done.err
    said = [" ".join(line.split()) for line in done.out.splitlines() if "not used" in line]
    assert said == ([f"not used {expected}"] if expected else [])
