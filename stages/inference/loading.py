"""Loads a saved model folder after checking that it is safe, and computes its outputs.

It reads weights as safetensors alone, uses no network, and runs no code that comes with a model.
"""

import inspect
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from transformers import AutoModelForSequenceClassification, PreTrainedModel
from transformers.utils import logging as transformers_logging

from stages.errors import ModelError
from stages.files import read_json
from stages.model.heads import load_hidden_head
from stages.model.layers import first_token
from stages.tokens import Tokens, batches_by_length

WEIGHTS = ("model.safetensors", "model.safetensors.index.json")  # one file, or the index of several
PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl", "*.h5", "*.msgpack")


def load_model(folder: Path) -> PreTrainedModel:
    """Load a fine-tuned classifier for prediction, on the GPU if there is one.

    Args:
        folder: A folder of `save_pretrained`: config.json and model.safetensors.

    Raises:
        ModelError: A file or a weight is missing, the weights are pickled, or the folder asks to run its own code.
    """
    check_folder(folder)
    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]  # missing weights are reported below
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        if (with_hidden_layer := load_hidden_head(folder)) is not None:
            return with_hidden_layer.to(device)  # type: ignore[arg-type, no-any-return]
        model, report = AutoModelForSequenceClassification.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, trust_remote_code=False, output_loading_info=True
        )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelError(f"{folder} can't be loaded as a text classifier: {reason}") from error
    if report["missing_keys"]:
        missing = ", ".join(sorted(report["missing_keys"])[:3])
        raise ModelError(f"{folder}/model.safetensors lacks weights ({missing}). Fine-tune the model first.")
    return model.to(device).eval()  # type: ignore[no-any-return]


def check_folder(folder: Path) -> None:
    """Check that a folder holds a plain, safe model.

    Raises:
        ModelError: Files are missing, the weights are pickled, or a configuration names code to run.
    """
    if not folder.is_dir():
        raise ModelError(f"{folder} does not exist. Make the model with: retune run (or dvc repro, or dvc pull)")
    if not (folder / "config.json").is_file():
        raise ModelError(f"{folder}/config.json is missing. Make the model with: dvc repro (or dvc pull)")
    if not any((folder / name).is_file() for name in WEIGHTS):
        pickled = sorted(path.name for pattern in PICKLED for path in folder.glob(pattern))
        if pickled:
            raise ModelError(
                f"{folder} has only pickled weights ({pickled[0]}), and reading a pickle can run any code. "
                "Use a model with safetensors, or ask its author for them."
            )
        raise ModelError(f"{folder}/model.safetensors is missing. Make the model with: dvc repro (or dvc pull)")
    for name in ("config.json", "tokenizer_config.json"):
        if (folder / name).is_file():
            _check_config(folder / name)


def _check_config(path: Path) -> None:
    try:
        config = read_json(path)
    except ValueError as error:
        raise ModelError(f"{path} is not valid JSON: {error}") from error
    if not isinstance(config, dict):
        raise ModelError(
            f"{path} is not a configuration: expected a JSON object, got {type(config).__name__}. Save the model again."
        )
    if "auto_map" in config:
        raise ModelError(
            f"{path}: auto_map {config['auto_map']} asks to run code that comes with the model. "
            "Use a model whose class is part of transformers."
        )


@torch.inference_mode()
def predict_tokens(
    model: PreTrainedModel, tokens: Tokens, positions: NDArray[np.int64], *, batch_size: int
) -> NDArray[np.float32]:
    """Return the class probabilities of some rows, in their order; rows with the same tokens are computed once.

    Args:
        model: From `load_model`.
        tokens: The tokens of all rows.
        positions: Positions of the rows in the tokens; shape (rows,).
        batch_size: Rows of like length per forward pass (>= 1).

    Returns:
        Shape (rows, num_labels).
    """
    distinct, same_as = tokens.distinct(positions)
    probabilities = np.zeros((len(distinct), int(model.config.num_labels or 0)), dtype=np.float32)
    with first_token(model):
        for indices in batches_by_length(tokens.lengths[distinct], batch_size):
            batch = tokens.pad(distinct[indices], pad_token_id=model.config.pad_token_id or 0)
            probabilities[indices] = logits_of(model, batch).softmax(-1).cpu().numpy()
    return probabilities[same_as]


@torch.inference_mode()
def logits_of(model: PreTrainedModel, batch: dict[str, NDArray[np.int64]]) -> torch.Tensor:
    """Return the logits of a padded batch in float32; shape (batch, num_labels). Labels in it are ignored."""
    return model(**inputs_of(model, batch)).logits.float()  # type: ignore[no-any-return]


def inputs_of(model: PreTrainedModel, batch: dict[str, NDArray[np.int64]]) -> dict[str, torch.Tensor]:
    """Return the columns of a padded batch that the model takes, on its device; DistilBERT takes no token_type_ids."""
    accepted = set(inspect.signature(model.forward).parameters) - {"labels"}
    return {name: torch.from_numpy(array).to(model.device) for name, array in batch.items() if name in accepted}
