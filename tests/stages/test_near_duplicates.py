"""Nearly equal texts are found as a comparison of all with all would find them."""

import random

import numpy as np
import pytest

from stages import near_duplicates
from stages.near_duplicates import find_clusters


def jaccard(left: str, right: str) -> float:
    pieces = [{text[start : start + 5] for start in range(max(len(text) - 4, 1))} for text in (left, right)]
    return len(pieces[0] & pieces[1]) / len(pieces[0] | pieces[1])


def sentences(count: int, seed: int) -> list[str]:
    generator = random.Random(seed)
    words = ["".join(generator.choices("abcdefghijklmnop", k=generator.randint(2, 9))) for _ in range(500)]
    return [" ".join(generator.choices(words, k=generator.randint(8, 40))) for _ in range(count)]


def edited(text: str, edits: int, generator: random.Random) -> str:
    characters = list(text)
    for _ in range(edits):
        characters[generator.randrange(len(characters))] = "z"
    return "".join(characters)


def test_agrees_with_a_comparison_of_all_with_all():
    generator = random.Random(1)
    originals = sentences(150, seed=2)
    texts = originals + [edited(text, generator.randint(1, 12), generator) for text in originals]
    clusters = find_clusters([texts[:100], texts[100:]], similarity=0.8)
    for index, text in enumerate(originals):
        similarity = jaccard(text, texts[index + 150])
        together = clusters[index] == clusters[index + 150]
        if similarity >= 0.92:  # three standard errors of the estimate
            assert together, (similarity, text)
        if similarity <= 0.65:
            assert not together, (similarity, text)
    assert len(set(clusters[:150].tolist())) == 150, "unlike texts stay apart"


def test_through_others():
    base = " ".join(sentences(1, seed=3)[0].split()[:30])
    chain = [base + " x" * steps for steps in (0, 1, 2, 3)]
    assert len(set(find_clusters([chain], similarity=0.8).tolist())) == 1


def test_short_and_odd_texts():
    texts = ["", "a", "ab", "你好世界吗朋友", "🙂🙂🙂", "abcde"]
    assert len(set(find_clusters([texts], similarity=0.8).tolist())) == len(texts)
    assert find_clusters([], similarity=0.8).tolist() == []
    assert find_clusters([[]], similarity=0.8).tolist() == []


def test_long_texts_go_in_parts(monkeypatch):
    text = " ".join(sentences(40, seed=4))
    whole = near_duplicates._signatures([text, text[:100]])
    monkeypatch.setattr(near_duplicates, "AT_ONCE", 50)
    assert np.array_equal(near_duplicates._signatures([text, text[:100]]), whole)


@pytest.mark.parametrize("similarity", [0.6, 0.8, 0.95])
def test_the_threshold_counts(similarity):
    generator = random.Random(5)
    pairs = [(text, edited(text, edits, generator)) for edits, text in enumerate(sentences(30, seed=6))]
    for left, right in pairs:
        exact = jaccard(left, right)
        first, second = find_clusters([[left, right]], similarity=similarity)
        if abs(exact - similarity) > 0.2:
            assert (first == second) == (exact > similarity)
