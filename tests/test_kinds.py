"""Every kind of target with every feature: what a run writes, the model at work, and what the commands read.

Each kind goes through the six stages once, in this process, with a tiny encoder; nothing has to be learned well.
"""

import csv
import html
import json
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ruamel.yaml import YAML
from transformers import pipeline as hub_pipeline

from pipeline.commands.predict import predict
from pipeline.commands.run import _show_results
from pipeline.comparison.gate import Gate, check_rules
from pipeline.comparison.history import choose_metrics, read_history
from pipeline.comparison.paired_rows import pair_by_id
from pipeline.comparison.render.history import render_markdown
from pipeline.comparison.result_files import read_seed, read_target
from pipeline.comparison.seed_predictions import merge_seeds
from pipeline.comparison.verdicts import ComparisonOptions, compare_paired
from pipeline.prediction.run import embed_rows, predict_rows
from pipeline.recipes import compose
from pipeline.repository.results import RunResults, read_results
from stages.inference import Classifier, NumberPrediction, Prediction
from stages.inference.label_set import SetPrediction
from stages.paths import Paths
from tests.end_to_end import all_stages
from tests.end_to_end.small_project import WORDS, write_encoder
from tests.pipeline.prediction.rows import request_of
from tests.pipeline.toy import git

ROOT = Path(__file__).parents[1]
ROWS = 160
VALUES = [
    "seeds=[1]",
    "download.dataset.files=[{source: data/samples/toy.csv}]",
    "download.dataset.folder=data/samples",
    "download.model.source=encoder",
    "download.model.sha256=null",
    "tokenize.max_length=16",
    "split.val=0.3",
    "split.test=0.3",
    "split.duplicates=keep",
    "finetune.max_epochs=2",
    "finetune.learning_rate=0.003",
    "evaluate.resamples=119",
]
TEXTS = ["good late app", "bad crash", "free update"]


@dataclass(frozen=True)
class Kind:
    """A kind of target, and what differs in what is written.

    Attributes:
        target: download.dataset.target.
        label: From a row's number to its label.
        leads: evaluate.metric, then the other metrics of the headline.
        added: Columns that `retune predict` adds, before the error.
        every: Columns that it adds with --all.
        prediction: Type of the column of predictions in Parquet.
        answer: What `Classifier` returns of a text.
        says: What the model card says besides the metrics.
        sections: Of the report's page, those about single rows.
    """

    target: str
    label: Callable[[int], object]
    leads: tuple[str, ...]
    added: tuple[str, ...]
    every: tuple[str, ...]
    prediction: pa.DataType
    answer: type
    says: str
    sections: tuple[str, ...] = ("mistakes", "suspects")


OF_STARS = tuple(f"probability_{star}" for star in (1, 2, 3))
OF_SETS = ("probability_app", "probability_bill")
KINDS = {
    "classes": Kind(
        "classes",
        lambda row: ["ham", "spam"][row % 2],
        ("macro_f1", "accuracy", "mcc"),
        ("prediction", "probability"),
        ("prediction", "probability", "probability_ham", "probability_spam"),
        pa.string(),
        Prediction,
        "ham, spam",
    ),
    "ordered": Kind(
        "auto",
        lambda row: row % 3 + 1,
        ("quadratic_kappa", "mean_absolute_error", "accuracy", "macro_f1", "mcc"),
        ("prediction", "probability"),
        ("prediction", "probability", *OF_STARS),
        pa.string(),
        Prediction,
        "1, 2, 3",
    ),
    "label_set": Kind(
        "auto",
        lambda row: ['["app"]', '["app", "bill"]', '["bill"]', "[]"][row % 4],
        ("macro_f1", "micro_f1", "sample_f1", "subset_accuracy"),
        ("prediction", *OF_SETS),
        ("prediction", *OF_SETS),
        pa.list_(pa.string()),
        SetPrediction,
        "multi-label-classification",
    ),
    "number": Kind(
        "auto",
        lambda row: (row % 4 + row % 7 / 8) * 1e-7,  # in a small unit, which no rounding may lose
        ("mean_absolute_error", "r2", "root_mean_squared_error"),
        ("prediction", "low", "high"),
        ("prediction", "low", "high"),
        pa.float64(),
        NumberPrediction,
        "a number for a text",
        ("residuals", "suspects"),
    ),
}


@pytest.fixture(scope="module", params=KINDS)
def ran(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Paths, Kind]:
    """A project of each kind after all stages, committed."""
    kind, chance = KINDS[request.param], random.Random(0)
    paths = Paths(tmp_path_factory.mktemp(request.param))
    (paths.root / "data/samples").mkdir(parents=True)
    with (paths.root / "data/samples/toy.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("id", "content", "score"))
        for row in range(ROWS):
            words = [WORDS[row % 4], *chance.choices(WORDS[4:], k=chance.randint(3, 6))]
            rows.writerow((f"r{row}", " ".join(words), kind.label(row)))
    write_encoder(paths.root / "encoder")
    values = [*VALUES, f"download.dataset.target={kind.target}", f"evaluate.metric={kind.leads[0]}"]
    paths.params.write_text(compose(ROOT, "default", values), encoding="utf-8")
    all_stages.run(paths, seed=1)
    git(paths.root, "init", "-q", "-b", "main")
    git(paths.root, "add", "params.yaml", str(paths.headline))
    git(paths.root, "commit", "-q", "-m", "A result")
    return paths, kind


def read(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".parquet":
        rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
        return rows
    lines = path.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines] if path.suffix == ".jsonl" else list(csv.DictReader(lines))


def shown_names(metrics: Sequence[str]) -> Iterator[str]:
    """What people read for names of metrics, in small letters."""
    return (name.replace("_", " ") for name in metrics)


def test_the_headline_is_led_by_the_metric_and_has_the_others_of_the_kind(ran: tuple[Paths, Kind]) -> None:
    paths, kind = ran
    assert tuple(json.loads(paths.headline.read_text())["test"]) == kind.leads
    assert tuple(read_results(paths.root).headline) == tuple(f"test.{name}" for name in kind.leads)


def test_report_and_card_name_the_metrics_and_what_the_model_answers(ran: tuple[Paths, Kind]) -> None:
    paths, kind = ran
    files = ("report.html", "report.md", "model/README.md")
    page, text, card = (html.unescape((paths.report / name).read_text(encoding="utf-8")).lower() for name in files)
    for name in shown_names(kind.leads):
        for document in (page, text, card):
            assert name in document
    assert kind.says.lower() in card.replace("*", "")
    for section in (*kind.sections, "metrics", "baselines", "slices"):
        assert f'<section id="{section}">' in page


def test_suspects_are_a_table_of_rows_of_val_and_test(ran: tuple[Paths, Kind]) -> None:
    paths, _ = ran
    header, *lines = (paths.report / "suspects.csv").read_text(encoding="utf-8").splitlines()
    assert header.startswith("id,position,split,")
    assert {row["split"] for row in csv.DictReader([header, *lines])} <= {"val", "test"}


def test_plots_have_the_columns_that_dvc_draws(ran: tuple[Paths, Kind]) -> None:
    paths, _ = ran
    stages = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
    drawn = [plot for stage in stages.values() for plot in stage.get("do", stage).get("plots", ())]
    assert len(drawn) >= 4
    for plot in drawn:
        (name, options), *_ = plot.items()
        rows = read(paths.root / name.replace("${item.seed}", "1"))
        assert rows, name
        assert {options["x"], options["y"]} <= rows[0].keys(), name


@pytest.mark.parametrize("every_label", [False, True])
@pytest.mark.parametrize("out", ["csv", "jsonl", "parquet"])
def test_files_get_the_columns_of_the_kind(
    out: str, every_label: bool, ran: tuple[Paths, Kind], tmp_path: Path
) -> None:
    paths, kind = ran
    model = paths.report / "model"
    (tmp_path / "in.csv").write_text("\n".join(["content", TEXTS[0], '" "', *TEXTS[1:]]) + "\n")
    request = request_of(str(tmp_path / "in.csv"), tmp_path / f"out.{out}", model, column="content")
    predict_rows(request, Classifier.load, every_label=every_label)
    rows = read(tmp_path / f"out.{out}")
    assert tuple(rows[0]) == ("content", *(kind.every if every_label else kind.added), "error")
    assert rows[1]["error"] == "text is empty"
    assert not rows[1]["prediction"]
    classifier = Classifier.load(model)
    for row, answer in zip([rows[0], *rows[2:]], classifier(TEXTS), strict=True):
        if isinstance(answer, NumberPrediction):
            assert float(row["prediction"]) == pytest.approx(answer.number, rel=1e-6)
            assert float(row["low"]) == pytest.approx(answer.low, rel=1e-6)
        elif isinstance(answer, SetPrediction):
            assert (json.loads(row["prediction"]) if out == "csv" else row["prediction"]) == answer.labels
            assert float(row["probability_app"]) == pytest.approx(answer.probabilities["app"], abs=1e-6)
        else:
            assert row["prediction"] == answer.label
            assert float(row["probability"]) == pytest.approx(answer.probability, abs=1e-6)
    if out == "parquet":
        assert pq.read_schema(tmp_path / "out.parquet").field("prediction").type == kind.prediction


def test_a_text_gets_a_line(ran: tuple[Paths, Kind]) -> None:
    paths, _ = ran
    with redirect_stdout(StringIO()) as out:
        predict(texts=TEXTS, model=paths.report / "model", every_label=True)
    answers = Classifier.load(paths.report / "model")(TEXTS)
    lines = ["  ".join([*answer.parts(every_label=True), text]) for answer, text in zip(answers, TEXTS, strict=True)]
    assert out.getvalue().splitlines() == lines


def test_embeddings_do_not_depend_on_the_kind(ran: tuple[Paths, Kind], tmp_path: Path) -> None:
    paths, _ = ran
    (tmp_path / "in.csv").write_text("content\n" + "\n".join(TEXTS) + "\n")
    out = tmp_path / "out.parquet"
    embed_rows(request_of(str(tmp_path / "in.csv"), out, paths.report / "model", column="content"), Classifier.load)
    rows = pq.read_table(out)
    assert rows.column_names == ["content", "embedding", "error"]
    assert [len(values) for values in rows["embedding"].to_pylist()] == [16, 16, 16]


def test_the_saved_model_answers_as_it_does_in_transformers(ran: tuple[Paths, Kind]) -> None:
    paths, kind = ran
    folder = paths.finetuned(1)  # without a temperature
    answers = Classifier.load(folder)(TEXTS)
    assert {type(answer) for answer in answers} == {kind.answer}
    for answer, theirs in zip(
        answers, hub_pipeline("text-classification", str(folder), top_k=None)(TEXTS), strict=True
    ):
        scores = {entry["label"]: entry["score"] for entry in theirs}
        ours = {"number": answer.number} if isinstance(answer, NumberPrediction) else answer.probabilities
        assert scores == pytest.approx(ours, rel=1e-4)


def test_compare_and_gate_read_what_the_stages_wrote(ran: tuple[Paths, Kind]) -> None:
    paths, kind = ran
    target = read_target(paths.labels, name="labels.json")
    own = merge_seeds({1: read_seed(paths.predictions(1), name="predictions", target=target)["test"]}, name="test")
    rows = pair_by_id(own, own, target)
    assert rows is not None
    compared = compare_paired(rows, "test", ComparisonOptions(metric=kind.leads[0], confidence=0.95))
    assert [row.name for row in compared if row.verdict] == [f"test.{name}" for name in kind.leads]
    model = RunResults.parse(json.loads(paths.all_metrics.read_text())).model
    assert {row.name: row.base for row in compared if row.verdict} == {
        f"test.{name}": pytest.approx(model[f"test.{name}"].mean, abs=1e-6) for name in kind.leads
    }
    value = model[f"test.{kind.leads[0]}"].mean
    gate = Gate("worse", [f"test.{kind.leads[0]} <= {value + 1}", f"test.{kind.leads[0]} > {value + 1}"], {})
    met = [rule.passed for rule in check_rules(gate, "identical", compared, model, what="the model")]
    assert met == [True, True, False]


def test_log_and_results_show_the_headline(ran: tuple[Paths, Kind], capsys: pytest.CaptureFixture[str]) -> None:
    paths, kind = ran
    commits = read_history(paths.root, "HEAD", most=5)
    names = choose_metrics(paths.root, commits, None)
    assert names == [f"test.{name}" for name in kind.leads]
    assert choose_metrics(paths.root, commits, kind.leads[-1]) == names[-1:]
    table = html.unescape(render_markdown(commits, names))
    assert _show_results(paths.root, brief=True)
    shown = capsys.readouterr().out
    for name in kind.leads:
        assert name in table
        assert name in shown
