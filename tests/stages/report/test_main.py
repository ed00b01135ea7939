"""The report stage on a tiny project with two seeds."""

import dataclasses
import hashlib
import html
import json
import re
import shutil
import stat
import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from huggingface_hub import ModelCard
from ruamel.yaml import YAML
from transformers import AutoTokenizer, pipeline

from stages.errors import ReportError
from stages.evaluate.__main__ import main as evaluate
from stages.files import write_json
from stages.inference import Classifier
from stages.metrics.failures import describe_collapse
from stages.metrics.rule import Trial
from stages.metrics.summary import parse_summaries
from stages.params import read_params
from stages.paths import Paths
from stages.report.__main__ import main
from stages.report.render.glossary import NAMES
from stages.shown import visible
from tests.stages.report.render.documents import cells, tables
from tests.stages.report.reporting import make_report

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def reported(project: Paths) -> Paths:
    return make_report(project)


def test_writes_what_dvc_yaml_declares(reported: Paths) -> None:
    assert {path.name for path in reported.report.iterdir()} == {
        "headline.json",
        "metrics.json",
        "report.html",
        "report.md",
        "suspects.csv",
        "model",
    }


def test_machine_settings_are_not_in_the_report(reported: Paths) -> None:
    for name in ("report.html", "report.md"):
        text = (reported.report / name).read_text(encoding="utf-8")
        assert "num_workers" not in text
        assert "unpack_limit_mb" not in text


def test_metrics_have_mean_sd_low_and_high_over_the_seeds(reported: Paths) -> None:
    metrics = json.loads((reported.report / "metrics.json").read_text())
    seeds = [json.loads(reported.metrics(seed).read_text()) for seed in (1, 2)]
    for split in ("val", "test"):
        for name, entry in metrics[split].items():
            values = [seed[split][name]["value"] for seed in seeds]
            assert set(entry) == {"mean", "sd", "low", "high"}
            assert entry["mean"] == pytest.approx(sum(values) / 2, abs=1e-9)
            assert entry["low"] <= entry["mean"] <= entry["high"]
    best = max((1, 2), key=lambda seed: seeds[seed - 1]["val"]["macro_f1"]["value"])
    assert metrics["champion"]["seed"] == best


def test_the_headline_is_about_a_dozen_numbers_of_metrics_json(reported: Paths) -> None:
    headline, metrics = (json.loads(path.read_text()) for path in (reported.headline, reported.all_metrics))
    seeds = [json.loads(reported.metrics(seed).read_text()) for seed in (1, 2)]
    names = {"test": ["macro_f1", "accuracy", "mcc"], "val": ["macro_f1"]}
    assert {split: list(headline[split]) for split in names} == names
    for split in names:
        for name, entry in headline[split].items():
            assert {key: entry[key] for key in ("mean", "low", "high")}.items() <= metrics[split][name].items()
            assert entry["seeds"] == [seed[split][name]["value"] for seed in seeds]
    champion = metrics["champion"]
    assert headline["champion"] == {"seed": champion["seed"], "macro_f1": champion["test"]["macro_f1"]["value"]}
    summaries, of_headline = parse_summaries(metrics), parse_summaries(headline)
    assert {name: summaries[name].sd for name in of_headline} == pytest.approx(
        {name: metric.sd for name, metric in of_headline.items()}, abs=1e-9
    )


def test_the_model_folder_answers_with_the_tasks_labels(reported: Paths) -> None:
    classify = pipeline("text-classification", str(reported.report / "model"))
    assert {answer["label"] for answer in classify(["good bad", "hate"], top_k=None)[0]} == {"ham", "spam"}


def test_the_hub_reads_the_cards_front_matter(reported: Paths) -> None:
    card = ModelCard.load(reported.report / "model/README.md")
    metrics = json.loads((reported.report / "metrics.json").read_text())
    champion = json.loads(reported.metrics(metrics["champion"]["seed"]).read_text())
    assert card.data.library_name == "transformers"
    assert [(result.metric_type, result.metric_name, result.metric_args) for result in card.data.eval_results] == [
        ("f1", "Macro F1", {"average": "macro"}),
        ("accuracy", "Accuracy", None),
        ("matthews_correlation", "MCC", None),
    ]
    for result, name in zip(card.data.eval_results, ("macro_f1", "accuracy", "mcc"), strict=True):
        assert (result.dataset_split, result.dataset_name) == ("test", read_params(reported.params).report.title)
        assert result.metric_value == pytest.approx(champion["test"][name]["value"], abs=0.006)


MINILM = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


@pytest.mark.parametrize(
    ("source", "report", "expected"),
    [
        ({"source": "hf://org/name@abc", "license": "mit", "language": ["en"]}, {}, ("org/name", "mit", ["en"])),
        (
            {"source": "hf://org/name", "license": "mit", "language": ["en"]},
            {"license": "cc-by-4.0", "language": ["de", "no"]},
            ("org/name", "cc-by-4.0", ["de", "no"]),
        ),
        ({"source": "package:p", "sha256": MINILM}, {}, ("sentence-transformers/all-MiniLM-L6-v2", None, None)),
        ({"source": "folder", "license": "mit"}, {"language": []}, (None, "mit", None)),
        ({"source": "folder", "language": ["en"]}, {"language": []}, (None, None, None)),
    ],
    ids=["as the encoder", "as params.yaml says", "published weights", "unknown encoder", "no language"],
)
def test_the_card_names_licence_base_model_and_languages(
    copy_project: Paths, source: dict[str, object], report: dict[str, object], expected: tuple[object, ...]
) -> None:
    (copy_project.encoder / "source.json").write_text(json.dumps({"revision": None, "sha256": "0" * 64} | source))
    params = read_params(copy_project.params)
    section = params.report.model_copy(update=report)
    make_report(copy_project, params.model_copy(update={"report": section}))
    data = ModelCard.load(copy_project.report / "model/README.md").data
    assert (data.base_model, data.license, data.language) == expected


def test_the_model_folder_is_readable_whatever_dvc_does_to_the_weights(copy_project: Paths) -> None:
    for seed in (1, 2):
        (copy_project.finetuned(seed) / "model.safetensors").chmod(0o400)  # DVC's links are read-only
    make_report(copy_project)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (copy_project.report / "model").iterdir()}
    assert modes == {stat.S_IMODE((copy_project.report / "report.html").stat().st_mode)}


def test_the_same_inputs_give_the_same_bytes(reported: Paths) -> None:
    before = {path: path.read_bytes() for path in reported.report.rglob("*") if path.is_file()}
    main(read_params(reported.params), reported)
    assert before == {path: path.read_bytes() for path in reported.report.rglob("*") if path.is_file()}


def test_other_clock_times_give_the_same_bytes(reported: Paths, tmp_path: Path) -> None:
    copy = Paths(shutil.copytree(reported.root, tmp_path / "copy"))
    stages = ["download@dataset", "download@model", "tokenize", "split", "finetune@1", "evaluate@1", "report"]
    for number, stage in enumerate(stages):
        timing = {"seconds": 98765.4 + number, "peak_memory_mb": 87654 + number, "predict_seconds": 7654.3}
        write_json(copy.timing(stage), timing)
    main(read_params(copy.params), copy)
    for path in sorted(path for path in reported.report.rglob("*") if path.is_file()):
        assert (copy.report / path.relative_to(reported.report)).read_bytes() == path.read_bytes(), path


HOSTILE = "\x1b[31mred\x00\x07\x9b2J\u202eevil\u2066\x7f"


def test_nothing_that_is_shown_hides_or_acts(make_project: Callable[..., Paths]) -> None:
    project = make_project(labels=(f"={HOSTILE}ham", "@spam"), rows=60, seeds=(3,))
    rows = pq.read_table(project.rows).to_pandas()
    rows["text"] = f"good {HOSTILE}"
    rows["slice:version"] = f"-{HOSTILE}"
    pq.write_table(pa.Table.from_pandas(rows, preserve_index=False), project.rows)
    text = project.params.read_text()
    project.params.write_text(re.sub("title: .*", lambda _: f"title: {json.dumps('=' + HOSTILE)}", text))
    source = {"files": [{"source": f"={HOSTILE}.csv", "member": HOSTILE, "sha256": "0" * 64, "bytes": 9, "rows": 60}]}
    (project.dataset / "source.json").write_text(json.dumps(source))
    make_report(project)
    for name in ("report.html", "report.md", "suspects.csv", "model/README.md"):
        shown = (project.report / name).read_text(encoding="utf-8")
        assert not [sign for sign in shown if unicodedata.category(sign) in ("Cc", "Cf") and sign not in "\n\t"], name
    suspects = pd.read_csv(project.report / "suspects.csv")
    assert set(suspects["label"]) | set(suspects["suggested"]) == {f"'={visible(HOSTILE)}ham", "'@spam"}


def test_it_reads_nothing_that_dvc_yaml_does_not_name(reported: Paths, tmp_path: Path) -> None:
    deps = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]["report"]["deps"]
    for path in (reported.root / name for name in ["params.yaml", *deps]):
        target = tmp_path / path.relative_to(reported.root)
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            shutil.copytree(path, target)
        elif path.is_file():
            shutil.copy(path, target)
    main(read_params(reported.params), Paths(tmp_path))
    for name in ("metrics.json", "report.html", "report.md", "suspects.csv"):
        assert (tmp_path / "data/report" / name).read_bytes() == (reported.report / name).read_bytes()


def test_a_seed_without_results_is_named(copy_project: Paths) -> None:
    copy_project.params.write_text(copy_project.params.read_text().replace("[1, 2]", "[1, 2, 3]"))
    with pytest.raises(ReportError, match=r"evaluate/3/metrics\.json is missing.*dvc repro"):
        main(read_params(copy_project.params), copy_project)


def test_every_number_of_the_page_is_the_one_in_metrics_json(reported: Paths) -> None:
    metrics = json.loads((reported.report / "metrics.json").read_text())
    page = (reported.report / "report.html").read_text()
    numbers = re.findall(r'<data value="([^"]*)" data-key="([^"]*)">([^<]*)</data>', page)
    assert len(numbers) > 150
    for value, keys, text in numbers:
        number = metrics
        for key in json.loads(html.unescape(keys)):
            number = number[key]
        if number is None:
            assert text == "–"
        else:
            assert float(value) == number, keys
            shown = text.replace("−", "-").replace(",", "")
            places = len(shown.partition(".")[2])
            assert float(shown) == pytest.approx(number, abs=0.50001 * 10**-places), keys
    outside = re.sub(
        r"<data .*?</data>|<td class=.meaning.*?</td>|<(style|script|svg|code|pre)\b.*?</\1>|<[^>]*>",
        " ",
        page,
        flags=re.DOTALL,
    )
    metrics_section = outside[outside.index("Each value has a") : outside.index("Learning curve", 2000)]
    assert not re.search(r"\d\.\d", metrics_section)  # no metric is written without its key


def test_the_first_card_has_both_figures_and_says_what_was_trained_on_what(reported: Paths) -> None:
    metrics = json.loads((reported.report / "metrics.json").read_text())
    page = (reported.report / "report.html").read_text()
    card = html.unescape(re.sub(r"<[^>]*>", " ", page[page.index('id="answer"') : page.index("</header>")]))
    card = re.sub(r" ([;,:.)])", r"\1", " ".join(card.split()))
    ships, mean = metrics["champion"]["test"]["macro_f1"]["value"], metrics["test"]["macro_f1"]["mean"]
    seed, rows_hash = metrics["champion"]["seed"], hashlib.md5(reported.rows.read_bytes()).hexdigest()
    for fact in (
        f"{ships:.3f} Macro F1 of the model that ships (seed {seed}, the best of 2 on val), on 40 test rows",
        f"{mean:.3f} is the mean over 2 seeds (1, 2)",
        "Encoder package:tiny",
        "Data data/x.csv; rows: 40 train, 40 val, 40 test",
        "Target column score: 2 classes, ham, spam",
        f"Identity data {rows_hash[:10]}, parameters ",
    ):
        assert fact in card
    markdown = (reported.report / "report.md").read_text()
    for fact in (f"**Macro F1 {ships:.3f}** of the model that ships", f"**{mean:.3f}** is the mean", rows_hash[:10]):
        assert fact in markdown.partition("## Metrics")[0]


def test_the_numbers_of_a_column_have_the_same_decimals(reported: Paths) -> None:
    page = (reported.report / "report.html").read_text()
    for table in re.findall(r"<table.*?</table>", page, re.DOTALL):
        if "<thead" not in table or re.match("<table[^>]*(matrix|values)", table):  # counts, and parameters
            continue
        heading, *rows = cells(table)
        for column, name in enumerate(heading):
            numbers = [row[column] for row in rows if re.fullmatch(r"−?[\d,]+\.\d+", row[column])]
            assert len({len(number.partition(".")[2]) for number in numbers}) <= 1, (name, numbers)


def test_the_fine_tuning_is_told_in_the_words_of_people(reported: Paths) -> None:
    page = (reported.report / "report.html").read_text()
    facts = dict(row for row in tables(page, "Fine-tuning of seed") if len(row) == 2)
    assert facts["method"] == "full: every layer is trained"
    rate = "0.0002, cosine, after a warmup over 10% of the steps; times 0.9 for each layer further down"
    assert facts["learning rate"] == rate
    assert facts["epochs"].startswith("3 of at most 4; the weights of epoch 2 were kept")
    assert not [name for name in facts if "_" in name or "." in name]


@pytest.mark.parametrize("pred", [0, 1])
def test_a_model_that_predicts_one_label_is_said_in_red_before_anything_else(pred: int, copy_project: Paths) -> None:
    make_report(copy_project)
    for seed in (1, 2):
        path = copy_project.predictions(seed)
        table = pq.read_table(path)
        pq.write_table(_with_column(path, "pred", pd.Series([pred] * len(table))), path)
    params = read_params(copy_project.params)
    finetune = params.finetune.model_copy(update={"class_weights": ("none", "balanced")[pred]})
    main(params.model_copy(update={"finetune": finetune}), copy_project)
    page = (copy_project.report / "report.html").read_text()
    sentence = f"The model always predicts “{('ham', 'spam')[pred]}”"
    assert 0 < page.index('<div class="alarm" role="alert">') < page.index(sentence) < page.index('id="answer"')
    alarm = (copy_project.report / "report.md").read_text().partition("## Metrics")[0]
    assert sentence in alarm
    assert ("balanced" in alarm) == (pred == 0)  # nobody is advised to do what is done
    assert set(json.loads((copy_project.report / "metrics.json").read_text())["collapsed"]) == {"1", "2"}
    assert describe_collapse(json.loads(copy_project.headline.read_text()))[0].startswith(sentence)


def test_what_is_unusual_about_the_splits_is_said_before_the_metrics(reported: Paths) -> None:
    assert "<strong>a note, “&lt;b&gt;”</strong>" in (reported.report / "report.html").read_text()
    assert "a note, “" in (reported.report / "report.md").read_text().partition("## Metrics")[0]


def test_an_alarm_is_raised_for_a_failure_and_for_nothing_else(reported: Paths) -> None:
    metrics = json.loads((reported.report / "metrics.json").read_text())
    tables = {seed: pd.read_parquet(reported.predictions(seed)) for seed in (1, 2)}
    one_label = {str(seed) for seed, table in tables.items() if table["pred"].nunique() == 1}
    assert set(metrics["collapsed"]) == one_label
    chance = metrics["baselines"]["majority"]["macro_f1"]["low"] <= 0
    assert ('class="alarm"' in (reported.report / "report.html").read_text()) == bool(one_label or chance)


def test_every_number_of_the_markdown_is_the_one_in_metrics_json(reported: Paths) -> None:
    metrics = json.loads((reported.report / "metrics.json").read_text())
    text = (reported.report / "report.md").read_text().replace("−", "-").replace("†", "")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]
    names = {text: name for name, text in NAMES.items()}
    counted = {8: 0, 5: 0}
    for name, *shown_cells in rows:
        if name not in names:
            continue
        metric = names[name]
        if len(shown_cells) == 4 and " to " in shown_cells[3]:
            test, val = metrics["champion"]["test"][metric], metrics["champion"]["val"][metric]
            expected = [test["value"], test["low"], test["high"], val["value"], val["low"], val["high"]]
        elif len(shown_cells) == 3:
            entry = metrics["test"][metric]
            expected = [entry["mean"], entry["low"], entry["high"], entry["sd"]]
        else:
            expected = [metrics["champion"]["test"][metric]["value"]]
            for key in ("majority", "tfidf"):
                expected += [metrics["baselines"][key][metric][part] for part in ("value", "difference", "low", "high")]
        shown = [part for cell in shown_cells for part in cell.split(" to ")]
        for text_part, number in zip(shown, expected, strict=True):
            places = len(text_part.partition(".")[2])
            assert float(text_part) == pytest.approx(number, abs=0.50001 * 10**-places)
        counted[8 if len(shown_cells) > 4 else 5] += 1
    measured = metrics["champion"]["test"]
    assert counted == {
        8: len(metrics["baselines"]["tfidf"]),
        5: 2 * len(measured),
    }  # of the champion, and over the seeds


def test_the_model_folder_says_how_to_decide(reported: Paths) -> None:
    seed = json.loads((reported.report / "metrics.json").read_text())["champion"]["seed"]
    fitted = json.loads(reported.metrics(seed).read_text())["calibration"]
    assert json.loads((reported.report / "model/calibration.json").read_text()) == {
        "temperature": fitted["temperature"],
        "threshold": fitted["threshold"],
        "positive": None if fitted["threshold"] is None else "spam",
        "max_length": 128,
        "truncation": "head",
    }
    tokenizer = AutoTokenizer.from_pretrained(reported.report / "model")
    assert (tokenizer.model_max_length, tokenizer.truncation_side) == (128, "right")


def _measured(project: Paths) -> pd.DataFrame:
    """The champion's test rows of predictions.parquet."""
    seed = json.loads((project.report / "metrics.json").read_text())["champion"]["seed"]
    return pd.read_parquet(project.predictions(seed)).query("split == 'test'")


@pytest.mark.parametrize("labels", [("ham", "spam"), ("1", "2", "3")], ids=["threshold", "three classes"])
def test_what_the_model_folder_predicts_is_what_was_measured(
    labels: tuple[str, ...], reported: Paths, make_project: Callable[..., Paths]
) -> None:
    project = reported if len(labels) == 2 else make_report(make_project(labels=labels, seeds=(5,)))
    rule = json.loads((project.report / "model/calibration.json").read_text())
    assert (rule["threshold"] is not None) == (len(labels) == 2)  # the toy model leans to one label, so val takes one
    test, metrics = _measured(project), json.loads((project.report / "metrics.json").read_text())
    rows = pq.read_table(project.rows).to_pandas().iloc[test["position"]]
    predictions = Classifier.load(project.report / "model")(rows["text"].tolist())
    assert [labels.index(prediction.label) for prediction in predictions] == test["pred"].tolist()
    wrong = sum(prediction.label != label for prediction, label in zip(predictions, rows["label"], strict=True))
    assert metrics["mistakes"]["wrong"] == wrong
    assert metrics["champion"]["test"]["accuracy"]["value"] == pytest.approx(1 - wrong / len(rows))
    assert sum(part["wrong"] for part in metrics["slices"]["version"].values()) == wrong
    model = np.stack(test["probabilities"])
    scaled = model ** (1 / rule["temperature"])
    scaled /= scaled.sum(1, keepdims=True)
    shown = [prediction.probability for prediction in predictions]
    assert shown == pytest.approx(scaled[np.arange(len(test)), test["pred"]], abs=1e-4)


@pytest.mark.parametrize(
    ("trial", "text"),
    [
        (Trial(0.3125, 0.0221, 0.04), "if its probability after scaling is at least 0.31"),
        (Trial(0.3125, 0.0015, 0.4), "The model predicts the more probable label. A threshold of 0.31"),
    ],
    ids=["taken", "not taken"],
)
@pytest.mark.parametrize("name", ["report.html", "report.md"])
def test_the_report_says_which_rule_was_taken_and_why(trial: Trial, text: str, name: str, copy_project: Paths) -> None:
    params = read_params(copy_project.params)
    for seed in params.seeds:
        evaluate(params, copy_project, seed)
        metrics = json.loads(copy_project.metrics(seed).read_text())
        metrics["calibration"]["threshold"] = trial.threshold if trial.taken else None
        metrics["calibration"]["trial"] = dataclasses.asdict(trial)
        copy_project.metrics(seed).write_text(json.dumps(metrics))
    main(params, copy_project)
    shown = re.sub(r"<[^>]*>", "", (copy_project.report / name).read_text())
    assert text in shown
    assert f"it changed Macro F1 by {'0.022' if trial.taken else '0.002'}" in shown
    assert ("so the gain may be chance" in shown) == (not trial.taken)
    assert "All numbers in this report, and all predictions, use this rule" in shown


def test_the_data_summary_is_that_of_the_earlier_stages(reported: Paths) -> None:
    page = (reported.report / "report.html").read_text()
    section = page[page.index('<section id="data">') : page.index('<section id="training">')]
    text = re.sub(r"<(svg|code)\b.*?</\1>", " ", section, flags=re.DOTALL)
    visible = " ".join(html.unescape(re.sub(r"<[^>]*>", " ", text)).split())
    for fact in (
        "rows read 121 rows used 120 rows set aside 1 distinct texts 1,234",
        "31 rows have the same text as another row. 32 texts differ from another text only in case and white space, "
        "33 differ only slightly.",
        "empty text 1 set aside control characters 3 used near duplicate 17 used",
        "outcome decisions label corrected 41 not applied: the text has changed since 43",
        "ham 20 20 20 1 1,717 spam 20 20 20 1 1,717 all 40 40 40 41 4,242",
        "6.2% of val and test shared val test same text 61 62 nearly same text 63 64 same group 65 66",
        "Splits taken from the files: test. Rows left out of all splits: 71 duplicates, 72 to prevent leaks, "
        "73 to keep train at its requested size.",
        "max_length 128 smallest max_length that leaves 99% of the rows whole 1,048",
        "rows cut (the head and tail of the text is kept) 41 (34.2%)",
        "tokens removed by truncation 4,242 (78.9%) padding if all rows were padded to max_length 91.1%",
        "padding in batches of 32 random rows 32.2% padding in batches of 32 rows of similar length 3.3%",
        "tokens unknown to the tokenizer 51",
        "rows whose tokens are mostly unknown 52",
    ):
        assert fact in visible
    markdown = (reported.report / "report.md").read_text()
    for fact in (
        "121 rows read, 120 used, 1 set aside; 1,234 distinct texts, of which 33 differ only slightly from another.",
        "- near duplicate: 17 rows, used\n- corrections: 41, label corrected\n"
        "- corrections: 43, not applied: the text has changed since\n"
        "- splits: 40 train, 40 val, 40 test; 6.2% of val and test",
        "- truncation at 128 tokens: 41 rows cut, 4,242 tokens removed; "
        "a max_length of 1,048 would leave 99% of the rows whole",
    ):
        assert fact in markdown


def test_slices_are_those_of_length_truncation_and_the_kept_columns(reported: Paths) -> None:
    slices = json.loads((reported.report / "metrics.json").read_text())["slices"]
    assert set(slices) == {"length", "truncation", "version"}
    rows, test = pq.read_table(reported.rows), pq.read_table(reported.split("test"))["position"]
    versions = rows["slice:version"].take(test).to_pylist()
    assert {name: part["rows"] for name, part in slices["version"].items()} == {
        name: versions.count(name) for name in ("1.0", "2.0")
    }
    assert slices["truncation"]["cut"]["rows"] == sum(row % 5 == 4 for row in test.to_pylist())
    page, markdown = ((reported.report / name).read_text() for name in ("report.html", "report.md"))
    assert "<td>version</td><td>2.0 <small>(small)</small></td>" in page
    assert "| version | 2.0 (small) |" in markdown
    for caveat in (
        "With many slices some look weak by chance",
        "is no evidence that a slice is weak",
        "A slice with fewer than 30 rows is marked as small: it says little.",
        "so do not compare it between slices",
    ):
        assert caveat in page
        assert caveat in markdown


def test_a_model_that_is_too_weak_accuses_no_row_and_that_is_said(reported: Paths) -> None:
    counts = json.loads((reported.report / "metrics.json").read_text())["suspects"]
    assert counts["found"] == len(pd.read_csv(reported.report / "suspects.csv")) == 0
    assert counts["contradicted"] > 0.25 * counts["confident"] > 0
    for name in ("report.html", "report.md"):
        text = re.sub("<[^>]*>", "", (reported.report / name).read_text())
        assert "No labels of val and test are listed as wrong: the models confidently predict the label of " in text
        assert f"{counts['confident']} of the 80 rows, and {counts['contradicted']} of these have another one" in text
        assert "confidently predict another one" not in text


def test_without_test_rows_the_report_shows_val(make_project: Callable[..., Paths]) -> None:
    project = make_project(seeds=(3,))
    pq.write_table(pa.table({"position": pa.array([], pa.int64())}), project.split("test"))
    make_report(project)
    assert json.loads((project.report / "metrics.json").read_text())["test"] == {}
    headline = json.loads(project.headline.read_text())
    assert (headline["test"], list(headline["val"])) == ({}, ["macro_f1", "accuracy", "mcc"])
    assert headline["champion"]["macro_f1"] == headline["val"]["macro_f1"]["mean"]
    assert "val rows" in (project.report / "report.html").read_text()


def test_seeds_measured_on_different_rows_are_refused(reported: Paths, copy_project: Paths) -> None:
    positions = pq.read_table(copy_project.split("test"))
    pq.write_table(positions.slice(1), copy_project.split("test"))
    evaluate(read_params(copy_project.params), copy_project, 2)
    with pytest.raises(ReportError, match="its test rows differ from those of seed 1"):
        main(read_params(copy_project.params), copy_project)


def test_many_classes_render(make_project: Callable[..., Paths]) -> None:
    project = make_project(labels=tuple(f"class {number}" for number in range(30)), rows=270, seeds=(5,))
    make_report(project)
    metrics = json.loads((project.report / "metrics.json").read_text())
    assert metrics["test"]["macro_f1"]["sd"] is None
    assert "class 29" in (project.report / "report.html").read_text()


def test_of_very_many_classes_the_weakest_are_listed(make_project: Callable[..., Paths]) -> None:
    labels = tuple(f"class {number:03d}" for number in range(250))
    project = make_project(labels=labels, rows=1500, seeds=(5,))
    make_report(project)
    metrics = json.loads((project.report / "metrics.json").read_text())
    assert set(metrics["per_class"]) == set(labels)
    weakest = sorted(labels, key=lambda label: metrics["per_class"][label]["f1"])[:200]
    page, markdown = (project.report / "report.html").read_text(), (project.report / "report.md").read_text()
    section = page[page.index('<section id="classes">') : page.index('<section id="calibration">')]
    assert re.findall(r'<th scope="row">(class \d+)</th>', section) == weakest
    assert re.findall(r"^\| (class \d+) \|", markdown, re.MULTILINE)[:200] == weakest
    assert "the 200 of 250 classes with the lowest F1" in section
    assert "The 200 of 250 classes with the lowest F1" in markdown
    splits = page[page.index("<h3>Splits</h3>") : page.index("<h3>Tokens</h3>")]
    assert len(re.findall(r'<th scope="row">class \d+</th>', splits)) == 200
    assert "the 200 of 250 classes with the fewest rows in train" in splits
    assert len(page) < 700_000


def test_a_long_text_is_cut_in_the_report(make_project: Callable[..., Paths]) -> None:
    project = make_project(rows=60, seeds=(3,))
    rows = pq.read_table(project.rows).to_pandas()
    rows["text"] = "word " * 200_000
    pq.write_table(pa.Table.from_pandas(rows, preserve_index=False), project.rows)
    make_report(project)
    page = (project.report / "report.html").read_text()
    assert max(map(len, re.findall(r'<td class="text" dir="auto">([^<]*)</td>', page))) == 2_001
    markdown = (project.report / "report.md").read_text()
    assert 300 < max(len(line) for line in markdown.splitlines() if line.startswith("| word")) < 400


def test_texts_and_labels_are_shown_and_never_run(make_project: Callable[..., Paths]) -> None:
    project = make_project(labels=("<script>alert('label')</script>", "| spam & `co`"), rows=60, seeds=(3,))
    rows = pq.read_table(project.rows).to_pandas()
    rows["text"] = "<script>alert(1)</script> <img src=x onerror=alert(2)> | a _b_\n`c`"
    pq.write_table(pa.Table.from_pandas(rows, preserve_index=False), project.rows)
    make_report(project)
    page, markdown = (project.report / "report.html").read_text(), (project.report / "report.md").read_text()
    assert "&lt;script&gt;alert(1)" in page
    assert page.count("<script>") == 1
    assert "<img" not in page + markdown
    assert "<script" not in markdown + (project.report / "model/README.md").read_text().split("---", 2)[2]
    tables = [line for line in markdown.splitlines() if line.startswith("|") and "alert" in line]
    assert {line.replace("\\|", "").count("|") for line in tables if "alert&#40;" in line or "alert(1)" in line} == {6}


def test_show_text_false_keeps_every_text_out(make_project: Callable[..., Paths]) -> None:
    project = make_project(seeds=(3,))
    project.params.write_text(project.params.read_text().replace("show_text: true", "show_text: false"))
    make_report(project)
    texts = {text for text in pq.read_table(project.rows)["text"].to_pylist() if len(text) > 12}
    for path in project.report.rglob("*.*"):
        if path.suffix in (".html", ".md"):
            assert not any(text in path.read_text() for text in texts), path


def test_accuracy_does_not_lead_if_most_rows_have_one_label(make_project: Callable[..., Paths]) -> None:
    project = make_project(rows=90, seeds=(3,), pattern=("ham", "ham", "ham", "spam"))
    project.params.write_text(project.params.read_text().replace("metric: macro_f1", "metric: accuracy"))
    make_report(project)
    page = (project.report / "report.html").read_text()
    assert "<strong>MCC</strong> of the model that ships" in page
    assert re.findall(r'<th scope="row">([^<]*)</th>', page)[:4] == ["MCC", "Macro F1", "Balanced accuracy", "Accuracy"]
    assert "Most rows have the same label" in page


@pytest.mark.parametrize(
    ("column", "values", "reason", "other"),
    [
        ("pred", lambda table: table["label"], "no row is wrong", "rows belong to only"),
        ("group", lambda table: table["group"] % 4, "the rows belong to only 4 groups", "no row is wrong"),
        ("pred", lambda table: table["pred"], None, "rows belong to only"),
    ],
)
def test_a_rough_interval_is_marked_with_the_reason_in_every_document(
    column: str,
    values: Callable[[pd.DataFrame], pd.Series],
    reason: str | None,
    other: str,
    copy_project: Paths,
) -> None:
    make_report(copy_project)
    for seed in (1, 2):
        table = pd.read_parquet(copy_project.predictions(seed))
        pq.write_table(
            _with_column(copy_project.predictions(seed), column, values(table)), copy_project.predictions(seed)
        )
    main(read_params(copy_project.params), copy_project)
    for path in (copy_project.report / name for name in ("report.html", "report.md", "model/README.md")):
        text = path.read_text(encoding="utf-8")
        assert other not in text, path.name
        if reason:
            assert text.count(f"† A rough interval, because {reason} (test and val)") == 1, path.name
            assert text.count("†") > 15, path.name  # every metric of test and of val
            marked = [
                line for line in text.splitlines() if line.startswith(("| Log loss", '<tr><th scope="row">Log loss'))
            ]
            assert marked, path.name
            assert all("†" in line for line in marked), path.name  # as the mean over seeds and as the lead, too
        else:  # 40 rows are few for the calibration error alone
            assert text.count("A rough interval") == 1, path.name
            marked = [line for line in text.splitlines() if "†" in line and "A rough interval" not in line]
            assert marked, path.name
            assert all("Calibration error" in line for line in marked), path.name


def test_a_mark_of_rough_intervals_has_one_reason(copy_project: Paths) -> None:
    """Nothing is wrong on test, and some rows of val are: the reasons differ, and so do the marks."""
    make_report(copy_project)
    for seed in (1, 2):
        path = copy_project.predictions(seed)
        table = pd.read_parquet(path)
        wrong = (table["split"] == "val") & (table["id"] == table.loc[table["split"] == "val", "id"].iloc[0])
        pred = table["label"].where(~wrong, 1 - table["label"].clip(upper=1))
        pq.write_table(_with_column(path, "pred", pred), path)
    main(read_params(copy_project.params), copy_project)
    for path in (copy_project.report / name for name in ("report.html", "report.md", "model/README.md")):
        text = path.read_text(encoding="utf-8")
        assert "† A rough interval, because no row is wrong (test)." in text, path.name
        assert "‡ A rough interval, because only 1 row is wrong (val)." in text, path.name
        rows = [line for line in text.splitlines() if "†" in line and "‡" in line and "because" not in line]
        assert len(rows) > 5, path.name  # of the table: test and val side by side


def _with_column(path: Path, name: str, values: pd.Series) -> pa.Table:
    table = pq.read_table(path)
    index = table.column_names.index(name)
    return table.set_column(index, name, pa.array(values, table.schema.field(name).type))
