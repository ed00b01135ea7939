"""A number goes through all six stages, in one process: from a CSV file to predictions in its own unit."""

import csv
import json
import pickle
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from transformers import pipeline as hub_pipeline

from pipeline.comparison.paired_rows import pair_by_id
from pipeline.comparison.result_files import read_seed, read_target
from pipeline.comparison.seed_predictions import merge_seeds
from pipeline.comparison.verdicts import ComparisonOptions, compare_paired
from pipeline.prediction.run import predict_rows
from pipeline.recipes import compose
from stages.download.__main__ import main as download
from stages.errors import ModelError, ParamsError
from stages.evaluate.__main__ import main as evaluate
from stages.finetune.__main__ import main as finetune
from stages.inference import Classifier, NumberPrediction
from stages.params import parse_params_text
from stages.paths import Paths
from stages.report.__main__ import main as report
from stages.split.__main__ import main as split
from stages.tokenize.__main__ import main as tokenize
from tests.end_to_end.small_project import WORDS, write_encoder
from tests.pipeline.prediction.rows import request_of

REPOSITORY = Path(__file__).parents[3]
SEEDS = (1, 2)
SQUARES = ("R2", "Pearson correlation", "Root mean squared error")
VALUES = [
    f"seeds={list(SEEDS)}",
    "download.dataset.files=[{source: data/samples/toy.csv}]",
    "download.dataset.folder=data/samples",
    "download.dataset.columns.text=content",
    "download.dataset.columns.label=score",
    "download.model.source=encoder",
    "download.model.sha256=null",
    "tokenize.max_length=16",
    "split.val=0.25",
    "split.test=0.25",
    "finetune.max_epochs=20",
    "finetune.learning_rate=0.003",
    "finetune.patience=null",
    "evaluate.metric=r2",
    "evaluate.resamples=119",
]


def params_of(*changes: str) -> Any:
    return parse_params_text(compose(REPOSITORY, "how_sure", [*VALUES, *changes]), name="params.yaml")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    """A project after all stages: the first word says the thousands of the number."""
    paths = Paths(tmp_path_factory.mktemp("number"))
    chance = random.Random(0)
    (paths.root / "data/samples").mkdir(parents=True)
    with (paths.root / "data/samples/toy.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("id", "content", "score"))
        for row in range(200):
            words = [WORDS[row % 4], *chance.choices(WORDS[4:], k=chance.randint(3, 6))]
            rows.writerow((f"r{row}", " ".join(words), 5_000 + 1_000 * (row % 4) + chance.randint(-50, 50) / 4))
    write_encoder(paths.root / "encoder")
    params = params_of()
    download(params, paths, "dataset")
    download(params, paths, "model")
    tokenize(params, paths)
    split(params, paths)
    for seed in SEEDS:
        finetune(params, paths, seed)
        evaluate(params, paths, seed)
    report(params, paths)
    return paths


def test_it_learns(project: Paths) -> None:
    metrics = json.loads(project.all_metrics.read_text())
    assert metrics["target"] == "number"
    assert metrics["test"]["r2"]["mean"] > 0.3
    assert metrics["baselines"]["mean"]["r2"]["value"] < 0.1
    assert metrics["champion"]["test"]["mean_absolute_error"]["value"] < 1_000
    assert list(json.loads(project.headline.read_text())["test"]) == [
        "r2",
        "mean_absolute_error",
        "root_mean_squared_error",
    ]


def test_the_mean_of_several_trainings_answers_in_the_unit_of_the_data(project: Paths) -> None:
    finetune(params_of("finetune.soup=2"), project, 3)
    high, low = Classifier.load(project.finetuned(3))(["fast update late app", "good update late app"])
    assert high.number > low.number > 3_000


def test_transformers_answers_in_the_unit_of_the_data(project: Paths) -> None:
    texts = ["fast update late app", "good update late app"]  # 8,000 and 5,000
    answers = hub_pipeline("text-classification", str(project.report / "model"), truncation=True)(texts)
    ours = Classifier.load(project.report / "model")(texts)
    assert [answer["score"] for answer in answers] == pytest.approx([answer.number for answer in ours], rel=1e-4)
    assert answers[0]["score"] > answers[1]["score"] > 3_000


def test_the_stored_predictions_are_those_of_the_saved_model(project: Paths) -> None:
    seed = json.loads(project.all_metrics.read_text())["champion"]["seed"]
    stored = pq.read_table(project.predictions(seed))
    texts = pq.read_table(project.rows)["text"].take(stored["position"]).to_pylist()
    ours = Classifier.load(project.report / "model")(texts)
    assert stored["pred"].to_pylist() == pytest.approx([answer.number for answer in ours], rel=1e-4)
    given = [float(label) for label in pq.read_table(project.rows)["label"].take(stored["position"]).to_pylist()]
    assert stored["label"].to_pylist() == given


@pytest.mark.parametrize("out", ["csv", "jsonl", "parquet"])
def test_files_get_the_number_and_its_interval(out: str, project: Paths, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("content\ngood good bad\n\nbad\n")
    request = request_of(str(tmp_path / "in.csv"), tmp_path / f"out.{out}", project.report / "model", column="content")
    predict_rows(request, Classifier.load, every_label=True)
    readers: dict[str, Any] = {
        "csv": lambda path: list(csv.DictReader(path.open())),
        "jsonl": lambda path: [json.loads(line) for line in path.read_text().splitlines()],
        "parquet": lambda path: pq.read_table(path).to_pylist(),
    }
    rows = readers[out](tmp_path / f"out.{out}")
    width = json.loads((project.report / "model/calibration.json").read_text())["half_width"]
    assert list(rows[0]) == ["content", "prediction", "low", "high", "error"]
    assert float(rows[0]["high"]) - float(rows[0]["prediction"]) == pytest.approx(width, abs=1e-3)


def test_what_it_says_of_a_text(project: Paths) -> None:
    classifier = Classifier.load(project.report / "model")
    (answer,) = classifier(["good bad"])
    assert isinstance(answer, NumberPrediction)
    assert answer.low < answer.number < answer.high  # type: ignore[operator]
    assert pickle.loads(pickle.dumps(classifier))(["good bad"]) == [answer]  # as processes that share the work do
    assert classifier.embed(["good bad"]).shape == (1, 16)
    with pytest.raises(ModelError, match="a number, which has no probability"):
        classifier.probabilities(["good bad"])


def test_without_a_width_there_is_no_interval(project: Paths, tmp_path: Path) -> None:
    folder = shutil.copytree(project.report / "model", tmp_path / "model")
    (folder / "calibration.json").unlink()
    classifier = Classifier.load(folder)
    assert classifier(["good"])[0] == NumberPrediction(classifier(["good"])[0].number, None, None)
    assert list(classifier.columns(["good"])) == ["prediction"]


def test_the_report_says_what_a_number_needs(project: Paths) -> None:
    page = (project.report / "report.html").read_text()
    text = (project.report / "report.md").read_text()
    card = (project.report / "model/README.md").read_text()
    for anchor in ("metrics", "baselines", "curve", "residuals", "slices", "suspects", "data", "reproduce"):
        assert f'<section id="{anchor}">' in page
    assert "TF-IDF + ridge regression" in page
    assert "TF-IDF + ridge regression" in text
    assert "With 95% confidence" in text
    assert "With 95% confidence" in card
    assert "a number for a text" in card
    assert "Calibrated" not in card


@pytest.mark.parametrize(
    ("groups", "reason", "marked", "unmarked"),
    [
        (50, "there are only 50 rows", SQUARES, ("Mean absolute error", "Spearman correlation")),
        (4, "the rows belong to only 4 groups", (*SQUARES, "Mean absolute error", "Spearman correlation"), ()),
    ],
)
def test_a_rough_interval_is_marked_with_the_reason_in_every_document(
    groups: int, reason: str, marked: tuple[str, ...], unmarked: tuple[str, ...], project: Paths, tmp_path: Path
) -> None:
    copy = Paths(shutil.copytree(project.root, tmp_path / "copy"))
    for seed in SEEDS:
        table = pq.read_table(copy.predictions(seed))
        column = table.column_names.index("group")
        of_rows = pa.array(np.arange(len(table)) % groups, table.schema.field("group").type)
        pq.write_table(table.set_column(column, "group", of_rows), copy.predictions(seed))
    report(params_of(), copy)
    for path in (copy.report / name for name in ("report.html", "report.md", "model/README.md")):
        text = path.read_text(encoding="utf-8")
        assert text.count(f"† A rough interval, because {reason} (test and val)") == 1, path.name
        for name, wanted in [*((name, True) for name in marked), *((name, False) for name in unmarked)]:
            starts = (f"| {name} |", f'<tr><th scope="row">{name}<', f'<tr class="lead"><th scope="row">{name}<')
            lines = [line for line in text.splitlines() if line.startswith(starts)]
            assert lines, (path.name, name)  # as the mean over seeds and as the lead, too
            assert all(("†" in line) == wanted for line in lines), (path.name, name)


def test_splits_have_their_share_of_every_range(project: Paths) -> None:
    stats = json.loads(project.split_stats.read_text())
    shares = [np.array(list(stats[name]["labels"].values())) for name in ("train", "val", "test")]
    assert all(counts.min() > 0 for counts in shares)
    assert [counts.sum() for counts in shares] == [100, 50, 50]


def test_equal_runs_give_equal_bytes(project: Paths) -> None:
    params = params_of()
    files = [project.metrics(1), project.predictions(1), project.curve(1), project.all_metrics]
    before = [file.read_bytes() for file in files]
    finetune(params, project, 1)
    evaluate(params, project, 1)
    report(params, project)
    assert [file.read_bytes() for file in files] == before


@pytest.mark.parametrize("stage", ["download", "finetune", "evaluate"])
def test_a_metric_of_classes_is_refused_early(stage: str, project: Paths) -> None:
    params = params_of("evaluate.metric=macro_f1")
    run = {"download": lambda: download(params, project, "dataset")}
    run |= {"finetune": lambda: finetune(params, project, 1), "evaluate": lambda: evaluate(params, project, 1)}
    with pytest.raises(ParamsError, match="evaluate.metric: macro_f1 does not measure this label"):
        run[stage]()


def test_compare_reads_what_the_stages_wrote(project: Paths) -> None:
    target = read_target(project.labels, name="labels.json")
    seeds = {seed: read_seed(project.predictions(seed), name="predictions", target=target) for seed in SEEDS}
    side = merge_seeds({seed: splits["test"] for seed, splits in seeds.items()}, name="test")
    rows = pair_by_id(side, side, target)
    assert rows is not None
    report = json.loads(project.all_metrics.read_text())["test"]
    compared = compare_paired(rows, "test", ComparisonOptions(metric="r2", confidence=0.95))
    assert {row.name: row.base for row in compared} == {
        f"test.{name}": pytest.approx(entry["mean"], abs=1e-6) for name, entry in report.items()
    }
