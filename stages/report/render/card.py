"""The model folder of the report: the champion as transformers loads it, with a model card in the Hub's format."""

import shutil

from huggingface_hub import EvalResult, ModelCardData

from stages.errors import ReportError
from stages.files import replace_folder, write_json, write_text
from stages.metrics.summary import SHOWN
from stages.paths import Paths
from stages.report.metrics import Champion
from stages.report.render.context import Context
from stages.report.render.page import environment
from stages.report.results import Results
from stages.schema import Tokenize


def write_model(paths: Paths, results: Results, tokenize: Tokenize, *, card: str) -> None:
    """Copy the champion's folder to data/report/model and add its card and calibration.json.

    calibration.json says how to predict as in training. `temperature` divides the logits. If the scaled probability of
    `positive` is at least `threshold`, the answer is `positive`; without a threshold it is the most probable label.
    `max_length` and `truncation` say how long texts are cut.

    Raises:
        ReportError: The champion's weights are missing.
    """
    champion = results.champion
    source = paths.finetuned(champion.seed)
    if not (source / "model.safetensors").is_file():
        raise ReportError(f"{source}/model.safetensors is missing. Create it with: dvc repro (or dvc pull)")
    calibration = {
        "temperature": champion.rule.temperature,
        "threshold": champion.rule.threshold,
        "positive": None if champion.rule.threshold is None else results.labels[champion.rule.positive],
        "max_length": tokenize.max_length,
        "truncation": tokenize.truncation,
    }
    with replace_folder(paths.report / "model") as folder:
        for file in sorted(source.iterdir()):  # not copytree, whose error for a full disk has no number
            shutil.copy2(file, folder)
        write_text(folder / "README.md", card)
        write_json(folder / "calibration.json", calibration)


def render_card(context: Context) -> str:
    """Return the card, README.md: front matter that the Hub reads, and what a user of the model must know."""
    front_matter = _front_matter(context.params.report.title, context.metrics.champion)
    return environment().get_template("card.md.j2").render(vars(context), front_matter=front_matter)


def _front_matter(title: str, champion: Champion) -> str:
    results = [
        EvalResult(
            task_type="text-classification",
            dataset_type="custom",
            dataset_name=title,
            dataset_split=split,
            metric_type=metric,
            metric_value=round(entry.value, SHOWN),
        )
        for split, metrics in (("test", champion.test), ("val", champion.val))
        for metric, entry in metrics.items()
    ]
    data = ModelCardData(
        library_name="transformers",
        pipeline_tag="text-classification",
        tags=["text-classification", "retune"],
        model_name=title,
        eval_results=results,
    )
    return str(data.to_yaml())
