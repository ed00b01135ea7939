"""The pretrained encoder with a classification head: loaded, checked against the tokens, saved as a plain model."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification, PreTrainedModel
from transformers.utils import logging as transformers_logging

from stages.errors import ModelError
from stages.files import replace_folder
from stages.finetune.acceleration.head_input import evaluated
from stages.finetune.tokenizer_files import read_pad_token, save_tokenizer
from stages.messages import examples
from stages.model.encoder_decoders import read_last_end
from stages.model.heads import forget_task, start_head_anew
from stages.model.outputs import compute_errors
from stages.model.padding import choose_pad_token
from stages.model.positions import max_tokens, table_tokens
from stages.model.pretrained import read_config, read_weights
from stages.model_folder import check_model_folder, offline
from stages.tokens import Tokens

log = logging.getLogger(__name__)


def load_encoder(folder: Path, *, labels: Sequence[str], problem_type: str | None = None) -> PreTrainedModel:
    """Load the encoder with a new classification head for `labels`, in train mode.

    Args:
        folder: Of the pretrained encoder.
        labels: Names of the head's outputs.
        problem_type: As transformers names it; None: one of several classes.

    The head is the same whatever the folder has beside the encoder: a classifier of other classes or of the same, a
    language model, or nothing. None of it, nor the labels and the problem_type in config.json, is used.

    Raises:
        ModelError: transformers can't load the folder with a classification head.
    """
    fit = check_model_folder(folder, name=str(folder))
    random = torch.get_rng_state()
    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]  # it would report the new head as missing weights
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        with offline():
            names = {
                "id2label": dict(enumerate(labels)),
                "label2id": {label: index for index, label in enumerate(labels)},
            }
            config = read_config(folder, **names)
            forget_task(config)
            if problem_type is not None:
                vars(config)["problem_type"] = problem_type
            if getattr(config, "pad_token_id", None) is None:  # RoBERTa counts its positions from it
                config.pad_token_id = read_pad_token(folder)[1]
            # a head of other classes starts anew; the encoder has been checked
            loaded, _ = read_weights(AutoModelForSequenceClassification, folder, config, dtype=torch.float32)
            model: PreTrainedModel = loaded
    except (OSError, ValueError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ModelError(
            f"{folder}: transformers cannot load it with a classification head ({reason}). "
            "Set download.model.source to an encoder of a class that transformers has."
        ) from error
    torch.set_rng_state(random)  # so that the new head doesn't depend on what else transformers drew
    start_head_anew(model, fit)
    read_last_end(model)
    for line in fit.lines():
        log.info("%s", line)
    model.config.pad_token_id = choose_pad_token(model, *read_pad_token(folder))
    model.train()  # from_pretrained leaves it in eval mode, where Lightning would keep it: without dropout
    return model


def pad_token_id(model: PreTrainedModel) -> int:
    """Return the id of the padding token; a decoder without one is told to pad with its end-of-text token."""
    if model.config.pad_token_id is None:
        ends = model.config.eos_token_id
        model.config.pad_token_id = ends[0] if isinstance(ends, list) else ends or 0
    return int(model.config.pad_token_id)


def check_fit(model: PreTrainedModel, tokens: Tokens) -> None:
    """Check that the encoder has a position for every token, an embedding for every token id, and an end to read.

    Raises:
        ModelError: A row is longer than the encoder allows, or the rows were tokenized for another encoder, or the head
            of an encoder-decoder finds no end token in a row.
    """
    longest, positions = int(tokens.lengths.max()), max_tokens(model)
    if positions is not None and longest > positions:
        if table_tokens(model) is not None:
            raise ModelError(
                f"data/tokenize/tokens has a row of {longest} tokens, but the encoder reads {positions} at most. "
                f"Set tokenize.max_length to {positions} or less."
            )
        log.warning(
            "data/tokenize/tokens has a row of %d tokens, and config.json of the encoder names %d positions. It can "
            "read more, but may be poor at it: try whether tokenize.max_length %d does as well.",
            longest,
            positions,
            positions,
        )
    highest = max((int(chunk.max()) for chunk in tokens.input_ids if len(chunk)), default=0)
    embeddings: Any = model.get_input_embeddings()
    if highest >= len(embeddings.weight):
        raise ModelError(
            f"data/tokenize/tokens has token id {highest}, but the encoder embeds ids below {len(embeddings.weight)}. "
            "The tokenizer belongs to another model: set download.model.source to a folder with both."
        )
    config = model.config
    if config.is_encoder_decoder:
        if config.eos_token_id is None:
            raise ModelError(
                f"config.json of the encoder has no eos_token_id, the end token where {config.model_type} classifies. "
                "Correct config.json, or choose another model."
            )
        without = sum(config.eos_token_id not in tokens.row(row) for row in range(len(tokens.lengths)))
        if without:
            raise ModelError(
                f"{without} rows of data/tokenize/tokens have no end token (id {config.eos_token_id}), where "
                f"{config.model_type} classifies. Set download.model.source to a folder whose tokenizer adds it."
            )


@torch.no_grad()
def check_computes(model: PreTrainedModel, tokens: Tokens) -> None:
    """Check that the model computes the longest row beside the shortest: some architectures refuse what they can't.

    Raises:
        ModelError: It stops with an error of transformers or PyTorch, or the logits are not finite.
    """
    longest, shortest = tokens.lengths.argmax(), tokens.lengths.argmin()
    what = (
        f"{model.config.model_type} can't compute a row of {tokens.lengths.max()} tokens beside one of "
        f"{tokens.lengths.min()}"
    )
    advice = "Correct config.json, lower tokenize.max_length, or choose another model."
    with compute_errors(what, advice=advice), evaluated(model):
        logits, alone = _logits(model, tokens, [longest, shortest]), _logits(model, tokens, [shortest])
    if not logits.isfinite().all():
        broken = [name for name, weight in model.named_parameters() if not weight.isfinite().all()]
        what = f"has weights that are not finite numbers ({examples(broken)})" if broken else "gives no finite numbers"
        raise ModelError(f"data/download/model {what}. Fetch or save the model again, or choose another.")
    if not torch.allclose(logits[1], alone[0], atol=1e-5 * max(1.0, float(alone.abs().max())), rtol=0):
        log.warning(
            "the output of %s depends on the padding. retune therefore batches only texts of equal length; with "
            "transformers' pipeline use batch_size=1.",
            model.config.model_type,
        )


def _logits(model: PreTrainedModel, tokens: Tokens, rows: Sequence[Any]) -> torch.Tensor:
    """Return the logits of some rows in one batch, (rows, classes)."""
    batch = tokens.pad(np.array(rows), pad_token_id=pad_token_id(model))
    logits: torch.Tensor = model(
        **{name: torch.from_numpy(values) for name, values in batch.items() if name != "labels"}
    ).logits
    return logits


def save_model(model: PreTrainedModel, folder: Path, *, encoder: Path) -> None:
    """Save weights, config and the encoder's tokenizer files: `transformers.pipeline` loads the folder."""
    with replace_folder(folder) as temporary:
        model.save_pretrained(temporary)
        for weights in temporary.glob(
            "*.safetensors"
        ):  # safetensors lets only their owner read them, whatever the umask
            weights.chmod((temporary / "config.json").stat().st_mode)
        save_tokenizer(model, temporary, encoder=encoder)
