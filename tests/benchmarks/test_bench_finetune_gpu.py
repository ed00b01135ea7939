"""The benchmark of fine-tuning on a GPU goes through all of its sections on a CPU, with toy models."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_every_section_runs_without_a_gpu(tmp_path: Path) -> None:
    command = [sys.executable, "benchmarks/bench_finetune_gpu.py", "--dry-run", "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    figures = json.loads((tmp_path / "gpu.json").read_text())
    assert all(result["agrees"] for result in figures["correctness"].values())
    assert figures["training"].keys() == {
        f"{kind} toy, {lengths}"
        for kind in ("BERT", "ModernBERT")
        for lengths in ("128 tokens, batch 32", "CoLA, batch 32", "8 to 512, batch 32")
    } | {"BERT toy, 128 tokens, batch 128"}
    table = (tmp_path / "gpu.md").read_text()
    assert "failed" not in table
    assert "left out" not in table
