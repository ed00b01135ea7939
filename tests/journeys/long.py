"""The mark of journeys that take minutes."""

import os

import pytest

minutes_long = pytest.mark.skipif(
    int(os.environ.get("RETUNE_TEST_WORKERS", "0")) < 2,
    reason="minutes long: make test-journeys, or RETUNE_TEST_WORKERS=2, runs it",
)
