"""How many resamples an interval needs."""

import math


def least_resamples(confidence: float) -> int:
    """Return how many resamples an interval of this confidence (0 to 1) needs to have one beyond either end."""
    return math.ceil(round(2 / (1 - confidence), 6)) - 1
