"""What a first `make run` gives: the bundled reviews and encoder, fine-tuned with the parameters that are shipped."""

import json
import sys
from pathlib import Path

import pandas as pd
import pytest

from tests.end_to_end import bundled

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bundled.run(tmp_path_factory.mktemp("sample"), "default")


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
