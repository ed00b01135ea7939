"""A saved model folder turned into probabilities.

Only safetensors are read, nothing is fetched, and no code that comes with a model is run.
"""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from stages.errors import ModelError
from stages.files import read_json
from stages.heads import load_hidden_head
from stages.tokens import Tokens, batches_by_length


def load_model(folder: Path) -> PreTrainedModel:
    """Load a fine-tuned classifier for prediction, on the GPU where there is one.

    Args:
        folder: What `save_pretrained` wrote: config.json and model.safetensors.

    Raises:
        ModelError: A file is missing, the folder asks for its own code, or weights are missing from the file.
    """
    check_folder(folder)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if (model := load_hidden_head(folder)) is not None:
        return model.to(device)  # type: ignore[arg-type, no-any-return]
    try:
        model, report = AutoModelForSequenceClassification.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, trust_remote_code=False, output_loading_info=True
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise ModelError(f"{folder} can't be loaded as a text classifier: {error}") from error
    if report["missing_keys"]:
        missing = ", ".join(sorted(report["missing_keys"])[:3])
        raise ModelError(f"{folder}/model.safetensors lacks weights ({missing}). Fine-tune the model first.")
    return model.to(device).eval()  # type: ignore[no-any-return]


def check_folder(folder: Path) -> None:
    """Refuse a folder that is not a plain, safe model.

    Raises:
        ModelError: config.json or model.safetensors is missing, or the configuration names code to run.
    """
    for name in ("config.json", "model.safetensors"):
        if not (folder / name).is_file():
            raise ModelError(f"{folder}/{name} is missing. Make the model with: dvc repro (or dvc pull)")
    try:
        config = read_json(folder / "config.json")
    except ValueError as error:
        raise ModelError(f"{folder}/config.json is not valid JSON: {error}") from error
    if "auto_map" in config:
        raise ModelError(
            f"{folder}/config.json: auto_map {config['auto_map']} asks to run code that comes with the model. "
            "Use a model of a class that transformers has."
        )


@torch.inference_mode()
def predict_tokens(
    model: PreTrainedModel, tokens: Tokens, positions: NDArray[np.int64], *, batch_size: int
) -> NDArray[np.float32]:
    """Return the class probabilities of some rows, in their order.

    Args:
        model: From `load_model`.
        tokens: The rows' tokens.
        positions: Which rows; shape (rows,).
        batch_size: Rows per forward pass (>= 1); rows of like length go together, so little is padded.

    Returns:
        Shape (rows, num_labels).
    """
    probabilities = np.zeros((len(positions), int(model.config.num_labels or 0)), dtype=np.float32)
    for indices in batches_by_length(tokens.lengths[positions], batch_size):
        batch = tokens.pad(positions[indices], pad_token_id=model.config.pad_token_id or 0)
        probabilities[indices] = predict_batch(model, batch)
    return probabilities


@torch.inference_mode()
def predict_batch(model: PreTrainedModel, batch: dict[str, NDArray[np.int64]]) -> NDArray[np.float32]:
    """Return the class probabilities of a padded batch; shape (batch, num_labels). Labels in it are ignored."""
    inputs = {name: torch.from_numpy(array).to(model.device) for name, array in batch.items() if name != "labels"}
    logits = model(**inputs).logits  # (batch, num_labels)
    return logits.float().softmax(-1).cpu().numpy()  # type: ignore[no-any-return]
