"""The saved folder of a fine-tuned model, asked in every way, beside plain transformers with one text at a time."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray
from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline

from stages.inference import Classifier
from stages.inference.forward import logits_of
from stages.inference.loading import load_model, predict_tokens
from stages.model.layers import first_token
from stages.model.packed import attend_packed, can_pack
from stages.paths import Paths
from stages.tokens import open_tokens

LABELS = ["bad", "fair", "good"]
SEED = 1
TOLERANCE = 1e-5  # between log probabilities; of embeddings, relative to the largest number
LEAST_SPREAD = 1e-3  # between the log probabilities of different texts: a model that answers the same shows nothing
Values = NDArray[np.float64]


def _rows_of(paths: Paths) -> tuple[list[Any], bool]:
    table = pq.read_table(paths.rows)
    texts, seconds = (table.column(name).to_pylist() for name in ("text", "text_pair"))
    pairs = seconds[0] is not None
    return (list(zip(texts, seconds, strict=True)) if pairs else texts), pairs


@torch.inference_mode()
def _plain(paths: Paths) -> tuple[Any, Any, Values]:
    """Return plain transformers' tokenizer and model, and their log probabilities, one text at a time."""
    folder = paths.finetuned(SEED)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    texts, pairs = _rows_of(paths)
    logits = []
    for text in texts:
        encoded = tokenizer(*text if pairs else [text], truncation=True, return_tensors="pt")
        logits.append(model(**encoded).logits[0])
    return tokenizer, model, torch.stack(logits).double().log_softmax(-1).numpy()


def same_answers(paths: Paths, *, padding_counts: bool) -> str | None:
    """Return which way to ask the saved model gives another answer than plain transformers, and by how much."""
    tokenizer, model, expected = _plain(paths)
    texts, pairs = _rows_of(paths)
    if not np.isfinite(expected).all():
        return "plain transformers answers NaN"
    if np.ptp(expected, axis=0).max() < LEAST_SPREAD:
        return "the same answer for every text"
    columns: Any = list(zip(*texts, strict=True)) if pairs else [texts]
    classifier = Classifier.load(paths.finetuned(SEED))

    def alone() -> Values:
        return np.concatenate(
            [classifier.probabilities(*([part] for part in row)) for row in zip(*columns, strict=True)]
        )

    def in_pipeline(batch_size: int) -> Values:
        pipe = pipeline("text-classification", model=model, tokenizer=tokenizer, device="cpu", top_k=None)
        asked = [{"text": text[0], "text_pair": text[1]} for text in texts] if pairs else texts
        answers = pipe(asked, batch_size=batch_size, truncation=True, function_to_apply="softmax")
        scores = [{answer["label"]: answer["score"] for answer in row} for row in answers]
        return np.array([[row[label] for label in LABELS] for row in scores])

    def of_tokens() -> Values:
        loaded = load_model(paths.finetuned(SEED))
        return predict_tokens(loaded, open_tokens(paths.tokens), np.arange(len(texts)))

    ways: dict[str, Callable[[], Values]] = {
        "Classifier, one text": alone,
        "Classifier, all texts": lambda: classifier.probabilities(*map(list, columns)),
        "evaluate": of_tokens,
        "pipeline": lambda: in_pipeline(1),
    }
    in_batches = {"pipeline, batches of 2": lambda: in_pipeline(2)}
    if not padding_counts:
        return _differences(ways | in_batches, expected)
    if _differences(in_batches, expected) is None:
        return "padding does not change the answers of transformers: this is no architecture that is right alone"
    return _differences(ways, expected)


def _differences(ways: dict[str, Callable[[], Values]], expected: Values) -> str | None:
    faults = []
    for way, answers in ways.items():
        try:
            difference = float(np.abs(np.log(answers()) - expected).max())
        except Exception as error:  # noqa: BLE001  # of any class: the table names it
            faults.append(f"{way}: {type(error).__name__}: {' '.join(str(error).split())[:120]}")
            continue
        if not difference <= TOLERANCE:
            faults.append(f"{way}: differs by {difference:.1g}")
    return "; ".join(faults) or None


@torch.inference_mode()
def same_embeddings(paths: Paths) -> str | None:
    """Return what is wrong with embeddings: others in a batch, or not the mean of plain transformers' last layer."""
    texts, _ = _rows_of(paths)
    classifier = Classifier.load(paths.finetuned(SEED))
    together, alone = classifier.embed(texts), np.concatenate([classifier.embed([text]) for text in texts])
    scale = max(1.0, float(np.abs(alone).max()))
    if (difference := float(np.abs(together - alone).max())) > TOLERANCE * scale:
        return f"an embedding differs by {difference:.1g} in a batch"
    tokenizer, model, _ = _plain(paths)
    if model.config.is_encoder_decoder:
        return None
    means = [
        model.base_model(**tokenizer(text, truncation=True, return_tensors="pt")).last_hidden_state[0].mean(0).numpy()
        for text in texts
    ]
    if (difference := float(np.abs(np.stack(means) - alone).max())) > TOLERANCE * scale:
        return f"an embedding differs by {difference:.1g} from the mean of transformers' last layer"
    return None


def packs(paths: Paths) -> bool:
    """Return whether rows are packed on a GPU."""
    return can_pack(load_model(paths.finetuned(SEED)))


@torch.inference_mode()
def same_packed(paths: Paths) -> str | None:
    """Compare packed and padded forward passes on this CPU; on a GPU the same batches go to a kernel of its own."""
    model = load_model(paths.finetuned(SEED))
    tokens = open_tokens(paths.tokens)
    batch = tokens.pad(np.arange(len(tokens)), pad_token_id=int(model.config.pad_token_id or 0))
    expected = logits_of(model, batch).log_softmax(-1)
    attend_packed(model)
    with first_token(model):
        difference = float((logits_of(model, batch).log_softmax(-1) - expected).abs().max())
    return None if difference <= TOLERANCE else f"packed rows differ by {difference:.1g}"
