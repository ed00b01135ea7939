"""Results of a single seed, made from labels and probabilities."""

import numpy as np
import pandas as pd

from stages.predictions import Predictions
from stages.report.results import Results, SeedResult


def make_results(labels: np.ndarray, probabilities: np.ndarray, threshold: float | None = None) -> Results:
    """Return results whose test rows have these labels (rows,) and probabilities (rows, num_labels); val is empty."""
    num_labels = probabilities.shape[1]
    rows = len(labels)
    test = Predictions(np.arange(rows), [f"r{row}" for row in range(rows)], labels, probabilities.astype(np.float32))
    val = Predictions(np.arange(0), [], labels[:0], test.probabilities[:0])
    seed = SeedResult(
        seed=1,
        metrics={"val": {}, "test": {}},
        temperature=1.0,
        threshold=threshold,
        predictions={"val": val, "test": test},
        curve=pd.DataFrame({"epoch": [1]}),
        best_epoch=1,
    )
    return Results([f"class {index}" for index in range(num_labels)], False, [seed], seed)
