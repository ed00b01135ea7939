"""What other programs may import from retune; everything else may move without notice.

* `Classifier`: a saved model at work. `Classifier.load("data/report/model")(["It crashes."])`
* `Prediction`: what it says of a text: label, probability, and the probability of each label.
* `SetPrediction`: the same of a model of label sets: labels, and the probability of each.
* `NumberPrediction`: the same of a model of a number: number, low and high.
* `compare`: two revisions, with a verdict. `compare(Path(), "origin/main").verdict`
* `plan`: the stages that would run. `plan(Path(), overrides=["finetune.learning_rate=3e-5"])`

A name is imported when it is first used: `import retune` takes no time, and `compare` and `plan` never load torch.
"""

import importlib
import importlib.metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.commands.plan import plan_changes as plan
    from pipeline.comparison.compare import compare
    from stages.inference import Classifier, NumberPrediction, Prediction, SetPrediction

__all__ = ["Classifier", "NumberPrediction", "Prediction", "SetPrediction", "compare", "plan"]

PLACES = {  # public name -> where it is
    "Classifier": ("stages.inference", "Classifier"),
    "NumberPrediction": ("stages.inference", "NumberPrediction"),
    "Prediction": ("stages.inference", "Prediction"),
    "SetPrediction": ("stages.inference", "SetPrediction"),
    "compare": ("pipeline.comparison.compare", "compare"),
    "plan": ("pipeline.commands.plan", "plan_changes"),
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return importlib.metadata.version("retune")
    if name not in PLACES:
        raise AttributeError(f"module 'retune' has no attribute {name!r}; its names are {', '.join(__all__)}")
    module, attribute = PLACES[name]
    return getattr(importlib.import_module(module), attribute)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
