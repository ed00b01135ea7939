"""A fine-tuned model at work: texts in, labels with calibrated probabilities (or sentence embeddings) out.

Example:
    >>> from stages.inference.classifier import Classifier
    >>> classifier = Classifier.load("data/report/model")
    >>> classifier(["It crashes whenever I open it."])
    [Prediction(label='1', probability=0.87, probabilities={'1': 0.87, '2': 0.09, ...})]
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from transformers import PreTrainedModel

from stages.errors import ModelError
from stages.inference.decision import Calibration, read_calibration
from stages.inference.loading import inputs_of, load_model, logits_of
from stages.model.layers import first_token
from stages.texts import check_texts, windows
from stages.tokenizer import encode, open_tokenizer
from stages.tokens import BATCH_TOKENS, Batch, batches_by_tokens


@dataclass(frozen=True)
class Prediction:
    """What the model says of one text.

    Args:
        label: The label: by the tuned threshold where the model has one, else the most probable.
        probability: Calibrated probability of `label` (0 to 1).
        probabilities: Calibrated probability of every label, in class order; they sum to 1.
    """

    label: str
    probability: float
    probabilities: dict[str, float]


class Classifier:
    """A saved text classifier; `Classifier.load(folder)` makes one.

    Args:
        model: In eval mode, from `load_model`.
        tokenizer: Its tokenizer, from `open_tokenizer`.
        calibration: Temperature, threshold, and how texts that are too long are cut.

    Attributes:
        labels: Label names in class order.
        max_length: Tokens of a text that the model reads, special ones included.
        hidden_size: Numbers in an embedding.
        rows_cut: How many texts were longer and were cut, so far.
    """

    def __init__(self, model: PreTrainedModel, tokenizer: Tokenizer, calibration: Calibration) -> None:
        self.labels = _labels(model)
        self.max_length = calibration.max_length
        self.hidden_size = int(model.config.hidden_size)
        self.rows_cut = 0
        self._model = model
        self._tokenizer = tokenizer
        self._calibration = calibration

    @classmethod
    def load(cls, folder: str | Path = "data/report/model") -> "Classifier":
        """Load a model folder, on the GPU where there is one.

        Args:
            folder: What `save_pretrained` wrote, with tokenizer.json. The temperature and the threshold of its
                calibration.json are applied, where it has one.

        Raises:
            ModelError: The folder is missing, is not safe to load, or holds no classifier.
        """
        folder = Path(folder)
        model = load_model(folder)
        labels = _labels(model)
        if len(labels) < 2 or model.config.problem_type == "multi_label_classification":
            raise ModelError(
                f"{folder}/config.json: the model does not choose one of several labels. Use one that does."
            )
        opened = open_tokenizer(folder)
        calibration = read_calibration(folder, labels=labels, longest=_longest(opened.max_length, model))
        return cls(model, opened.tokenizer, calibration)

    def __call__(self, texts: Sequence[str], text_pairs: Sequence[str] | None = None) -> list[Prediction]:
        """Classify texts.

        Args:
            texts: Any number; one that is longer than the model reads is cut, as in training.
            text_pairs: The second text of each, for a model of pairs.

        Returns:
            A prediction per text, in their order.

        Raises:
            DataError: A text is empty or is no text.
        """
        probabilities = self.probabilities(texts, text_pairs)
        return [
            Prediction(self.labels[index], float(row[index]), dict(zip(self.labels, row.tolist(), strict=True)))
            for index, row in zip(self.decide(probabilities), probabilities, strict=True)
        ]

    def probabilities(self, texts: Sequence[str], text_pairs: Sequence[str] | None = None) -> NDArray[np.float32]:
        """Return the calibrated probability of each label; shape (rows, num_labels). Arguments as for a call."""
        with first_token(self._model):
            return self._compute(texts, text_pairs, self._classify, width=len(self.labels))

    def decide(self, probabilities: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return the index of each row's label: the threshold applied where the model has one; shape (rows,)."""
        return self._calibration.decide(probabilities, self.labels)

    def embed(self, texts: Sequence[str], text_pairs: Sequence[str] | None = None) -> NDArray[np.float32]:
        """Return sentence embeddings of the tuned encoder; shape (rows, hidden_size). Arguments as for a call.

        An embedding is the mean of the last layer over the text's tokens, special ones included. It is not
        normalised: compare by cosine.

        Source: mean pooling, Reimers and Gurevych, Sentence-BERT (2019), section 3.
        """
        return self._compute(texts, text_pairs, self._pool, width=self.hidden_size)

    def _compute(
        self,
        texts: Sequence[str],
        text_pairs: Sequence[str] | None,
        forward: Callable[[Batch], NDArray[np.float32]],
        *,
        width: int,
    ) -> NDArray[np.float32]:
        check_texts(texts, text_pairs)
        inputs: Sequence[Any] = texts if text_pairs is None else list(zip(texts, text_pairs, strict=True))
        result = np.empty((len(inputs), width), dtype=np.float32)
        for part in windows(inputs):
            result[part] = self._compute_window(inputs[part], forward, pairs=text_pairs is not None, width=width)
        if not np.isfinite(result).all():
            raise ModelError(
                "The model answers with numbers that are not finite: its weights are damaged. Train it again."
            )
        return result

    def _compute_window(
        self, window: Sequence[Any], forward: Callable[[Batch], NDArray[np.float32]], *, pairs: bool, width: int
    ) -> NDArray[np.float32]:
        """Equal texts once, rows of like length together, hardly any padding."""
        distinct = {text: number for number, text in enumerate(dict.fromkeys(window))}
        inverse = np.fromiter((distinct[text] for text in window), dtype=np.int64, count=len(window))
        tokens, cut = encode(
            self._tokenizer,
            list(distinct),
            pairs=pairs,
            max_length=self.max_length,
            truncation=self._calibration.truncation,
        )
        self.rows_cut += int((cut[inverse] > 0).sum())
        values = np.empty((len(distinct), width), dtype=np.float32)
        for indices in batches_by_tokens(tokens.lengths, BATCH_TOKENS[self._model.device.type]):
            values[indices] = forward(tokens.pad(indices, pad_token_id=self._model.config.pad_token_id or 0))
        return values[inverse]  # (window rows, width)

    def _classify(self, batch: Batch) -> NDArray[np.float32]:
        logits = logits_of(self._model, batch) / self._calibration.temperature  # (batch, num_labels)
        return logits.softmax(-1).cpu().numpy()

    @torch.inference_mode()
    def _pool(self, batch: Batch) -> NDArray[np.float32]:
        inputs = inputs_of(self._model, batch)
        hidden = self._model.base_model(**inputs).last_hidden_state.float()  # (batch, tokens, hidden)
        mask = inputs["attention_mask"].unsqueeze(-1).float()  # (batch, tokens, 1)
        mean: NDArray[np.float32] = ((hidden * mask).sum(1) / mask.sum(1)).cpu().numpy()
        return mean


def _labels(model: PreTrainedModel) -> list[str]:
    names: dict[Any, Any] = model.config.id2label or {}
    return [str(names[index]) for index in range(int(model.config.num_labels or 0))]


def _longest(limit: int | None, model: PreTrainedModel) -> int:
    """Tokens that the model reads at most: the tokenizer's limit or the model's positions, whichever is less."""
    positions = getattr(model.config, "max_position_embeddings", None)
    if positions and model.config.model_type in ("roberta", "xlm-roberta", "camembert"):
        positions -= int(model.config.pad_token_id) + 1  # their positions start after the padding's
    return min((int(value) for value in (limit, positions) if value), default=512)
