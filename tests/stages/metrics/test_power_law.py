"""Power laws are found again in the curves that they make, and stay within what a metric can be."""

import numpy as np
import pytest

from stages.metrics.power_law import EXPONENTS, fit_power_laws

SIZES = np.array([50, 100, 200, 400, 800, 1600])


@pytest.mark.parametrize("exponent", EXPONENTS[[10, 30, 45]])
@pytest.mark.parametrize("limit", [0.3, 0.95])
@pytest.mark.parametrize("scale", [0.1, 1.0])
def test_a_law_is_found_again(limit: float, scale: float, exponent: float) -> None:
    laws = fit_power_laws(SIZES, (limit - scale * SIZES**-exponent)[None], best=1.0)
    assert laws.exponent == pytest.approx(exponent)
    assert laws.limit == pytest.approx(limit)
    assert laws.scale == pytest.approx(scale)
    assert laws.at(6_400) == pytest.approx(limit - scale * 6_400**-exponent)


def test_each_curve_has_its_own_law() -> None:
    curves = np.stack([0.9 - SIZES**-0.5, np.full(6, 0.4), 0.7 - 3 * SIZES**-1.0])
    together, alone = (
        fit_power_laws(SIZES, curves, best=1.0),
        [fit_power_laws(SIZES, c[None], best=1.0) for c in curves],
    )
    assert together.at(5_000) == pytest.approx([law.at(5_000)[0] for law in alone])


@pytest.mark.parametrize("best", [0.8, 1.0, np.inf])
def test_no_law_rises_above_the_best_value_or_falls(best: float) -> None:
    noise = np.random.default_rng(0).normal(0.7, 0.05, (200, 6)).clip(max=min(best, 1.0))
    laws = fit_power_laws(SIZES, np.concatenate([noise, np.sort(noise), -np.sort(-noise)]), best=best)
    assert (laws.limit <= best + 1e-12).all()
    steps = np.diff([laws.at(rows) for rows in (50, 1_600, 10_000, 10**9)], axis=0)
    assert (steps >= -1e-12).all()


def test_a_falling_curve_is_flat() -> None:
    laws = fit_power_laws(SIZES, (0.5 + SIZES**-0.5)[None], best=1.0)
    assert laws.at(1_600) == pytest.approx(laws.at(100_000))


def test_a_limit_at_the_best_value_is_the_best_of_those_laws() -> None:
    """Without the bound the limit would be 1.2; the scale is then fitted to the bound."""
    curve = (1.2 - 2.0 * SIZES**-0.3)[None]
    law = fit_power_laws(SIZES, curve, best=1.0)
    weights = SIZES / SIZES.sum()

    def error(limit: float, scale: float, exponent: float) -> float:
        return float(((curve[0] - limit + scale * SIZES**-exponent) ** 2) @ weights)

    own = error(law.limit[0], law.scale[0], law.exponent[0])
    assert law.limit[0] <= 1
    for scale in law.scale[0] * np.array([0.9, 0.99, 1.01, 1.1]):
        assert error(law.limit[0], scale, law.exponent[0]) >= own


def test_a_large_size_weighs_more_than_a_small_one() -> None:
    curve = 0.9 - SIZES**-0.5
    small, large = curve.copy(), curve.copy()
    small[0] -= 0.02
    large[-1] -= 0.02
    of_small, of_large = (fit_power_laws(SIZES, c[None], best=1.0).at(1_600)[0] for c in (small, large))
    assert abs(of_small - curve[-1]) < abs(of_large - curve[-1])
