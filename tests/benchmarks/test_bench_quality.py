"""The harness of small trainings, on rows and an encoder that train in a moment."""

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
WORDS = ["good", "bad", "crash", "love", "money", "slow"]


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch, model: Path) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import finetune_data
    import small_trainings

    draw = random.Random(0)
    texts = [" ".join(draw.choices(WORDS, k=draw.randint(2, 12))) for _ in range(120)]
    table = pd.DataFrame({"text": texts, "label": ["bad" in text for text in texts]}).astype({"label": int})
    for module in (finetune_data, small_trainings):
        monkeypatch.setattr(module, "bundled_encoder", lambda: model)
    monkeypatch.setattr(small_trainings, "TASKS", {"tiny": (lambda: table, 30)})
    yield small_trainings
    small_trainings.table_of.cache_clear()
    small_trainings.root_of.cache_clear()


@pytest.mark.parametrize(
    "batches", ["pools of 50", "pools of 1", "pools of 50, any first", "pools of 50, spread", "Trainer"]
)
def test_a_training_is_a_function_of_setting_and_seed(trainings: ModuleType, batches: str) -> None:
    setting = trainings.Setting("tiny", 40, batches, batch_size=4, learning_rate=1e-2)
    first, again = (trainings.train(setting, 1) for _ in range(2))
    assert first.pop("seconds") > 0
    assert again.pop("seconds") > 0
    assert first == again
    assert set(first) == {"accuracy", "mcc"}


def test_settings_share_the_rows_of_a_seed_and_seeds_share_the_rows_of_test(trainings: ModuleType) -> None:
    setting = trainings.Setting("tiny", 40, "pools of 50")
    train, val, test = trainings.drawn(setting, 1)
    assert len({*train, *val, *test}) == len(train) + len(val) + len(test)
    peer, longer = (replace(setting, batches="Trainer"), replace(setting, epochs=4))
    assert all((trainings.drawn(changed, 1)[0] == train).all() for changed in (peer, longer))
    of_another = trainings.drawn(setting, 2)
    assert (of_another[2] == test).all()
    assert set(of_another[0]) != set(train)


def test_too_many_rows_are_refused(trainings: ModuleType) -> None:
    with pytest.raises(SystemExit, match="tiny has .* rows of train, not 400"):
        trainings.drawn(trainings.Setting("tiny", 400, "pools of 50"), 0)


@pytest.mark.parametrize("count", [1, 3, 4, 15, 16])
def test_spread_batches_mix_lengths_and_lose_none(trainings: ModuleType, count: int) -> None:
    batches = [np.arange(2 * index, 2 * index + 2) for index in range(count)]
    spread = trainings.spread(batches, np.arange(2 * count), np.random.default_rng(0))
    assert sorted(map(tuple, spread)) == sorted(map(tuple, batches))
    shortest = [batch[0] // 2 for batch in batches][: -(-count // trainings.STRATA)]
    assert sum(batch[0] // 2 in shortest for batch in spread[: trainings.STRATA]) == 1


def test_what_was_run_is_not_run_again(trainings: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import bench_quality

    settings = [trainings.Setting("tiny", 40, batches) for batches in ("pools of 50", "pools of 1")]
    trained: list[Any] = []

    def train(setting: Any, seed: int) -> dict[str, float]:
        trained.append((setting.batches, seed))
        if len(trained) == 3:
            raise KeyboardInterrupt
        return {"accuracy": 0.9, "mcc": 0.8, "seconds": 1.0}

    monkeypatch.setattr(bench_quality, "train", train)
    file = tmp_path / "runs.csv"
    with pytest.raises(KeyboardInterrupt):
        bench_quality.run(settings, range(3), file)
    assert trained == [("pools of 50", 0), ("pools of 1", 0), ("pools of 50", 1)]  # seed by seed
    bench_quality.run(settings, range(2), file)
    assert trained[3:] == [("pools of 50", 1), ("pools of 1", 1)]
    assert len(pd.read_csv(file)) == 4


def test_differences_are_paired_by_seed(trainings: ModuleType) -> None:
    import bench_quality

    settings = [trainings.Setting("SMS", 40, batches) for batches in ("pools of 50", "pools of 3", "Trainer")]
    runs = pd.DataFrame(
        [
            vars(settings[number]) | {"seed": seed, "mcc": mcc, "accuracy": mcc, "seconds": 1.0 + number}
            for number, scores in ((0, {1: 0.7, 0: 0.8}), (2, {0: 0.9, 1: 0.6, 2: 0.1}))
            for seed, mcc in scores.items()
        ]
    )
    lines = bench_quality.show(settings, runs).splitlines()
    assert lines[2:] == [
        "| pools of 50 | 2 | 0.750 | 0.071 | 0.700 | 0 |  | 1.0 |",
        "| Trainer | 3 | 0.533 | 0.404 | 0.100 | 2 | +0.000 (-1.271 to +1.271) | 3.0 |",
    ]
