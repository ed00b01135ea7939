"""The model folder of the report: the champion as transformers loads it, with a model card in the Hub's format."""

import shutil
from collections.abc import Mapping
from typing import Any

from stages.data_format import write_data_format
from stages.errors import ReportError
from stages.files import read_json, replace_folder, write_json, write_text
from stages.paths import Paths
from stages.schema import Dataset, Tokenize


def copy_model(
    paths: Paths, seed: int, calibration: Mapping[str, object], tokenize: Tokenize, dataset: Dataset, *, card: str
) -> None:
    """Copy a seed's folder to data/report/model and add its card, calibration.json and input.json.

    calibration.json says how to predict as in training: what the kind of target needs, and how long texts are cut. The
    tokenizer gets the same limit, for transformers. input.json says how the data was written, so that predictions read
    files of the same kind without options.

    Args:
        paths: Of the project.
        seed: Of the champion.
        calibration: From the champion's logits to its answers.
        tokenize: How long texts are cut.
        dataset: How the data was written.
        card: README.md.

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
        cut = {"max_length": tokenize.max_length, "truncation": tokenize.truncation}
        write_json(folder / "calibration.json", {**calibration, **cut})
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
