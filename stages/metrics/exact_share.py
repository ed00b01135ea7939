"""The exact interval of a share of rows.

Source:
    Clopper, Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial", 1934.
"""

from scipy.special import betaincinv  # scipy.stats gives the same, and takes a third of a second to import


def exact_interval(share: float, rows: float, tail: float) -> tuple[float, float]:
    """Return the shares of which one this large, or this small, is drawn with probability `tail`.

    Args:
        rows: What the rows are worth; not always a whole number, see `effective_rows`.
        tail: The probability on each side; .025 for an interval of 95%.
    """
    inside, outside = share * rows, (1 - share) * rows
    low = float(betaincinv(inside, outside + 1, tail)) if inside else 0.0
    return low, float(betaincinv(inside + 1, outside, 1 - tail)) if outside else 1.0
