"""What is chosen is uncertain, differs from the rest, and depends on the seed alone."""

import numpy as np
import pytest

from pipeline.suggestion.choice import choose, distinct_rows

LONG = "the delivery came two weeks late and nobody answered my letters about it"


def clusters(rows: int) -> np.ndarray:
    """Rows around four directions, 90 degrees apart."""
    random = np.random.default_rng(0)
    return np.eye(4)[np.arange(rows) % 4] * 3 + random.normal(0, 0.01, (rows, 4))


@pytest.mark.parametrize("seed", range(10))
def test_the_first_rows_of_a_choice_are_spread(seed: int) -> None:
    chosen = choose(clusters(400), np.ones(400), count=8, seed=seed)
    assert sorted(chosen[:4] % 4) == [0, 1, 2, 3]
    assert len(set(chosen.tolist())) == 8


def test_length_of_an_embedding_is_no_distance() -> None:
    embeddings = clusters(40)
    scaled = embeddings * np.random.default_rng(1).uniform(0.1, 10, (40, 1))
    assert (
        choose(embeddings, np.ones(40), count=5, seed=0).tolist()
        == choose(scaled, np.ones(40), count=5, seed=0).tolist()
    )


def test_certain_rows_are_not_chosen_while_there_are_others() -> None:
    uncertainty = np.where(np.arange(400) < 200, 0.9, 0.0)
    for seed in range(10):
        assert choose(clusters(400), uncertainty, count=8, seed=seed).max() < 200


@pytest.mark.parametrize("uncertainty", [np.zeros(6), np.linspace(0, 1, 6)], ids=["certain", "different"])
@pytest.mark.parametrize("embeddings", [np.zeros((6, 3)), np.ones((6, 3)), np.eye(6)], ids=["zero", "equal", "apart"])
@pytest.mark.parametrize("count", [1, 5, 6, 20])
def test_as_many_rows_as_asked_for_or_there_are(uncertainty: np.ndarray, embeddings: np.ndarray, count: int) -> None:
    chosen = choose(embeddings, uncertainty, count=count, seed=3)
    assert len(chosen) == len(set(chosen.tolist())) == min(count, 6)
    assert choose(embeddings, uncertainty, count=count, seed=3).tolist() == chosen.tolist()


def test_a_seed_is_a_choice_of_its_own() -> None:
    choices = {
        tuple(choose(np.random.default_rng(0).random((300, 5)), np.ones(300), count=6, seed=s)) for s in range(5)
    }
    assert len(choices) == 5


@pytest.mark.parametrize(
    ("texts", "uncertainty", "expected"),
    [
        ([LONG, f"{LONG}!", "something else that is long enough to differ"], [0.1, 0.2, 0.3], [1, 2]),
        ([LONG, LONG.upper(), f"  {LONG}"], [0.3, 0.2, 0.1], [0]),
        ([LONG, f"{LONG}."], [0.5, 0.5], [0]),
        (["a", "b", "c"], [0.1, 0.2, 0.3], [0, 1, 2]),
    ],
)
def test_of_nearly_equal_texts_the_most_uncertain_stays(
    texts: list[str], uncertainty: list[float], expected: list[int]
) -> None:
    assert distinct_rows(texts, np.array(uncertainty)).tolist() == expected
