"""Small values for the tests of a comparison: predictions, rows of metrics, a whole comparison."""

import numpy as np
import pyarrow as pa

from pipeline.comparison.changes import Changes, DataChange
from pipeline.comparison.flips import FlipCount, FlippedRow, Flips
from pipeline.comparison.gate import RuleResult
from pipeline.comparison.metric_row import MetricRow
from pipeline.comparison.paired_rows import PairedRows, pair_by_id
from pipeline.comparison.result import Comparison, Cost
from pipeline.comparison.seed_predictions import SeedPredictions
from pipeline.comparison.targets.classes import NAMES
from stages.targets.target import Target


def predictions(
    ids: list[str],
    labels: list[int],
    probabilities: list[list[float]],
    *,
    seed: int = 1,
    tokens: list[int] | None = None,
) -> SeedPredictions:
    """Predictions of one seed."""
    values = {seed: np.array(probabilities, dtype=np.float32)}
    return SeedPredictions(pa.array(ids), np.array(labels), values, None if tokens is None else np.array(tokens))


def paired(base: SeedPredictions, head: SeedPredictions, names: list[str] | None = None) -> PairedRows:
    """The rows that both have."""
    pairs = pair_by_id(base, head, Target("classes", names or ["no", "yes"]))
    assert pairs is not None
    return pairs


def comparison(text: str, *, many: int = 1) -> Comparison:
    """A comparison in which everything that is not ours is `text`; `many` parameters, files, classes and stages."""
    names = [f"{text} {number}" for number in range(many)]
    rows = [
        MetricRow("test.macro_f1", 0.8, 0.7, -0.14, -0.06, 0.001, "worse", 0.05),
        MetricRow("test.mcc", 0.6, 0.61, -0.04, 0.06, 0.7, "within noise", 0.07),
    ]
    flipped = [FlippedRow(name, text, text, text, 0.5, text * 20) for name in names[:10]]
    counts = [FlipCount(name, 10, 3, 4) for name in names]
    return Comparison(
        base=text,
        head=text,
        verdict="mixed",
        confidence=0.95,
        notes=[text],
        changes=Changes(
            params={name: (text, [text]) for name in names},
            code={"finetune": names},
            data=DataChange(True, (1, 2), *(dict.fromkeys(names, 1) for _ in range(4))),
            models=dict.fromkeys(names, ("a" * 32, None)),
        ),
        test_rows=500,
        metrics=rows,
        flips=Flips(3, 4, 5, counts, counts, flipped, flipped, NAMES),
        calibration={"log loss": (0.1, 0.2)},
        costs=[Cost(name, (1.0, None), (100, 200)) for name in names],
        model_bytes=(90_000_000, 80_000_000),
        gate=[RuleResult(text, False, text)],
        seeds=((1, 2), (1, 2, 3)),
        champions=(1, 3),
        ships={"test.macro_f1": (0.81, 0.72)},
    )
