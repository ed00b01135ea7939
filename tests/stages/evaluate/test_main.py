"""The evaluate stage on a tiny project."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from sklearn.metrics import accuracy_score, f1_score, log_loss, matthews_corrcoef

from stages.errors import ModelError
from stages.evaluate.__main__ import main
from stages.params import read_params
from stages.paths import Paths


@pytest.fixture(scope="module")
def evaluated(project: Paths) -> Paths:
    main(read_params(project.params), project, 1)
    return project


def test_predictions_hold_a_row_per_example_of_val_and_test(evaluated: Paths) -> None:
    predictions = pd.read_parquet(evaluated.predictions(1))
    rows = pd.read_parquet(evaluated.rows)
    expected = [pd.read_parquet(evaluated.split(name))["position"] for name in ("val", "test")]
    assert predictions["position"].tolist() == pd.concat(expected).tolist()
    assert predictions["id"].tolist() == rows["id"][predictions["position"]].tolist()
    lengths = pa.ipc.open_stream((evaluated.tokens / "tokens.arrow").read_bytes()).read_all()["input_ids"]
    assert predictions["tokens"].tolist() == pc.list_value_length(lengths).to_numpy()[predictions["position"]].tolist()
    names = json.loads(evaluated.labels.read_text())
    assert [names[label] for label in predictions["label"]] == rows["label"][predictions["position"]].tolist()
    np.testing.assert_allclose(np.stack(predictions["probabilities"]).sum(1), 1, atol=1e-6)
    assert predictions["group"].tolist() == [number for split in expected for number in range(len(split))]


@pytest.mark.usefixtures("bf16_units")
def test_precision_32_rounds_no_product(evaluated: Paths, tmp_path: Path) -> None:
    paths, params = Paths(shutil.copytree(evaluated.root, tmp_path / "project")), read_params(evaluated.params)
    exact = np.stack(pd.read_parquet(paths.predictions(1))["probabilities"])  # of a processor without units for bf16
    differences, taken = [], []
    for precision in ("auto", "32"):
        options = params.evaluate.model_copy(update={"precision": precision})
        main(params.model_copy(update={"evaluate": options}), paths, 1)
        differences.append(np.abs(np.stack(pd.read_parquet(paths.predictions(1))["probabilities"]) - exact).max())
        taken.append(json.loads(paths.metrics(1).read_text())["precision"])
    assert 0 < differences[0] < 0.05
    assert differences[1] < 1e-6
    assert taken == ["bf16", "32"]


def test_metrics_are_those_of_scikit_learn_on_the_predictions(evaluated: Paths) -> None:
    predictions = pd.read_parquet(evaluated.predictions(1))
    metrics = json.loads(evaluated.metrics(1).read_text())
    for name, split in predictions.groupby("split"):
        probabilities = np.stack(split["probabilities"])
        preds = split["pred"]
        measured = {metric: entry.get("value") for metric, entry in metrics[name].items()}
        assert measured["accuracy"] == pytest.approx(accuracy_score(split["label"], preds), abs=1e-6)
        assert measured["macro_f1"] == pytest.approx(f1_score(split["label"], preds, average="macro"), abs=1e-6)
        assert measured["mcc"] == pytest.approx(matthews_corrcoef(split["label"], preds), abs=1e-6)
        assert measured["log_loss"] == pytest.approx(log_loss(split["label"], probabilities), abs=1e-5)


def test_confusion_names_given_and_predicted_label_of_each_test_row(evaluated: Paths) -> None:
    confusion = pd.read_csv(evaluated.evaluation(1) / "confusion.csv")
    predictions = pd.read_parquet(evaluated.predictions(1)).query("split == 'test'")
    names = np.array(json.loads(evaluated.labels.read_text()))
    assert confusion.columns.tolist() == ["label", "predicted"]
    assert confusion["label"].tolist() == names[predictions["label"]].tolist()
    assert confusion["predicted"].tolist() == names[predictions["pred"]].tolist()


def test_a_run_with_another_confidence_computes_no_row_again(copy_project: Paths) -> None:
    params = read_params(copy_project.params)
    shutil.rmtree(copy_project.kept_rows.parent, ignore_errors=True)  # of the project that was copied
    first = main(params, copy_project, 1)
    written = copy_project.predictions(1).read_bytes()
    changed = params.model_copy(update={"evaluate": params.evaluate.model_copy(update={"confidence": 0.9})})
    again = main(changed, copy_project, 1)
    assert first["computed_tokens"] > 0
    assert again["computed_tokens"] == 0
    assert "tokens_per_second" in first
    assert "tokens_per_second" not in again
    assert copy_project.predictions(1).read_bytes() == written


def test_the_same_inputs_give_the_same_bytes(evaluated: Paths, copy_project: Paths) -> None:
    shutil.rmtree(copy_project.kept_rows.parent, ignore_errors=True)
    main(read_params(copy_project.params), copy_project, 1)
    for name in ("predictions.parquet", "metrics.json", "confusion.csv"):
        assert (copy_project.evaluation(1) / name).read_bytes() == (evaluated.evaluation(1) / name).read_bytes()


def test_a_model_that_is_not_there_is_named(copy_project: Paths) -> None:
    with pytest.raises(ModelError, match=r"finetune/7/model.*dvc repro"):
        main(read_params(copy_project.params), copy_project, 7)


def test_a_split_without_rows_has_no_metrics(copy_project: Paths) -> None:
    pd.DataFrame({"position": np.zeros(0, dtype=np.int64)}).to_parquet(copy_project.split("val"), index=False)
    main(read_params(copy_project.params), copy_project, 2)
    metrics = json.loads(copy_project.metrics(2).read_text())
    assert metrics["val"] == {}
    assert metrics["test"]["accuracy"]["low"] <= metrics["test"]["accuracy"]["value"]


@pytest.mark.parametrize(("duplicates", "grouped"), [("together", True), ("drop", True), ("keep", False)])
def test_texts_that_the_split_keeps_together_are_one_unit(
    copy_project: Paths, evaluated: Paths, duplicates: str, grouped: bool
) -> None:
    path = copy_project.tokens / "tokens.arrow"
    table = pa.ipc.open_stream(path.read_bytes()).read_all()
    tens = pa.array(np.arange(len(table)) // 10, pa.int64())
    table = table.set_column(table.column_names.index("text_key"), "text_key", tens)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table)
    text = copy_project.params.read_text().replace("duplicates: together", f"duplicates: {duplicates}")
    copy_project.params.write_text(text)
    main(read_params(copy_project.params), copy_project, 1)
    predictions = pd.read_parquet(copy_project.predictions(1))
    for _, split in predictions.groupby("split"):
        expected = split["position"] // 10 if grouped else split["position"]
        assert split["group"].tolist() == pd.factorize(expected)[0].tolist()
    width, alone = (
        json.loads(paths.metrics(1).read_text())["test"]["accuracy"]["high"] for paths in (copy_project, evaluated)
    )
    assert (width != alone) == grouped


@pytest.mark.parametrize(("target", "model"), [("number", None), ("label_set", None), ("classes", "regression")])
def test_a_model_of_another_kind_is_named(target: str, model: str | None, copy_project: Paths) -> None:
    labels = json.loads(copy_project.labels.read_text())
    copy_project.labels.write_text(json.dumps({"target": target, "labels": labels}))
    config = copy_project.finetuned(1) / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | ({"problem_type": model} if model else {})))
    params = read_params(copy_project.params)
    params = params.model_copy(update={"evaluate": params.evaluate.model_copy(update={"metric": "auto"})})
    with pytest.raises(ModelError, match=rf"was fine-tuned for \w+, but data/tokenize/labels.json says {target}\."):
        main(params, copy_project, 1)
