"""Chooses rows that the model is unsure of and that differ from each other."""

import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stages.near_duplicates import find_clusters
from stages.text_keys import normalise

PREFILTER = 10  # candidates per row that is asked for: Zhdanov's beta
SIMILARITY = 0.8  # from which on two texts are nearly equal, as in checks.near_duplicate_similarity
AT_ONCE = 4_096  # texts


def distinct_rows(texts: Sequence[str], uncertainty: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the most uncertain row of each cluster of nearly equal texts, in the order of the rows.

    Args:
        texts: Each once; a pair is one text.
        uncertainty: Of each row; shape (rows,).
    """
    normalised = [normalise(text) or "" for text in texts]
    batches = (normalised[start : start + AT_ONCE] for start in range(0, len(normalised), AT_ONCE))
    clusters = find_clusters(batches, similarity=SIMILARITY)
    order = np.argsort(-uncertainty, kind="stable")
    return np.sort(order[np.unique(clusters[order], return_index=True)[1]])


def choose(
    embeddings: NDArray[np.floating], uncertainty: NDArray[np.float64], *, count: int, seed: int
) -> NDArray[np.int64]:
    """Return rows in the order of their choice: each is likely uncertain and far from those chosen before it.

    It is the seeding of k-means++, by cosine and with the uncertainty as weights: the next row is drawn by its
    uncertainty times the square of its distance to the nearest chosen row. So the first rows of a choice are a good
    smaller choice. The candidates should be the most uncertain rows, about `PREFILTER` times as many as are chosen.

    Args:
        embeddings: Of the candidates; shape (rows, width).
        uncertainty: Of each (>= 0); shape (rows,).
        count: Rows to choose (>= 1); all if there are fewer.
        seed: Of the draws.

    Source:
        Zhdanov, "Diverse mini-batch Active Learning" (2019): the most uncertain rows, in weighted clusters. Arthur and
        Vassilvitskii, "k-means++" (2007); Ash et al., "Deep Batch Active Learning by Diverse, Uncertain Gradient Lower
        Bounds" (2020), choose rows by its seeding alone.
    """
    from sklearn.cluster import kmeans_plusplus
    from sklearn.preprocessing import normalize

    count = min(count, len(embeddings))
    weights = np.maximum(uncertainty, np.finfo(np.float32).tiny)
    with warnings.catch_warnings():  # with fewer different embeddings than `count`, distances are 0 in the end
        warnings.simplefilter("ignore", RuntimeWarning)
        _, drawn = kmeans_plusplus(normalize(embeddings), count, sample_weight=weights, random_state=seed)
    by_uncertainty = np.argsort(-uncertainty, kind="stable")
    order = dict.fromkeys([*drawn.tolist(), *by_uncertainty.tolist()])  # the rest fills up what was drawn twice
    return np.fromiter(order, dtype=np.int64)[:count]
