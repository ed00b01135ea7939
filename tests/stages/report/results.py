"""Results of a single seed, made from labels and probabilities."""

import numpy as np
import pandas as pd

from stages.evaluate.rule import decide
from stages.metrics.rule import DecisionRule
from stages.predictions import Predictions
from stages.report.results import Results, SeedResult

ARGMAX = DecisionRule()


def make_results(labels: np.ndarray, probabilities: np.ndarray, rule: DecisionRule = ARGMAX) -> Results:
    """Return results whose test rows have these labels (rows,) and probabilities (rows, num_labels); val is empty."""
    num_labels = probabilities.shape[1]
    rows = len(labels)
    test = Predictions(np.arange(rows), [f"r{row}" for row in range(rows)], labels, probabilities.astype(np.float32))
    val = Predictions(np.arange(0), [], labels[:0], test.probabilities[:0])
    seed = SeedResult(
        seed=1,
        metrics={"val": {}, "test": {}},
        rule=rule,
        trial=None,
        predictions={"val": val, "test": decide(test, rule)},
        curve=pd.DataFrame({"epoch": [1]}),
        kept="epoch 1",
    )
    return Results([f"class {index}" for index in range(num_labels)], "macro_f1", [seed], seed)
