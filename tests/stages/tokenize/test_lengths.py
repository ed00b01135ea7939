"""Lengths are counted over batches as they would be over all rows at once."""

import numpy as np

from stages.tokenize.lengths import Lengths


def test_summary_over_batches():
    generator = np.random.default_rng(0)
    length = generator.integers(3, 90, 1_000)
    label = generator.integers(0, 3, 1_000)
    kept = np.minimum(length, 50)
    lengths = Lengths(["a", "b", "c"])
    for part in np.array_split(np.arange(1_000), 7):
        lengths.add(label[part], length[part].tolist(), kept[part].tolist())
    stats = lengths.stats(max_length=50, truncation="head")
    assert stats["rows"] == 1_000
    assert stats["tokens"] == kept.sum()
    assert stats["tokens_cut"] == (length - kept).sum()
    assert stats["length"] == {
        "mean": round(float(length.mean()), 2),
        "median": np.quantile(length, 0.5, method="inverted_cdf"),
        "p90": np.quantile(length, 0.9, method="inverted_cdf"),
        "p95": np.quantile(length, 0.95, method="inverted_cdf"),
        "p99": np.quantile(length, 0.99, method="inverted_cdf"),
        "longest": length.max(),
    }
    for index, name in enumerate("abc"):
        assert stats["per_label"][name]["rows_cut"] == (length[label == index] > 50).sum()
