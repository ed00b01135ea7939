"""How many resamples an interval needs."""

import math

MOST = 1_000_000


def least_resamples(confidence: float) -> int:
    """Return how many resamples an interval of this confidence (0 to 1) needs to have one beyond either end."""
    return math.ceil(round(2 / (1 - confidence), 6)) - 1


def expected_instead(resamples: int, confidence: float) -> str | None:
    """Return what is expected where an interval of this confidence (0 to 1) needs more resamples; None: they do."""
    least = least_resamples(confidence)
    if resamples >= least:
        return None
    if least > MOST:
        return f"a lower evaluate.confidence than {confidence}, whose interval needs more than {MOST}"
    return f"{least} or more, which an interval of confidence {confidence} needs"
