"""The model folder of the report: the champion as transformers loads it, with a model card in the Hub's format."""

import shutil
from collections.abc import Mapping
from typing import Any

from huggingface_hub import EvalResult, ModelCardData

from stages.data_format import write_data_format
from stages.errors import ReportError
from stages.files import read_json, replace_folder, write_json, write_text
from stages.metrics.names import headline_metrics
from stages.metrics.summary import SHOWN, MetricValue
from stages.paths import Paths
from stages.report.render.context import Context
from stages.report.render.glossary import NAMES
from stages.report.render.page import environment
from stages.report.results import Results
from stages.schema import Dataset, Tokenize

HUB_METRICS = {  # ours -> the metric of https://huggingface.co/evaluate-metric that computes it, and its arguments
    "macro_f1": ("f1", {"average": "macro"}),
    "mcc": ("matthews_correlation", None),
}


def write_model(paths: Paths, results: Results, tokenize: Tokenize, dataset: Dataset, *, card: str) -> None:
    """Copy the champion's folder to data/report/model and add its card, calibration.json and input.json.

    calibration.json says how to predict as in training. `temperature` divides the logits. If the scaled probability of
    `positive` is at least `threshold`, the answer is `positive`; without a threshold it is the most probable label.
    `max_length` and `truncation` say how long texts are cut. The tokenizer gets the same limit, for transformers.
    input.json says how the data was written, so that predictions read files of the same kind without options.

    Raises:
        ReportError: The champion's weights are missing.
    """
    champion = results.champion
    calibration = {
        "temperature": champion.rule.temperature,
        "threshold": champion.rule.threshold,
        "positive": None if champion.rule.threshold is None else results.labels[champion.rule.positive],
        "max_length": tokenize.max_length,
        "truncation": tokenize.truncation,
    }
    copy_model(paths, champion.seed, calibration, tokenize, dataset, card=card)


def copy_model(
    paths: Paths, seed: int, calibration: Mapping[str, object], tokenize: Tokenize, dataset: Dataset, *, card: str
) -> None:
    """Copy a seed's folder to data/report/model and add its card, calibration.json and input.json.

    Raises:
        ReportError: The seed's weights are missing.
    """
    source = paths.finetuned(seed)
    if not (source / "model.safetensors").is_file():
        raise ReportError(f"{source}/model.safetensors is missing. Create it with: dvc repro (or dvc pull)")
    with replace_folder(paths.report / "model") as folder:
        for file in sorted(source.iterdir()):  # not copytree, whose error for a full disk has no number
            shutil.copyfile(file, folder / file.name)  # not its mode: DVC's links are read-only
        write_text(folder / "README.md", card)
        write_json(folder / "calibration.json", dict(calibration))
        write_data_format(folder, dataset)
        tokenizer_config = folder / "tokenizer_config.json"
        if tokenizer_config.exists():
            write_json(tokenizer_config, read_json(tokenizer_config) | cutting(tokenize))


def cutting(tokenize: Tokenize) -> dict[str, Any]:
    """Return the keys of tokenizer_config.json with which transformers cuts long texts as in training.

    transformers has no form of head_tail: it keeps the head.
    """
    side = "left" if tokenize.truncation == "tail" else "right"
    return {"model_max_length": tokenize.max_length, "truncation_side": side}


def render_card(context: Context) -> str:
    """Return the card, README.md: front matter that the Hub reads, and what a user of the model must know."""
    return environment().get_template("card.md.j2").render(vars(context), front_matter=_front_matter(context))


def _front_matter(context: Context) -> str:
    provenance, title = context.provenance, context.params.report.title
    results = [_result(context, name) for name in headline_metrics(context.headline, _measured(context))]
    data = ModelCardData(
        base_model=provenance.base_model,
        language=provenance.language or None,
        license=provenance.license,
        library_name="transformers",
        pipeline_tag="text-classification",
        tags=["text-classification", "retune"],
        model_name=title,
        eval_results=results,
    )
    return str(data.to_yaml())


def _measured(context: Context) -> Mapping[str, MetricValue]:
    """The champion's metrics on the split that the report is about."""
    champion = context.metrics.champion
    return champion.test if context.results.split == "test" else champion.val


def _result(context: Context, name: str) -> EvalResult:
    entry = _measured(context)[name]
    metric, arguments = HUB_METRICS.get(name, (name, None))
    return EvalResult(
        task_type="text-classification",
        task_name="Text classification",
        dataset_type="custom",
        dataset_name=context.params.report.title,
        dataset_split=context.results.split,
        metric_type=metric,
        metric_name=NAMES[name],
        metric_value=round(entry.value, SHOWN),
        metric_args=arguments,
    )
