"""Models of text pairs and of single texts, and rows of the other kind."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.prediction.run import embed_rows, predict_rows
from pipeline.suggestion.suggest import Wanted, suggest_rows
from stages.errors import DataError
from stages.files import write_json
from stages.inference.classifier import Classifier
from tests.pipeline.prediction.rows import read_csv, request_of, run_retune

PAIRS = {"question": ["good", "bad"], "answer": ["slow", "crash"]}
SINGLE = {"text": ["good", "bad"], "answer": ["slow", "crash"]}


def predict(*arguments: object, **options: object) -> None:
    predict_rows(request_of(*arguments, **options), Classifier.load, every_label=False)  # type: ignore[arg-type]


def suggest(*arguments: object, **options: object) -> None:
    suggest_rows(request_of(*arguments, **options), Classifier.load, Wanted(2, 0, None))  # type: ignore[arg-type]


def embed(file: str, out: Path, model: Path, **options: object) -> None:
    embed_rows(request_of(file, out.with_suffix(".parquet"), model, **options), Classifier.load)


COMMANDS = [predict, suggest, embed]


@pytest.fixture(params=["named", "numbered"])
def of_pairs(model: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A model of pairs, whose data had names of columns or only numbers."""
    columns = {"text": "question", "text_pair": "answer"} if request.param == "named" else {"text": 0, "text_pair": 1}
    folder = Path(shutil.copytree(model, tmp_path / "pairs"))
    write_json(folder / "input.json", {"format": "csv", "header": request.param == "named", **columns})
    return folder


@pytest.fixture
def of_texts(model: Path, tmp_path: Path) -> Path:
    folder = Path(shutil.copytree(model, tmp_path / "texts"))
    write_json(folder / "input.json", {"format": "csv", "text": "text", "text_pair": None})
    return folder


def write(path: Path, rows: dict[str, list[str]]) -> Path:
    """Rows in the format that the name of a file says."""
    table = pd.DataFrame(rows)
    if path.suffix == ".txt":
        path.write_text("".join(f"{text}\n" for text in table.iloc[:, 0]))
    elif path.suffix == ".parquet":
        table.to_parquet(path)
    elif path.suffix == ".jsonl":
        table.to_json(path, orient="records", lines=True)
    elif path.suffix == ".xlsx":
        table.to_excel(path, index=False)
    elif path.suffix == ".csv":
        table.to_csv(path, index=False)
    else:
        path.mkdir()
        for number, text in enumerate(table.iloc[:, 0]):
            (path / f"{number}.txt").write_text(text)
    return path


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", ["in.txt", "folder"])
def test_a_format_of_single_texts_has_no_pairs(
    of_pairs: Path, tmp_path: Path, command: Callable[..., None], name: str
) -> None:
    file = write(tmp_path / name, PAIRS)
    with pytest.raises(
        DataError, match=r"^The model expects pairs of texts, but this format has one text per row\. Give a"
    ):
        command(str(file), tmp_path / "out.csv", of_pairs)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", ["in.csv", "in.jsonl", "in.parquet"])
def test_single_texts_are_refused_by_a_model_of_pairs(
    of_pairs: Path, tmp_path: Path, command: Callable[..., None], name: str
) -> None:
    """Also where the model's columns are numbers, which a file with names does not have."""
    file = write(tmp_path / name, {"question": PAIRS["question"]})
    with pytest.raises(DataError, match=r"--pair-column\.$"):
        command(str(file), tmp_path / f"out{file.suffix}", of_pairs, column="question", header=True)
    assert not list(tmp_path.glob("out*"))


@pytest.mark.parametrize("name", ["in.csv", "in.jsonl", "in.parquet"])
def test_both_columns_are_pairs(of_pairs: Path, tmp_path: Path, name: str) -> None:
    file, out = write(tmp_path / name, PAIRS), tmp_path / "out.parquet"
    predict(str(file), out, of_pairs, column="question", pair_column="answer", header=True)
    expected = Classifier.load(of_pairs)(PAIRS["question"], PAIRS["answer"])
    np.testing.assert_allclose(
        pd.read_parquet(out)["probability"], [prediction.probability for prediction in expected], atol=1e-5
    )


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", ["in.csv", "in.jsonl", "in.parquet", "in.txt"])
def test_pairs_are_refused_by_a_model_of_single_texts(
    of_texts: Path, tmp_path: Path, command: Callable[..., None], name: str
) -> None:
    file = write(tmp_path / name, SINGLE)
    out = tmp_path / ("out.csv" if name == "in.txt" else f"out{file.suffix}")
    with pytest.raises(DataError, match=r"^The model was trained on single texts\. Leave out --pair-column\.$"):
        command(str(file), out, of_texts, pair_column="answer")


def test_a_second_column_of_a_format_without_columns_is_refused(model: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"^This format has one text per row\. Leave out --pair-column"):
        predict(str(write(tmp_path / "in.txt", SINGLE)), tmp_path / "out.csv", model, pair_column="answer")


@pytest.mark.parametrize("method", ["__call__", "columns", "probabilities", "embed"])
def test_the_classifier_refuses_the_other_kind(of_pairs: Path, of_texts: Path, model: Path, method: str) -> None:
    with pytest.raises(DataError, match=r"^The model was trained on pairs .*classifier\(texts, text_pairs\)"):
        getattr(Classifier.load(of_pairs), method)(["good"])
    with pytest.raises(DataError, match=r"^The model was trained on single texts\. Leave out text_pairs\.$"):
        getattr(Classifier.load(of_texts), method)(["good"], ["bad"])
    for classifier, pairs in ((Classifier.load(of_pairs), ["bad"]), (Classifier.load(of_texts), None)):
        assert len(getattr(classifier, method)(["good"], pairs))
    unknown = Classifier.load(model)  # a folder without input.json
    assert len(getattr(unknown, method)(["good"], ["bad"])) == len(getattr(unknown, method)(["good"]))
    assert not len(Classifier.load(of_pairs)([]))


def test_a_text_on_the_command_line_is_no_pair(of_pairs: Path) -> None:
    done = run_retune("predict", "Where?", "Here.", "--model", str(of_pairs))
    assert done.returncode == 1
    [line] = done.stderr.decode().splitlines()
    assert "The model expects pairs of texts, but these are single texts. Give a file with both columns: " in line
    assert "retune predict --file FILE" in line


@pytest.mark.parametrize("name", ["in.csv", "in.jsonl", "in.parquet", "in.xlsx"])
@pytest.mark.parametrize(("lacks", "option"), [("question", "--column"), ("answer", "--pair-column")])
def test_a_missing_column_is_chosen_with_its_own_option(
    of_pairs: Path, tmp_path: Path, name: str, lacks: str, option: str
) -> None:
    rows = {"other" if column == lacks else column: texts for column, texts in PAIRS.items()}
    file = write(tmp_path / name, rows)
    with pytest.raises(DataError, match=rf"has no column '{lacks}'. .*Choose one with {option}\.$"):
        predict(str(file), tmp_path / "out.parquet", of_pairs, column="question", pair_column="answer", header=True)


@pytest.mark.parametrize(("nested", "option"), [("question", "--column"), ("answer", "--pair-column")])
def test_a_column_of_another_type_is_chosen_with_its_own_option(
    of_pairs: Path, tmp_path: Path, nested: str, option: str
) -> None:
    pd.DataFrame({**PAIRS, nested: [["a"], ["b"]]}).to_parquet(tmp_path / "in.parquet")
    with pytest.raises(DataError, match=rf"column '{nested}' has the type .* Choose another with {option}\."):
        predict(str(tmp_path / "in.parquet"), tmp_path / "o.csv", of_pairs, column="question", pair_column="answer")


def test_a_row_without_its_second_text_gets_an_error(of_pairs: Path, tmp_path: Path) -> None:
    file = write(tmp_path / "in.csv", {**PAIRS, "answer": ["slow", ""]})
    predict(str(file), tmp_path / "out.csv", of_pairs, column="question", pair_column="answer", header=True)
    assert [row["error"] for row in read_csv(tmp_path / "out.csv")] == ["", "second text: text is empty"]
