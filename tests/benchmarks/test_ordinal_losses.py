"""The losses that bench_ordered.py compares, against independent implementations and published numbers."""

import numpy as np
import pytest
import torch
from scipy.special import softmax
from scipy.stats import energy_distance, entropy
from torch import Tensor, nn

from benchmarks.ordinal_losses import LOSSES, SOFTNESS, class_probabilities, emd, median, soft

LABELS = torch.tensor([0, 1, 2, 2, 2, 3, 4, 4])


@pytest.fixture
def logits() -> Tensor:
    return torch.randn(8, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_corn_gives_the_number_of_its_authors_example() -> None:
    """The example of `corn_loss` in coral_pytorch 1.4, whose network has an output fewer."""
    torch.manual_seed(123)
    features = torch.rand(8, 99)
    outputs = nn.Linear(99, 4)(features)
    losses, weights = LOSSES["corn"](nn.functional.pad(outputs, (0, 1)), LABELS)
    assert float((losses * weights).sum() / weights.sum()) == pytest.approx(0.7127, abs=5e-5)


def test_corn_is_the_likelihood_of_its_probabilities(logits: Tensor) -> None:
    losses, weights = LOSSES["corn"](logits, LABELS)
    probabilities = class_probabilities("corn", logits)
    assert probabilities.sum(1) == pytest.approx(np.ones(8))
    expected = -np.log(probabilities[np.arange(8), LABELS])
    assert (losses * weights).numpy() == pytest.approx(expected, rel=1e-5)


def test_emd_is_half_of_the_squared_energy_distance(logits: Tensor) -> None:
    losses, _ = emd(logits, LABELS)
    for row, label in enumerate(LABELS):
        distance = energy_distance(range(5), [int(label)], u_weights=softmax(logits[row].numpy()))
        assert float(losses[row]) == pytest.approx(distance**2 / 2)


def test_soft_targets_cost_their_divergence_and_entropy(logits: Tensor) -> None:
    losses, _ = soft(logits, LABELS)
    for row, label in enumerate(LABELS):
        target = softmax(-SOFTNESS * np.abs(np.arange(5) - int(label)))
        expected = entropy(target, softmax(logits[row].numpy())) + entropy(target)
        assert float(losses[row]) == pytest.approx(expected)


@pytest.mark.parametrize("loss", LOSSES)
def test_gradients_are_those_of_finite_differences(loss: str, logits: Tensor) -> None:
    def cost(values: Tensor) -> Tensor:
        losses, weights = LOSSES[loss](values, LABELS)
        return (losses * weights).sum() / weights.sum()

    assert torch.autograd.gradcheck(cost, logits.requires_grad_())


def test_the_median_has_the_least_expected_distance() -> None:
    probabilities = np.random.default_rng(0).dirichlet(np.ones(5), size=50)
    distance = np.abs(np.arange(5)[:, None] - np.arange(5))
    assert median(probabilities).tolist() == (probabilities @ distance).argmin(1).tolist()
