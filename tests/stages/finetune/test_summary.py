"""The files that a fine-tune leaves beside its model."""

import math
from pathlib import Path

import pandas as pd

from stages.finetune.summary import write_curve


def test_a_curve_is_the_csv_that_pandas_writes(tmp_path: Path) -> None:
    curve = [
        {"epoch": 1, "learning_rate": 1e-5, "train_loss": 1.23456789, "val_mcc": math.nan},
        {"epoch": 1_234_567, "learning_rate": 0.0, "train_loss": math.inf, "val_loss": 1e-12},
    ]
    write_curve(tmp_path / "curve.csv", curve)
    expected = pd.DataFrame(curve).to_csv(index=False, float_format="%.6g", lineterminator="\n")
    assert (tmp_path / "curve.csv").read_text(encoding="utf-8") == expected
