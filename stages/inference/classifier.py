"""Classifies texts with a saved model: labels with calibrated probabilities, numbers, or sentence embeddings.

Example:
    >>> from retune import Classifier
    >>> classifier = Classifier.load("data/report/model")
    >>> classifier(["It crashes whenever I open it."])
    [Prediction(label='1', probability=0.87, probabilities={'1': 0.87, '2': 0.09, ...})]
"""

import dataclasses
import logging
import threading
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from transformers import PreTrainedModel

from stages.data_format import read_data_format
from stages.errors import ModelError
from stages.inference.classes import Prediction
from stages.inference.computing import RowComputer, check_finite
from stages.inference.decision import CALIBRATION_FILE, Calibration, read_calibration
from stages.inference.forward import embeddings_of
from stages.inference.kinds import PREDICTORS
from stages.inference.label_set import SetPrediction
from stages.inference.loading import answers_of, check_computes, label_names, load_model, logits_computer
from stages.inference.number import NumberPrediction
from stages.inference.tokenizer import fit_tokenizer, longest_text, open_auto_tokenizer
from stages.kept.store import RowStore
from stages.model.layers import first_token
from stages.model.packed import padded
from stages.model.padding import padding_side
from stages.model.positions import table_tokens
from stages.schema_types import InferencePrecision
from stages.targets.answers import is_known, kind_of
from stages.texts import check_texts, windows
from stages.tokenizer import ModelTokenizer, encode
from stages.tokenizer_check import check_embedded
from stages.tokens import Tokens

log = logging.getLogger(__name__)


class Classifier:
    """A saved text classifier; `Classifier.load(folder)` makes one.

    Threads may share it: one call is computed after the other, each on all cores.

    Args:
        model: In eval mode, from `load_model`.
        tokenizer: Its tokenizer, from `open_auto_tokenizer`.
        calibration: Temperature, threshold, and how texts that are too long are cut.
        store: Where results are kept by the tokens of their text; None: nowhere. With one, the last bits of a result do
            not depend on the texts beside it; a few texts then take longer.
        of_pairs: Was it trained on pairs of texts? It then refuses single texts, and else pairs. None: nobody knows.

    Attributes:
        labels: Label names in class order.
        max_length: Tokens of a text that the model reads at most, special tokens included.
        hidden_size: Numbers in an embedding.
        rows_cut: How many texts have been cut to `max_length` so far.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: ModelTokenizer,
        calibration: Calibration,
        *,
        store: RowStore | None = None,
        of_pairs: bool | None = None,
    ) -> None:
        self.labels = label_names(model)
        self.max_length = calibration.max_length
        self.hidden_size = int(model.config.hidden_size)
        self.rows_cut = 0
        self._model = model
        self._tokenizer = tokenizer
        self._calibration = calibration
        self._store = store
        self._of_pairs = of_pairs
        self._turn = threading.Lock()  # a call changes the model for its time
        check_computes(model, self._encode(["a"], pairs=False)[0], max_length=self.max_length)

    @classmethod
    def load(
        cls,
        folder: str | Path = "data/report/model",
        *,
        store: RowStore | None = None,
        precision: InferencePrecision = "auto",
    ) -> "Classifier":
        """Load a model folder, on the GPU if there is one.

        Args:
            folder: A folder of `save_pretrained` with tokenizer.json. If it has a calibration.json, the temperature
                and the threshold of that file are applied.
            store: Where results are kept by the tokens of their text, so that none is computed twice; None: nowhere.
                With one, a result's last bits do not depend on the texts beside it, and a few texts take longer.
            precision: `auto` computes in bf16 where the GPU or the CPU has units for it, but no number; `32`: nowhere.

        Raises:
            ModelError: The folder is missing, is not safe to load, or is not a classifier's.
        """
        folder = Path(folder)
        model = load_model(folder, precision=precision)
        labels = label_names(model)
        predictor = PREDICTORS[kind_of(model.config)]
        if problem := predictor.misfit(len(labels) if is_known(model.config) else 0):
            raise ModelError(f"{folder}/config.json: {problem}")
        opened = fit_tokenizer(open_auto_tokenizer(folder), model, str(folder))
        longest = longest_text(opened.max_length, model)
        calibration = read_calibration(folder, labels=labels, longest=longest, most=table_tokens(model))
        data_format = read_data_format(folder)
        if data_format and not (folder / CALIBRATION_FILE).exists():
            log.warning("%s has no %s, so its answers differ from those of the run", folder, CALIBRATION_FILE)
        return cls(model, opened, calibration, store=store, of_pairs=data_format.of_pairs if data_format else None)

    def __call__(
        self, texts: Sequence[str], text_pairs: Sequence[str] | None = None
    ) -> Sequence[Prediction | SetPrediction | NumberPrediction]:
        """Classify texts, or give the number of each.

        Args:
            texts: Any number of texts; longer texts than the model reads are cut, as in training.
            text_pairs: The second text of each pair; a model of pairs needs them, and another takes none.

        Returns:
            A prediction per text, in their order: `Prediction` of classes, `SetPrediction` of label sets,
            `NumberPrediction` of a number.

        Raises:
            DataError: A text is empty or not a string, or the model was trained on pairs and these are none (or not).
        """
        return PREDICTORS[kind_of(self._model.config)].predictions(
            self._answer(texts, text_pairs), self.labels, self._calibration
        )

    def columns(
        self,
        texts: Sequence[str],
        text_pairs: Sequence[str] | None = None,
        *,
        every_label: bool = False,
        uncertainty: bool = False,
    ) -> dict[str, Any]:
        """Return predictions as columns by name, (rows,) each: those that `retune predict` adds to a file.

        They are numpy's, and of label sets an Arrow array of lists.

        Args:
            texts: As for a call.
            text_pairs: As for a call.
            every_label: Of classes, add the probability of every label.
            uncertainty: Add how close the decision is, from 0 (certain) to 1, as `retune suggest` does.

        Raises:
            ModelError: `uncertainty` of a model of a number, which does not tell.
        """
        predictor = PREDICTORS[kind_of(self._model.config)]
        answers = self._answer(texts, text_pairs)
        columns = predictor.columns(answers, self.labels, self._calibration, every_label=every_label)
        if uncertainty:
            columns["uncertainty"] = predictor.uncertainty(answers, self.labels, self._calibration)
        return columns

    def probabilities(self, texts: Sequence[str], text_pairs: Sequence[str] | None = None) -> NDArray[np.float32]:
        """Return the calibrated probability of each label; shape (rows, num_labels). Arguments as for a call.

        Raises:
            ModelError: The model gives a number, which has no probability.
        """
        if PREDICTORS[kind_of(self._model.config)] is PREDICTORS["number"]:
            raise ModelError("The model gives a number, which has no probability. Call the classifier itself.")
        return self._answer(texts, text_pairs)

    def decide(self, probabilities: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return the index of each row's label, by the threshold if the model has one; shape (rows,).

        Raises:
            ModelError: The model is not of classes.
        """
        if PREDICTORS[kind_of(self._model.config)] is not PREDICTORS["classes"]:
            raise ModelError("The model does not choose one label of several. Call the classifier itself.")
        return self._calibration.decide(probabilities, self.labels)

    def embed(self, texts: Sequence[str], text_pairs: Sequence[str] | None = None) -> NDArray[np.float32]:
        """Return sentence embeddings of the fine-tuned encoder; shape (rows, hidden_size). Arguments as for a call.

        An embedding is the mean of the last layer over the text's tokens, special tokens included; where config.json
        has retune_head.pooling, that vector, which the head reads. It is not normalised: compare embeddings by cosine.

        Source: mean pooling, Reimers and Gurevych, Sentence-BERT (2019), section 3.
        """
        with self._turn, padded(self._model):
            return self._compute(texts, text_pairs, self._embeddings, width=self.hidden_size)

    def _answer(self, texts: Sequence[str], text_pairs: Sequence[str] | None) -> NDArray[np.float32]:
        with self._turn, first_token(self._model):
            logits = self._compute(texts, text_pairs, self._logits, width=len(self.labels))
        return answers_of(self._model, logits, temperature=self._calibration.temperature)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_turn"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _turn=threading.Lock())

    @cached_property
    def _logits(self) -> RowComputer:
        return logits_computer(self._model, store=self._store)

    @cached_property
    def _embeddings(self) -> RowComputer:
        return RowComputer(self._model, embeddings_of, "embeddings", store=self._store)

    def _compute(
        self, texts: Sequence[str], text_pairs: Sequence[str] | None, computer: RowComputer, *, width: int
    ) -> NDArray[np.float32]:
        check_texts(texts, text_pairs, of_pairs=self._of_pairs)
        inputs: Sequence[Any] = texts if text_pairs is None else list(zip(texts, text_pairs, strict=True))
        result = np.empty((len(inputs), width), dtype=np.float32)
        for part in windows(inputs):
            result[part] = self._compute_window(inputs[part], computer, pairs=text_pairs is not None, width=width)
        check_finite(result)
        return result

    def _compute_window(
        self, window: Sequence[Any], computer: RowComputer, *, pairs: bool, width: int
    ) -> NDArray[np.float32]:
        """Compute equal texts once; shape (window rows, width)."""
        distinct = {text: number for number, text in enumerate(dict.fromkeys(window))}
        inverse = np.fromiter((distinct[text] for text in window), dtype=np.int64, count=len(window))
        tokens, cut = self._encode(list(distinct), pairs=pairs)
        self.rows_cut += int((cut[inverse] > 0).sum())
        values = computer.compute(tokens, np.arange(len(distinct)), width=width)
        return values[inverse]

    def _encode(self, texts: Sequence[Any], *, pairs: bool) -> tuple[Tokens, NDArray[np.int64]]:
        truncation = self._calibration.truncation
        tokens, cut = encode(self._tokenizer, texts, pairs=pairs, max_length=self.max_length, truncation=truncation)
        embeddings: Any = self._model.get_input_embeddings()
        highest = int(tokens.input_ids[0].max(initial=0))
        check_embedded(highest, len(embeddings.weight), "the model", tokenizer=self._tokenizer.tokenizer)
        return dataclasses.replace(tokens, padding_side=padding_side(self._model.config)), cut
