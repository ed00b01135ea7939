"""What predictions need of a model. `stages.inference.Classifier` has it, and only the command imports that."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class TextModel(Protocol):
    """A saved classifier; `stages.inference.classifier.Classifier` describes its methods."""

    max_length: int
    hidden_size: int
    rows_cut: int

    def columns(
        self, texts: Sequence[str], text_pairs: Sequence[str] | None = None, *, every_label: bool = False
    ) -> dict[str, Any]:
        """Predictions as columns by name, of numpy or Arrow; shape (rows,) each."""

    def embed(self, texts: Sequence[str], text_pairs: Sequence[str] | None = None) -> NDArray[np.float32]:
        """Sentence embeddings; shape (rows, hidden_size)."""


Load = Callable[[Path], TextModel]  # a model's folder -> the model; called when the input is open
