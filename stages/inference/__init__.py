"""A saved model at work; `from retune import Classifier` is its public name."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stages.inference.classes import Prediction
    from stages.inference.classifier import Classifier
    from stages.inference.label_set import SetPrediction
    from stages.inference.number import NumberPrediction

__all__ = ["Classifier", "NumberPrediction", "Prediction", "SetPrediction"]


def __getattr__(name: str) -> Any:
    """Import the classifier when it is first used, so that `stages.inference.loading` needs no tokenizer."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from stages.inference import classifier

    return getattr(classifier, name)
