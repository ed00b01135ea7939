"""Sets of labels through the stages with a tiny encoder: learned, measured, and saved as transformers reads them."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from sklearn.metrics import f1_score
from transformers import pipeline

from stages.download.dataset import write_dataset
from stages.errors import DataError, ModelError, ParamsError
from stages.evaluate.__main__ import main as evaluate
from stages.finetune.__main__ import main as finetune
from stages.finetune.class_weights import label_weights
from stages.inference import label_set as sets
from stages.inference.classifier import Classifier
from stages.inference.decision import Calibration
from stages.params import read_params
from stages.paths import Paths
from stages.predictions import read_predictions
from stages.report.__main__ import main as report
from stages.schema import Params
from stages.split.__main__ import main as split
from stages.targets.training import label_set as training
from stages.tokenize.__main__ import main as tokenize
from tests.stages.finetune.tiny import write_encoder
from tests.stages.report.set_report import check_report

DEFAULT = Path(__file__).parents[2] / "recipes/default.yaml"
LABELS = ["app", "bill", "parcel"]
WORDS = {"app": "w10", "bill": "w11", "parcel": "w12"}  # each says that a text has the label
ROWS = 300


def write_rows(folder: Path) -> None:
    chance = np.random.default_rng(0)
    lines = ["text,label"]
    for row in range(ROWS):
        labels = [label for label in LABELS if chance.random() < 0.35]
        words = [*(WORDS[label] for label in labels), *(f"w{number}" for number in chance.integers(20, 60, 6))]
        lines.append(f"{' '.join(chance.permutation(words))} w{20 + row % 40},{'|'.join(labels)}")
    (folder / "data").mkdir(parents=True)
    (folder / "data/rows.csv").write_text("\n".join(lines) + "\n")


def changed(**sections: dict[str, Any]) -> Params:
    defaults = read_params(DEFAULT)
    values = {name: getattr(defaults, name).model_dump() | changes for name, changes in sections.items()}
    return Params.model_validate(defaults.model_dump() | values)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Paths, Params]:
    folder = tmp_path_factory.mktemp("sets")
    write_rows(folder)
    params = changed(
        split={"val": 0.2, "test": 0.2, "duplicates": "keep"},
        finetune={
            "accelerator": "cpu",
            "max_epochs": 60,
            "patience": None,
            "learning_rate": 1e-3,
            "class_weights": "balanced",
            "monitor": "val.micro_f1",
        },
        evaluate={"metric": "auto", "resamples": 100},
    )
    values = params.download.dataset.model_dump() | {
        "files": [{"source": "data/rows.csv"}],
        "folder": "data",
        "corrections": "corrections.csv",
        "columns": {**dict.fromkeys(("text_pair", "id", "group")), "text": "text", "label": "label", "slices": []},
        "label_separator": "|",
    }
    dataset = type(params.download.dataset).model_validate(values)
    paths = Paths(folder)
    paths.rows.parent.mkdir(parents=True)
    write_dataset(paths.rows.parent, dataset, root=folder, unpack_limit=10**6)
    write_encoder(paths.encoder, dropout=0.0)
    (paths.encoder / "source.json").write_text(json.dumps({"source": "encoder", "sha256": "0" * 64}))
    tokenize(params, paths)
    split(params, paths)
    finetune(params, paths, 1)
    evaluate(params, paths, 1)
    return paths, params.model_copy(update={"seeds": [1]})


def test_the_kind_and_the_labels_are_recorded_once(ran) -> None:
    paths, _ = ran
    assert json.loads(paths.labels.read_text()) == {"target": "label_set", "labels": LABELS}


def test_each_split_counts_its_rows_and_those_of_each_label(ran) -> None:
    paths, _ = ran
    stats = json.loads(paths.split_stats.read_text())
    assert sum(stats[name]["rows"] for name in ("train", "val", "test")) == ROWS
    for name, share in (("train", 0.6), ("val", 0.2), ("test", 0.2)):
        for label in LABELS:
            total = sum(stats[part]["labels"][label] for part in ("train", "val", "test"))
            assert stats[name]["labels"][label] == pytest.approx(share * total, abs=2)
    tokens = json.loads(paths.token_stats.read_text())
    assert tokens["rows"] == ROWS
    assert tokens["per_label"]["app"]["rows"] == sum(stats[part]["labels"]["app"] for part in ("train", "val", "test"))


def test_the_labels_are_learned_and_measured(ran) -> None:
    paths, _ = ran
    metrics = json.loads(paths.metrics(1).read_text())
    test = read_predictions(paths.predictions(1))["test"]
    assert metrics["test"]["micro_f1"]["value"] == pytest.approx(f1_score(test.labels, test.preds, average="micro"))
    assert metrics["test"]["micro_f1"]["low"] > 0.5
    assert set(metrics["test"]["per_label"]) == set(LABELS)
    for number, label in enumerate(LABELS):
        own = metrics["test"]["per_label"][label]
        assert own["f1"]["value"] == pytest.approx(f1_score(test.labels[:, number], test.preds[:, number]))
        assert own["support"] == test.labels[:, number].sum()
        assert np.sum(own["confusion"]) == len(test)
    confusion = (paths.evaluation(1) / "confusion.csv").read_text().splitlines()
    assert len(confusion) == 1 + len(LABELS) * len(test)


def test_the_saved_model_answers_in_transformers(ran) -> None:
    paths, _ = ran
    config = json.loads((paths.finetuned(1) / "config.json").read_text())
    assert config["problem_type"] == "multi_label_classification"
    test = read_predictions(paths.predictions(1))["test"]
    texts = pq.read_table(paths.rows)["text"].take(test.positions[:10]).to_pylist()
    answers = pipeline("text-classification", str(paths.finetuned(1)), top_k=None, device="cpu")(texts)
    for row, answer in zip(test.probabilities, answers, strict=False):
        scores = {entry["label"]: entry["score"] for entry in answer}
        assert [scores[label] for label in LABELS] == pytest.approx(row.tolist(), abs=1e-4)


def test_the_report_is_whole(ran) -> None:
    paths, params = ran
    report(params, paths)
    check_report(paths.report, LABELS)
    before = {file: file.read_bytes() for file in paths.report.rglob("*") if file.is_file()}
    report(params, paths)
    assert {file: file.read_bytes() for file in paths.report.rglob("*") if file.is_file()} == before
    test = read_predictions(paths.predictions(1))["test"]
    texts = pq.read_table(paths.rows)["text"].take(test.positions).to_pylist()
    shipped = [prediction.labels for prediction in Classifier.load(paths.report / "model")(texts)]
    assert shipped == [[label for label, flag in zip(LABELS, row, strict=True) if flag] for row in test.preds]


def test_a_saved_model_predicts_the_sets_that_were_measured(ran) -> None:
    paths, _ = ran
    calibration = json.loads(paths.metrics(1).read_text())["calibration"]
    file = paths.finetuned(1) / "calibration.json"
    file.write_text(json.dumps({name: calibration[name] for name in ("temperature", "thresholds")}))
    classifier = Classifier.load(paths.finetuned(1))
    test = read_predictions(paths.predictions(1))["test"]
    texts = pq.read_table(paths.rows)["text"].take(test.positions).to_pylist()
    expected = [[label for label, flag in zip(LABELS, row, strict=True) if flag] for row in test.preds]
    assert [prediction.labels for prediction in classifier(texts)] == expected
    columns = classifier.columns(texts)
    assert columns["prediction"].to_pylist() == expected
    assert classifier.probabilities(texts) == pytest.approx(
        np.stack([columns[f"probability_{label}"] for label in LABELS], axis=1)
    )
    with pytest.raises(ModelError, match="does not choose one label of several"):
        classifier.decide(classifier.probabilities(texts[:2]))
    file.unlink()


@pytest.mark.parametrize(
    ("thresholds", "message"),
    [
        ({"app": 1.5}, "thresholds.app: .*less than or equal to 1"),
        ({"app": -0.1}, "thresholds.app: .*greater than or equal to 0"),
        ({"app": float("nan")}, "thresholds.app: .*not nan"),
        ({"x": 0.5}, "thresholds has 'x'"),
    ],
)
def test_thresholds_that_are_none(ran, thresholds: dict[str, float], message: str) -> None:
    paths, _ = ran
    file = paths.finetuned(1) / "calibration.json"
    file.write_text(json.dumps({"thresholds": thresholds}))
    with pytest.raises(ModelError, match=message):
        Classifier.load(paths.finetuned(1))
    file.unlink()


def test_a_threshold_decides_whether_a_text_has_the_label() -> None:
    answers = np.array([[0.3, 0.6]], dtype=np.float32)
    rule = Calibration(1.0, None, None, 10, "head", thresholds={"a": 0.25, "b": None})
    assert sets.predictions(answers, ["a", "b"], rule)[0].labels == ["a", "b"]
    higher = Calibration(1.0, None, None, 10, "head", thresholds={"a": 0.35, "b": 0.7})
    (prediction,) = sets.predictions(answers, ["a", "b"], higher)
    assert prediction.labels == []
    assert prediction.parts(every_label=False) == ["none"]
    assert sets.columns(answers, ["a", "b"], higher, every_label=False)["prediction"].to_pylist() == [[]]


def test_a_metric_of_classes_is_refused(ran) -> None:
    paths, params = ran
    options = params.evaluate.model_copy(update={"metric": "mcc"})
    with pytest.raises(ParamsError, match="evaluate.metric: mcc does not measure this label"):
        evaluate(params.model_copy(update={"evaluate": options}), paths, 1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"monitor": "val.mcc"}, "finetune.monitor is val.mcc, but the label is a set"),
        ({"monitor": "val.accuracy"}, "finetune.monitor is val.accuracy, but the label is a set"),
        ({"loss": "huber"}, "finetune.loss is huber, which is for numbers, but"),
    ],
)
def test_options_of_other_kinds_are_refused_before_training(ran, changes: dict[str, str], message: str) -> None:
    paths, params = ran
    options = params.finetune.model_copy(update=changes)
    with pytest.raises(ParamsError, match=message):
        finetune(params.model_copy(update={"finetune": options}), paths, 1)


def test_a_label_that_no_row_of_train_has_is_refused_before_training() -> None:
    values = np.array([[1, 0], [0, 1], [1, 0]], dtype=bool)
    with pytest.raises(DataError, match="No row of train has label 2"):
        training.learned(values, np.array([0, 2]))
    assert training.learned(values, np.array([0, 1]))[0].dtype == np.float32


def test_the_loss_and_its_gradient_are_those_of_pytorch() -> None:
    torch.manual_seed(0)
    logits = torch.randn(7, 3, requires_grad=True)
    labels, weights = (torch.rand(7, 3) < 0.4).float(), torch.tensor([1.0, 2.5, 4.0])
    ours = training.losses(logits, labels, loss="auto", smoothing=0.0, class_weights=weights).mean()
    (of_ours,) = torch.autograd.grad(ours, logits)
    theirs = torch.nn.BCEWithLogitsLoss(pos_weight=weights)(logits, labels)
    (of_theirs,) = torch.autograd.grad(theirs, logits)
    assert ours.item() == pytest.approx(theirs.item())
    torch.testing.assert_close(of_ours, of_theirs)


def test_a_worked_loss() -> None:
    logits, labels = torch.tensor([[0.0, np.log(3.0)]]), torch.tensor([[1.0, 0.0]])
    loss = training.losses(logits, labels, loss="auto", smoothing=0.0, class_weights=torch.tensor([2.0, 5.0]))
    assert loss.item() == pytest.approx((2 * np.log(2) + np.log(4)) / 2)  # probabilities 1/2 and 3/4


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_no_other_constant_answer_has_a_lower_loss(smoothing: float) -> None:
    labels, weights = torch.tensor([[1.0, 0.0], [0.0, 0.0], [1.0, 0.0]]), torch.tensor([2.0, 5.0])
    least = training.constant_loss(labels.numpy(), weights.numpy().astype(np.float64), smoothing=smoothing)
    logits = torch.linspace(-30, 30, 6001)[:, None, None].expand(-1, 3, 2)
    all_rows = labels.expand(6001, -1, -1)
    of_labels = torch.nn.functional.binary_cross_entropy_with_logits(
        logits, all_rows * (1 - smoothing) + smoothing / 2, pos_weight=weights, reduction="none"
    ).mean(dim=1)
    assert least == pytest.approx(of_labels.min(dim=0).values.mean().item(), abs=1e-4)


def test_balanced_weights_are_rows_without_a_label_over_rows_with_it() -> None:
    flags = np.array([[1, 1], [0, 1], [0, 1], [0, 0]], dtype=np.float32)
    assert label_weights("balanced", labels=["a", "b"], train_labels=flags) == [3.0, pytest.approx(1 / 3)]
    with pytest.raises(DataError, match="train has no row of \\['b'\\]|train has no row of \\[b\\]"):
        label_weights("balanced", labels=["a", "b"], train_labels=np.array([[1, 0], [1, 0]]))


def test_logits_between_0_and_1_are_not_taken_for_probabilities() -> None:
    metric = training.val_metrics(2)["micro_f1"]
    logits, labels = torch.tensor([[0.1, 0.3], [0.2, 0.4]]), torch.ones(2, 2)
    metric.update(logits, labels)  # all probabilities are above one half
    assert metric.compute().item() == 1


def test_a_rough_interval_is_marked_with_the_reason_in_every_document(
    ran: tuple[Paths, Params], tmp_path: Path
) -> None:
    paths, params = ran
    copy = Paths(shutil.copytree(paths.root, tmp_path / "copy"))
    for seed in params.seeds:
        table = pq.read_table(copy.predictions(seed))
        column = table.column_names.index("group")
        of_rows = pa.array(np.arange(len(table)) % 4, table.schema.field("group").type)
        pq.write_table(table.set_column(column, "group", of_rows), copy.predictions(seed))
    for of_run in (paths, copy):
        report(params, of_run)
    for name in ("report.html", "report.md", "model/README.md"):
        before, after = ((folder / name).read_text(encoding="utf-8") for folder in (paths.report, copy.report))
        assert "A rough interval" not in before, name
        assert after.count("† A rough interval, because the rows belong to only 4 groups (test and val)") == 1, name
        for metric in ("Micro F1", "Macro F1", "Brier score"):
            starts = (f"| {metric} |", f'<tr><th scope="row">{metric}<', f'<tr class="lead"><th scope="row">{metric}<')
            lines = [line for line in after.splitlines() if line.startswith(starts)]
            assert lines, (name, metric)
            assert all("†" in line for line in lines), (name, metric)
