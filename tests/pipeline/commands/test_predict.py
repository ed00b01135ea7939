"""`retune predict` and `retune embed` on the command line."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from pipeline.cli import app
from stages.errors import DataError, ModelError, RetuneError
from stages.inference.classifier import Classifier
from stages.paths import Paths
from tests.pipeline.prediction.rows import run_retune, write_csv

ROOT = Path(__file__).parents[3]


def test_a_foreign_folder_is_refused(model: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(model, tmp_path / "foreign")
    config = json.loads((folder / "config.json").read_text()) | {"auto_map": {"AutoModel": "theirs.Model"}}
    (folder / "config.json").write_text(json.dumps(config))
    result = CliRunner().invoke(app, ["predict", "good", "--model", str(folder)])
    assert isinstance(result.exception, ModelError)
    assert "runs code that comes with the model" in str(result.exception)


@pytest.mark.parametrize("address", ["https://user:s3cr3t-planted@host/x", "hf://user:s3cr3t-planted@org/name"])
def test_a_model_that_is_an_address_is_named_without_its_password(address: str) -> None:
    """A path keeps one of the two slashes."""
    result = CliRunner().invoke(app, ["predict", "good", "--model", address])
    assert isinstance(result.exception, RetuneError)
    assert "***@" in str(result.exception)
    assert "s3cr3t-planted" not in f"{result.exception}{result.output}"


def test_texts_as_arguments(model: Path) -> None:
    result = CliRunner().invoke(app, ["predict", "good app", "bad\ncrash", "--all", "--model", str(model)])
    expected = Classifier.load(model)(["good app"])[0]
    first, second = result.stdout.splitlines()
    shares = "".join(f"  {label} {share:.3f}" for label, share in expected.probabilities.items())
    assert first == f"{expected.label}  {expected.probability:.3f}{shares}  good app"
    assert second.endswith("  bad crash")


@pytest.mark.usefixtures("bf16_units")
@pytest.mark.parametrize("command", ["predict", "embed"])
def test_precision_32_rounds_no_product(model: Path, tmp_path: Path, command: str) -> None:
    texts = ["good app", "bad crash"]
    write_csv(tmp_path / "in.csv", texts)
    answers = {}
    for precision in ("auto", "32"):
        out = tmp_path / f"{precision}.parquet"
        options = [
            "--file",
            str(tmp_path / "in.csv"),
            "--out",
            str(out),
            "--model",
            str(model),
            "--precision",
            precision,
        ]
        result = CliRunner().invoke(app, [command, *options])
        assert result.exit_code == 0, result.output
        answers[precision] = np.stack(pd.read_parquet(out)["probability" if command == "predict" else "embedding"])
    exact = Classifier.load(model, precision="32")
    expected = [one.probability for one in exact(texts)] if command == "predict" else exact.embed(texts)
    np.testing.assert_allclose(answers["32"], expected, atol=1e-6)
    assert 0 < np.abs(answers["auto"] - answers["32"]).max() < 0.1


@pytest.mark.parametrize(
    ("text", "kept"), [("kept_rows_mb: 2000", True), ("kept_rows_mb: 0", False), ("kept_rows_mb: wrong", False)]
)
def test_a_project_keeps_what_was_computed_unless_its_params_say_no(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, kept: bool
) -> None:
    content = (ROOT / "params.yaml").read_text(encoding="utf-8").replace("kept_rows_mb: 2000", text)
    (tmp_path / "params.yaml").write_text(content, encoding="utf-8")
    monkeypatch.setattr("pipeline.commands.model.project_root", lambda: tmp_path)
    turns = [CliRunner().invoke(app, ["predict", "good app", "--model", str(model)]).stdout for _ in range(2)]
    assert turns[0] == turns[1] != ""
    assert Paths(tmp_path).kept_rows.exists() == kept


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["predict", ""], "text 1 of 1: text is empty"),
        (["predict"], "Give either texts, or the rows of a file"),
        (["predict", "good", "--file", "in.csv"], "Give either texts, or the rows of a file"),
        (["embed"], "Give the rows: --file FILE"),
    ],
)
def test_wrong_arguments_are_one_clear_line(model: Path, arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(app, [*arguments, "--model", str(model)])
    assert isinstance(result.exception, DataError)
    assert message in str(result.exception)


def test_an_escape_in_a_text_does_not_reach_the_terminal(model: Path) -> None:
    result = CliRunner().invoke(app, ["predict", "good \x1b[31mapp\u202e", "--model", str(model)])
    assert result.stdout.endswith("  good �[31mapp�\n")


def test_a_spreadsheet_computes_nothing(model: Path, tmp_path: Path) -> None:
    file = write_csv(tmp_path / "in.csv", ["=1+1 good"])
    command = ["predict", "--file", str(file), "--model", str(model)]
    for options, start in ((["--spreadsheet-safe"], "'=1+1 good,"), ([], "=1+1 good,")):
        result = CliRunner().invoke(app, [*command, *options])
        assert result.stdout.splitlines()[1].startswith(start)


def test_standard_input_to_standard_output(model: Path) -> None:
    result = run_retune("predict", "--file", "-", "--model", str(model), input=b"text,n\ngood,1\n,2\n")
    lines = result.stdout.decode().splitlines()
    assert lines[0] == "text,n,prediction,probability,error"
    assert lines[1].startswith("good,1,")
    assert lines[2] == ",2,,,text is empty"
    assert b"2 rows, " in result.stderr
    assert b"1 could not be used: see the column error" in result.stderr
    assert result.returncode == 0
