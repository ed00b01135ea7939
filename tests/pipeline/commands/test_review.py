"""`retune review` as a command: options that do not go together, a project without a run, export and import."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.cli import app
from stages.errors import DataError, PipelineError
from tests.pipeline.review import reviewing


def call(root: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> str:
    monkeypatch.chdir(root)
    result = CliRunner().invoke(app, ["review", *arguments], catch_exceptions=False, standalone_mode=False)
    return result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--export", "a.csv", "--import", "b.csv"), "--export and --import can't be combined"),
        (("--format", "argilla"), "--format and --spreadsheet-safe are for --export"),
        (("--import", "a.csv", "--spreadsheet-safe"), "are for --export"),
        (("--export", "a.csv", "--format", "xml"), "'xml' is unknown. Give one of: csv, argilla, label-studio"),
        (("--export", "a.json", "--format", "argilla", "--spreadsheet-safe"), "--spreadsheet-safe is for --format csv"),
        (
            ("--export", "a.xlsx"),
            r"a\.xlsx: csv is written to a file in \.csv. Give such a name, or another format: csv",
        ),
        (("--export", "a.json"), r"another format: csv \(\.csv\), argilla \(\.json\), label-studio \(\.json\)"),
        (("--export", "a.csv", "--format", "argilla"), r"a\.csv: argilla is written to a file in \.json"),
    ],
)
def test_options_that_do_not_go_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], message: str
) -> None:
    root = reviewing.create(tmp_path / "project", stage=False)
    with pytest.raises(PipelineError, match=message):
        call(root, monkeypatch, *arguments)
    assert not (root / "data/corrections.csv").exists()


def test_before_a_run_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = reviewing.create(tmp_path / "project", stage=False)
    with pytest.raises(DataError, match="rows.parquet is missing. Make it with: retune run"):
        call(root, monkeypatch)
    reviewing.download(root)
    with pytest.raises(DataError, match="suspects.csv is missing. Make it with: retune run"):
        call(root, monkeypatch)


def test_export_and_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = reviewing.create(tmp_path / "project")
    reviewing.suspects_of_classes(root)
    out = tmp_path / "out.csv"
    assert f"{out}: 3 rows" in call(root, monkeypatch, "--export", str(out)).replace("\n", "")
    out.write_text("id,decision,new_label\nr2,,1\nr0,,\n")
    output = call(root, monkeypatch, "--import", str(out), "--who", "somebody")
    assert "1 new decision of 1" in output
    assert [(line.id, line.who) for line in reviewing.corrections(root)] == [("r2", "somebody")]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            "id,decision,new_label,exported\nr2,,1,\n",
            "1 not imported, because somebody else has decided these rows differently, or with another note, since the "
            "export: 'r2'.",
        ),
        (
            "id,decision,new_label\nr2,,1\n",
            "1 overwrite decisions of somebody else, because in.csv has no column exported: 'r2'.",
        ),
    ],
    ids=["stays", "replaced"],
)
def test_a_row_that_two_have_decided_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, columns: str, message: str
) -> None:
    root = reviewing.create(tmp_path / "project")
    data, decisions = reviewing.opened(root)
    decisions.decide(data.row("r2"), "unclear", seen=None)
    (root / "in.csv").write_text(columns)
    output = call(root, monkeypatch, "--import", "in.csv", "--who", "another")
    assert message in " ".join(output.split())


@pytest.mark.parametrize("file_format", ["csv", "argilla", "label-studio"])
def test_an_export_that_nobody_has_answered_is_imported_as_no_decision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file_format: str
) -> None:
    root = reviewing.create(tmp_path / "project")
    reviewing.suspects_of_classes(root)
    name = "out.csv" if file_format == "csv" else "out.json"
    call(root, monkeypatch, "--export", name, "--format", file_format)
    output = call(root, monkeypatch, "--import", name)
    assert f"{name}: no row in it has a decision or an annotation, so nothing is imported." in output
    assert reviewing.corrections(root) == []


@pytest.mark.parametrize("file_format", ["csv", "argilla", "label-studio"])
@pytest.mark.parametrize("suspects", [0, 1])
def test_an_export_says_how_many_rows_there_are_to_decide(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file_format: str, suspects: int
) -> None:
    root = reviewing.create(tmp_path / "project")
    reviewing.suspects_of_classes(root, reviewing.SUSPECTS[:suspects])
    suffix = "csv" if file_format == "csv" else "json"
    output = call(root, monkeypatch, "--export", f"out.{suffix}", "--format", file_format)
    assert (root / f"out.{suffix}").exists() == bool(suspects)
    if not suspects:
        assert output == f"out.{suffix} is not written, because no row has a suspect label.\n"
        return
    assert output.startswith(f"out.{suffix}: 1 row. Decide, then:")
    data, decisions = reviewing.opened(root)
    decisions.decide(data.row("r2"), "keep", seen=None)
    output = call(root, monkeypatch, "--export", f"again.{suffix}", "--format", file_format)
    if file_format == "csv":
        assert output.startswith("again.csv: 1 row.")
    else:
        assert output == "again.json is not written, because each row with a suspect label is decided.\n"


def test_the_help_names_no_format_that_it_does_not_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "TSV" not in call(tmp_path, monkeypatch, "--help")


@pytest.mark.parametrize("name", ["a[/b].csv", "[red]x.csv", "a:x:b.csv"])
def test_a_path_is_shown_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    root = reviewing.create(tmp_path / "project")
    reviewing.suspects_of_classes(root)
    (root / name).parent.mkdir(exist_ok=True)
    assert f"{name}: 3 rows." in call(root, monkeypatch, "--export", name)
    assert f"{name}: no row in it has a decision or an annotation" in call(root, monkeypatch, "--import", name)
