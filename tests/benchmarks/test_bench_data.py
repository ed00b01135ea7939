"""The benchmark of the data stages runs, at toy size."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_measures_every_stage():
    command = [sys.executable, "benchmarks/bench_data.py", "--rows", "500", "--near", "ignore"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=True)
    for stage in ("download@dataset", "tokenize", "split"):
        assert re.search(rf"^\| {stage} \| [\d.]+ \| [\d,]+ \| \d+ \|$", done.stdout, re.MULTILINE)
    assert re.search(r"^\| encode_batch alone \| - \| [\d,]+ \| - \|$", done.stdout, re.MULTILINE)
    assert re.search(r"tokenize reaches \d+% of encode_batch alone", done.stdout)
