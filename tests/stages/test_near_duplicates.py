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


@pytest.mark.parametrize("similarity", [0.8, 0.9, 0.95, 0.99])
def test_texts_that_all_begin_alike_do_not_hide_a_nearly_equal_one(similarity):
    """Hundreds of texts have the values of a band, because all have the words of a form."""
    generator = random.Random(7)

    def random_text(length: int) -> str:
        return "".join(generator.choices("abcdefghijklmnopqrstuvwxyz ", k=length))

    form, own = random_text(500), {0.8: 90, 0.9: 60, 0.95: 40, 0.99: 10}[similarity]
    texts = [form + random_text(own) for _ in range(1_000)]
    texts += [text[:-1] + "#" for text in texts]  # of each another that differs in its last character
    signatures = near_duplicates._signatures(texts)
    nearly_equal = (signatures[:1_000] == signatures[1_000:]).mean(axis=1) >= similarity
    assert nearly_equal.sum() > 300
    clusters = find_clusters([texts], similarity=similarity)
    apart = nearly_equal & (clusters[:1_000] != clusters[1_000:])
    assert apart.sum() <= 0.002 * nearly_equal.sum()


def test_a_cluster_is_of_texts_that_are_nearly_equal_through_others():
    generator = random.Random(8)
    texts = [edited(text, generator.randint(0, 30), generator) for text in sentences(60, seed=9) for _ in range(5)]
    signatures = near_duplicates._signatures(texts)
    clusters = find_clusters([texts], similarity=0.8)
    similar = (signatures[:, None] == signatures[None]).mean(axis=2) >= 0.8
    reached = np.linalg.matrix_power(similar.astype(float), 64) > 0
    assert np.array_equal(clusters[:, None] == clusters[None], reached)
