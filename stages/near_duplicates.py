"""Find texts that are nearly equal by MinHash of their character 5-grams, so that no two texts are compared in full."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

PERMUTATIONS = 64  # their share of equal values estimates the Jaccard similarity; standard error about 0.05
BAND = 4  # permutations; two texts are compared when all of a band are equal: 16 bands miss 1 pair of 5,000 at 0.8
SHINGLE = 5  # characters, so that languages without blanks work too
AT_ONCE = 20_000  # shingles, or pairs; a book in one field must not fill the memory
NEXT = 20  # texts that each is compared with of those that have the same values in a band, where there are more
FURTHER = 3  # bands, by which these are sorted, so that the most similar ones come side by side
MULTIPLIER = np.uint32(0x01000193)


def find_clusters(batches: Iterable[Sequence[str]], *, similarity: float) -> NDArray[np.int64]:
    """Return the cluster of each text: texts that are nearly equal, directly or through other texts, share one.

    Args:
        batches: The texts, in batches; normalised, and each once.
        similarity: Least estimated Jaccard similarity (0 to 1) of two texts' character 5-grams.

    Returns:
        Number of the cluster, from 0; shape (texts,).

    Source:
        Broder 1997, On the resemblance and containment of documents.
    """
    signatures = np.concatenate([np.zeros((0, PERMUTATIONS), np.uint32), *map(_signatures, batches)])
    keys = [_keys(signatures[:, start : start + BAND]) for start in range(0, PERMUTATIONS, BAND)]
    clusters = np.arange(len(signatures))
    for band in range(len(keys)):
        links = [np.zeros((2, 0), dtype=np.int64)]
        for pairs in _equal_pairs([*keys[band:], *keys[:band]][: 1 + FURTHER]):
            apart = pairs[:, clusters[pairs[0]] != clusters[pairs[1]]]
            links.append(clusters[apart[:, _similar(signatures, apart, similarity)]])
        clusters = _joined(np.concatenate(links, axis=1), len(clusters))[clusters]
    return clusters


def _signatures(texts: Sequence[str]) -> NDArray[np.uint32]:
    """MinHash values of each text; shape (texts, permutations)."""
    from datasketch import MinHash  # takes a second, and download@model needs none of it

    base = MinHash(PERMUTATIONS, hashfunc=int)
    rows = np.empty((len(texts), PERMUTATIONS), dtype=np.uint32)
    for row, hashes in enumerate(_shingles(texts)):
        sketch = base.copy()
        for start in range(0, len(hashes), AT_ONCE):
            sketch.update_batch(hashes[start : start + AT_ONCE].tolist())
        rows[row] = sketch.hashvalues
    return rows


def _shingles(texts: Sequence[str]) -> Iterator[NDArray[np.uint32]]:
    """Hashes of the character 5-grams of each text; a shorter text counts as one 5-gram."""
    padded = [text.ljust(SHINGLE, "\0") for text in texts]
    characters = np.frombuffer("".join(padded).encode("utf-32-le"), dtype=np.uint32)
    hashes = np.zeros(max(len(characters) - SHINGLE + 1, 0), dtype=np.uint32)
    for offset in range(SHINGLE):
        hashes = (hashes ^ characters[offset : offset + len(hashes)]) * MULTIPLIER
    start = 0
    for text in padded:
        yield hashes[start : start + len(text) - SHINGLE + 1]
        start += len(text)


def _keys(band: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """A number per text for its values in a band, (texts, permutations of the band); shape (texts,)."""
    keys = np.zeros(len(band), dtype=np.uint64)
    for column in band.T:
        keys = (keys ^ column) * np.uint64(0x9E3779B97F4A7C15)
        keys ^= keys >> np.uint64(29)
    return (keys >> np.uint64(32)).astype(np.uint32)


def _equal_pairs(keys: Sequence[NDArray[np.uint32]]) -> Iterator[NDArray[np.int64]]:
    """Yield pairs of texts with an equal first key: each text and one of the `NEXT` after it by all keys; (2, pairs).

    All texts that begin alike, as the mails of a form do, have values in common that say little about them. Two that
    are nearly equal stand close to each other there, but seldom side by side.
    """
    order = np.lexsort(keys[::-1])
    first = keys[0][order]
    start = np.arange(len(order))
    for distance in range(1, NEXT + 1):
        start = start[start < len(order) - distance]
        start = start[first[start] == first[start + distance]]
        if not len(start):
            return
        yield np.stack([order[start], order[start + distance]])


def _joined(links: NDArray[np.int64], clusters: int) -> NDArray[np.int64]:
    """The cluster that each of the `clusters` belongs to once those of `links`, (2, links), are one."""
    graph = coo_array((np.ones(links.shape[1], dtype=np.int8), tuple(links)), shape=(clusters, clusters))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def _similar(signatures: NDArray[np.uint32], pairs: NDArray[np.int64], similarity: float) -> NDArray[np.bool_]:
    parts = [
        (signatures[left] == signatures[right]).mean(axis=1) >= similarity
        for left, right in (pairs[:, start : start + AT_ONCE] for start in range(0, pairs.shape[1], AT_ONCE))
    ]
    return np.concatenate([np.zeros(0, dtype=np.bool_), *parts])
