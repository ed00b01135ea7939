"""The champion's folder: the model as transformers loads it, with a model card in the Hub's format."""

import shutil
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCardData

from stages.errors import ReportError
from stages.files import replace_folder, write_json, write_text
from stages.report.render.page import environment
from stages.report.results import SeedResult


def decision(champion: SeedResult, labels: list[str], max_length: int, truncation: str) -> dict[str, Any]:
    """Return calibration.json: how probabilities become an answer, and how a text was cut.

    Args:
        champion: The model.
        labels: Names of the classes.
        max_length: Tokens per text, special tokens included.
        truncation: What is kept of a longer text.

    Returns:
        temperature divides the logits; from threshold on (probability after scaling) the answer is positive, null
        where the most probable label is the answer.
    """
    fitted = champion.metrics["calibration"]
    return {
        "temperature": fitted["temperature"],
        "threshold": fitted["threshold"],
        "positive": None if fitted["threshold"] is None else labels[1],
        "max_length": max_length,
        "truncation": truncation,
    }


def write_model(source: Path, target: Path, *, card: str, choices: dict[str, Any]) -> None:
    """Copy the champion's folder and add its card and calibration.json.

    Raises:
        ReportError: The champion's folder is missing.
    """
    if not (source / "model.safetensors").is_file():
        raise ReportError(f"{source}/model.safetensors is missing. Make it with: dvc repro (or dvc pull)")
    with replace_folder(target) as folder:
        shutil.copytree(source, folder, dirs_exist_ok=True)
        write_text(folder / "README.md", card)
        write_json(folder / "calibration.json", choices)


def render_card(context: dict[str, Any]) -> str:
    """Return README.md: front matter that the Hub reads, and what a user of the model must know."""
    front = _front_matter(context["title"], context["metrics"]["champion"])
    return environment().get_template("card.md.j2").render(**context, front_matter=front)


def _front_matter(title: str, metrics: dict[str, Any]) -> str:
    results = [
        EvalResult(
            task_type="text-classification",
            dataset_type="custom",
            dataset_name=title,
            dataset_split=split,
            metric_type=metric,
            metric_value=entry["value"],
        )
        for split in ("test", "val")
        for metric, entry in metrics[split].items()
    ]
    data = ModelCardData(
        library_name="transformers",
        pipeline_tag="text-classification",
        tags=["text-classification", "retune"],
        model_name=title,
        eval_results=results,
    )
    return str(data.to_yaml())
