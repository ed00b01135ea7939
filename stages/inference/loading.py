"""Loads a saved model folder after checking that it is safe, and computes the probabilities of rows.

It reads weights as safetensors alone, uses no network, and runs no code that comes with a model.
"""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from transformers import AutoModelForSequenceClassification, PreTrainedModel
from transformers.utils import logging as transformers_logging

from stages.errors import ModelError
from stages.inference.computing import RowComputer
from stages.inference.forward import logits_of
from stages.kept.store import RowStore
from stages.model.bf16 import bf16_units, multiplies_in_bf16, multiply_in_bf16
from stages.model.encoder_decoders import read_last_end
from stages.model.heads import load_retune_head
from stages.model.layers import first_token
from stages.model.outputs import compute_errors
from stages.model.packed import attend_packed, can_pack, gpu_can_pack
from stages.model.padding import padding_side
from stages.model.positions import position_limit, table_tokens
from stages.model.pretrained import read_config, read_weights
from stages.model_config import check_labels, read_object
from stages.model_files import is_present, other_safetensors
from stages.model_folder import check_model_folder, offline
from stages.schema_types import InferencePrecision
from stages.targets.answers import ANSWERS, kind_of
from stages.tokens import Tokens

WEIGHTS = ("model.safetensors", "model.safetensors.index.json")  # one file, or the index of several
MOST_TRIED = 10_000  # tokens of a text that a model is tried with: the memory for attention grows with the square
PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl", "*.h5", "*.msgpack")


def load_model(folder: Path, *, precision: InferencePrecision = "auto") -> PreTrainedModel:
    """Load a fine-tuned classifier for prediction, on the GPU if there is one: there in bf16, and for packed rows.

    Args:
        folder: A folder of `save_pretrained`: config.json and model.safetensors.
        precision: As in `placed`.

    Raises:
        ModelError: A file or a weight is missing, the weights are pickled, or the folder asks to run its own code.
    """
    _require_files(folder)
    check_labels(read_object(folder / "config.json", str(folder)), str(folder))
    check_model_folder(folder, name=str(folder))
    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]  # missing weights are reported below
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        with offline():
            if (with_head := load_retune_head(folder)) is not None:
                return placed(with_head, precision)
            # weights saved in 16 bits too: `placed` decides what is computed in 16 bits
            model, report = read_weights(
                AutoModelForSequenceClassification, folder, read_config(folder), dtype=torch.float32
            )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelError(f"{folder} can't be loaded as a text classifier: {reason}") from error
    for key, stored, expected in sorted(report["mismatched_keys"]):
        raise ModelError(
            f"{folder}: {key} has the shape {list(stored)} in model.safetensors, but {list(expected)} by config.json. "
            "The two files belong to different models. Fetch or save the model again."
        )
    if report["missing_keys"]:
        missing = ", ".join(sorted(report["missing_keys"])[:3])
        raise ModelError(f"{folder}/model.safetensors lacks weights ({missing}). Fine-tune the model first.")
    return placed(model.eval(), precision)


def placed(model: PreTrainedModel, precision: InferencePrecision = "auto") -> PreTrainedModel:
    """Make a model ready to answer: on the GPU, where there is one, in bf16, and for packed rows, where it can.

    Args:
        model: In float32 and in eval mode.
        precision: `auto` computes in bf16 where the GPU or the CPU has units for it, but no number; `32`: nowhere.

    Raises:
        ValueError: Another precision.
    """
    if precision not in ("auto", "32"):
        raise ValueError(f"precision is {precision!r}. Give 'auto' or '32'.")
    read_last_end(model)
    bf16 = precision == "auto" and ANSWERS[kind_of(model.config)].HALF_PRECISION
    if not torch.cuda.is_available():
        if bf16 and bf16_units():
            multiply_in_bf16(model)
        return model
    bf16 = bf16 and torch.cuda.is_bf16_supported(including_emulation=False)
    model.to("cuda", torch.bfloat16 if bf16 else torch.float32)  # type: ignore[arg-type]
    if bf16 and gpu_can_pack() and can_pack(model):
        attend_packed(model)
    return model


def check_computes(model: PreTrainedModel, tokens: Tokens, *, max_length: int) -> None:
    """Check that a model computes a text, and a text with more tokens than its config.json names, if it may get one.

    CTRL, GPT-J and MPT compute their positions, and as many as the config names; others compute as many as they need.

    Args:
        model: From `load_model`.
        tokens: Their first row is the text.
        max_length: Tokens that a text may have.

    Raises:
        ModelError: It does not.
    """
    what = f"{model.config.model_type} can't compute a text"
    with compute_errors(what, advice="Correct config.json, or use another model."):
        logits_of(model, tokens.pad([0], pad_token_id=0))
    limit = position_limit(model.config)
    if table_tokens(model) is None and limit is not None and limit < min(max_length, MOST_TRIED):
        row = {name: np.resize(values, (1, limit + 1)) for name, values in tokens.pad([0], pad_token_id=0).items()}
        advice = f"Give calibration.json a max_length of at most {limit}, or leave it out there."
        with compute_errors(f"{what} of {limit + 1} tokens", advice=advice):
            logits_of(model, row)


def precision_of(model: PreTrainedModel) -> str:
    """Return in what a model from `load_model` multiplies: `bf16` or `32`."""
    return "bf16" if model.dtype == torch.bfloat16 or multiplies_in_bf16(model) else "32"


def _require_files(folder: Path) -> None:
    if not folder.is_dir():
        raise ModelError(f"{folder} does not exist. Make the model with: retune run (or dvc repro, or dvc pull)")
    if not is_present(folder / "config.json", str(folder)):
        raise ModelError(f"{folder}/config.json is missing. Make the model with: dvc repro (or dvc pull)")
    if not any(is_present(folder / name, str(folder)) for name in WEIGHTS):
        if (other := other_safetensors(path.name for path in folder.iterdir())) is not None:
            raise ModelError(f"{folder} has no model.safetensors, but {other}. Rename it model.safetensors.")
        pickled = sorted(path.name for pattern in PICKLED for path in folder.glob(pattern))
        if pickled:
            raise ModelError(
                f"{folder} has only pickled weights ({pickled[0]}), and reading a pickle can run any code. "
                "Use a model with safetensors, or ask its author for them."
            )
        raise ModelError(f"{folder}/model.safetensors is missing. Make the model with: dvc repro (or dvc pull)")


def predict_tokens(
    model: PreTrainedModel, tokens: Tokens, positions: NDArray[np.int64], *, computer: RowComputer | None = None
) -> NDArray[np.float32]:
    """Return the model's answers for some rows, in their order; rows with the same tokens are computed once.

    Args:
        model: From `load_model`.
        tokens: The tokens of all rows.
        positions: Positions of the rows in the tokens; shape (rows,).
        computer: From `logits_computer`; None: a new one, which keeps nothing.

    Returns:
        The probabilities of the classes, or what else the kind of target has; shape (rows, outputs).
    """
    tokens = dataclasses.replace(tokens, padding_side=padding_side(model.config))
    with first_token(model):
        logits = (computer or logits_computer(model)).compute(
            tokens, positions, width=int(model.config.num_labels or 0)
        )
    return answers_of(model, logits)


def label_names(model: PreTrainedModel) -> list[str]:
    """Return the names of a model's outputs, in their order."""
    names: dict[Any, Any] = model.config.id2label or {}
    return [str(names[index]) for index in range(int(model.config.num_labels or 0))]


def logits_computer(model: PreTrainedModel, *, store: RowStore | None = None) -> RowComputer:
    """Return what computes a model's logits, to be used within `first_token`; with a store, each row once for all."""
    return RowComputer(model, logits_of, "logits", store=store)


def answers_of(model: PreTrainedModel, logits: NDArray[np.float32], *, temperature: float = 1.0) -> NDArray[np.float32]:
    """Return the answers to rows from their logits, (rows, outputs) both."""
    answers = ANSWERS[kind_of(model.config)].answers(torch.from_numpy(logits), temperature=temperature)
    return np.asarray(answers.numpy())
