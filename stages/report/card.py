"""The champion's folder: the model as transformers loads it, with a model card in the Hub's format."""

import shutil
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCardData

from stages.errors import ReportError
from stages.files import replace_folder
from stages.report.page import environment


def write_model(source: Path, target: Path, card: str) -> None:
    """Copy the champion's folder and add its card.

    Raises:
        ReportError: The champion's folder is missing.
    """
    if not (source / "model.safetensors").is_file():
        raise ReportError(f"{source}/model.safetensors is missing. Make it with: dvc repro (or dvc pull)")
    with replace_folder(target) as folder:
        shutil.copytree(source, folder, dirs_exist_ok=True)
        (folder / "README.md").write_text(card, encoding="utf-8")


def render_card(context: dict[str, Any]) -> str:
    """Return README.md: front matter that the Hub reads, and what a user of the model must know."""
    front = _front_matter(context["title"], context["metrics"])
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
