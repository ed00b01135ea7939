"""What a first `make run` gives: the bundled reviews and encoder, fine-tuned with the parameters that are shipped."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
STAGES = (
    "download dataset",
    "download model",
    "tokenize",
    "split",
    "finetune --seed 42",
    "evaluate --seed 42",
    "report",
)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sample")
    shutil.copy(ROOT / "recipes/default.yaml", root / "params.yaml")
    shutil.copytree(ROOT / "data/samples", root / "data/samples")
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    for stage in STAGES:
        command = [sys.executable, "-m", *f"stages.{stage}".split()]
        done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    return root


def test_the_encoder_earns_its_cost(ran: Path) -> None:
    metrics = json.loads((ran / "data/report/metrics.json").read_text())
    for name in ("majority", "tfidf"):
        assert metrics["baselines"][name]["macro_f1"]["low"] > 0, name


def test_suspects_are_known_contradictions_far_above_chance(ran: Path, capsys: pytest.CaptureFixture[str]) -> None:
    contradictions = set(pd.read_csv(ran / "data/samples/app_reviews.contradictions.csv")["id"])
    measured = pd.read_parquet(ran / "data/evaluate/42/predictions.parquet")["id"]
    suspects = pd.read_csv(ran / "data/report/suspects.csv")["id"]
    known = measured.isin(contradictions).sum()
    hits = suspects.isin(contradictions).sum()
    precision, recall, chance = hits / len(suspects), hits / known, known / len(measured)
    with capsys.disabled():
        sys.stdout.write(
            f"\n{len(suspects)} suspects of {len(measured)} rows, {known} of them known contradictions: "
            f"precision {precision:.2f} (chance {chance:.2f}), recall {recall:.2f}\n"
        )
    assert precision >= 4 * chance
    assert recall >= 0.5
    assert suspects.head(5).isin(contradictions).mean() >= 0.6  # the worst come first
