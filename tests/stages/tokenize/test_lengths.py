"""Lengths are counted over batches as they would be over all rows at once."""

import numpy as np
import pytest

from stages.tokenize.lengths import Lengths


def counted(length: np.ndarray, label: np.ndarray, **settings: object) -> Lengths:
    lengths = Lengths(["a", "b", "c"], **{"max_length": 50, "truncation": "head", "limit": None, **settings})
    for part in np.array_split(np.arange(len(length)), 7):
        lengths.add(label[part], length[part], unknown=np.zeros(len(part), dtype=np.int64), special=2)
    return lengths


@pytest.fixture
def rows() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    return generator.integers(3, 90, 1_000), generator.integers(0, 3, 1_000)


def test_summary_over_batches(rows):
    length, label = rows
    stats = counted(length, label).stats()
    assert stats["rows"] == 1_000
    assert stats["tokens"] == np.minimum(length, 50).sum()
    assert stats["tokens_cut"] == np.maximum(length - 50, 0).sum()
    assert stats["length"] == {
        "mean": round(float(length.mean()), 2),
        "median": np.sort(length)[499],
        "p90": np.sort(length)[899],
        "p95": np.sort(length)[949],
        "p99": np.sort(length)[989],
        "longest": length.max(),
    }
    for index, name in enumerate("abc"):
        assert stats["per_label"][name]["rows_cut"] == (length[label == index] > 50).sum()


def test_padding_by_strategy(rows):
    length, label = rows
    kept = np.minimum(length, 50)
    padding = counted(length, label).stats()["padding"]
    in_order = np.sort(kept)
    batches = [in_order[start : start + 32] for start in range(0, 1_000, 32)]
    by_length = 1 - kept.sum() / sum(batch.max() * len(batch) for batch in batches)
    assert padding["to_max_length"] == pytest.approx(1 - kept.sum() / 50_000, abs=1e-4)
    assert padding["by_length"] == pytest.approx(by_length, abs=1e-4)
    assert padding["by_length"] < padding["to_longest_in_batch"] <= padding["to_max_length"]


def test_padding_is_about_the_same_on_a_sample(rows, monkeypatch):
    length, label = np.tile(rows[0], 20), np.tile(rows[1], 20)
    whole = counted(length, label).stats()["padding"]
    monkeypatch.setattr("stages.tokenize.lengths.SAMPLE", 4_000)
    for strategy, share in counted(length, label).stats()["padding"].items():
        assert share == pytest.approx(whole[strategy], abs=0.02)


@pytest.mark.parametrize(("limit", "expected"), [(None, 48), (512, 48), (40, 40)])
def test_suggestion_leaves_almost_all_rows_whole(limit, expected):
    length = np.array([10] * 980 + [41] * 15 + [400] * 5)
    lengths = counted(length, np.zeros(1_000, dtype=np.int64), limit=limit)
    assert lengths.stats()["suggested_max_length"] == expected
