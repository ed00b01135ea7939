"""The benchmark of evaluate and report runs, at toy size."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_measures_both_stages() -> None:
    command = [sys.executable, "benchmarks/bench_report.py", "--test-rows", "300", "--train-rows", "600"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=True)
    for stage in ("evaluate@42", "report"):
        assert re.search(rf"^\| 300 \| {stage} \| [\d.]+ \| [\d.]+ \| \d+ \|$", done.stdout, re.MULTILINE)
