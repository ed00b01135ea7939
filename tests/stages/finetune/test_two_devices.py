"""Two processes that train together (DDP on the CPU): the same as one with twice the batch, written once."""

import logging
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest
import torch
from ruamel.yaml import YAML
from safetensors.torch import load_file

from stages.finetune.__main__ import main
from stages.params import read_params
from stages.paths import Paths
from tests.stages.finetune.runs import DEFAULT
from tests.stages.finetune.tiny import write_encoder, write_tokens

pytestmark = pytest.mark.slow
SOON = 240  # seconds until a run that hangs is ended


def prepare(root: Path, **changes: Any) -> Paths:
    """Write what the stage reads, in a folder of its own."""
    paths = Paths(root)
    write_tokens(paths)
    write_encoder(paths.encoder, dropout=0.0)
    values = YAML(typ="safe").load(DEFAULT)
    values["finetune"] |= {"accelerator": "cpu", "max_epochs": 2, "patience": None, "learning_rate": 1e-3} | changes
    values["finetune"]["precision"] = "32"
    YAML().dump(values, paths.params)
    return paths


def finetune(root: Path) -> subprocess.CompletedProcess[str]:
    """Run the stage as DVC does."""
    environment = os.environ | {"PYTHONPATH": str(DEFAULT.parents[1]), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-m", "stages.finetune", "--seed", "1"],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=SOON,
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"accumulate_grad_batches": 2, "class_weights": {"bad": 1.0, "fair": 2.0, "good": 3.0}, "method": "full"},
        {"method": "frozen", "ema_decay": 0.9},
        {"method": "partial", "frozen_layers": 1, "soup": 2},
    ],
    ids=lambda changes: changes["method"],
)
def test_two_devices_do_what_one_does_with_twice_the_batch(
    tmp_path: Path, changes: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    caplog.set_level(logging.INFO)
    paths = prepare(one, batch_size=14, **changes)
    main(read_params(paths.params), paths, 1)
    prepare(two, batch_size=7, devices=2, strategy="ddp", **changes)
    run = finetune(two)
    assert run.returncode == 0, run.stderr
    for log in (caplog.text, run.stderr):
        assert len(re.findall(r"epoch \d of 2", log)) == 2 * changes.get("soup", 1)  # by one process alone
    curves = [pd.read_csv(Paths(root).curve(1)) for root in (one, two)]
    pd.testing.assert_frame_equal(*curves, atol=1e-4)
    weights = [load_file(Paths(root).finetuned(1) / "model.safetensors") for root in (one, two)]
    for name, values in weights[0].items():
        torch.testing.assert_close(weights[1][name], values, atol=1e-4, rtol=0)
    files = [sorted(path.relative_to(root) for path in root.rglob("*") if path.is_file()) for root in (one, two)]
    assert [name for name in files[0] if "finetune" in name.parts] == [
        name for name in files[1] if "finetune" in name.parts
    ]
    assert not list(two.rglob("*.partial"))


def test_an_error_on_the_devices_is_one_line_and_leaves_no_process(tmp_path: Path) -> None:
    prepare(tmp_path, devices=2, batch_size=8, learning_rate=1e30, gradient_clip=0.0)
    run = finetune(tmp_path)
    assert run.returncode != 0
    assert re.search(r"^error: The loss is (nan|inf)", run.stderr, re.MULTILINE)
    assert "Traceback" not in run.stderr
    left = [process for process in psutil.process_iter(["cwd"]) if process.info["cwd"] == str(tmp_path)]
    psutil.wait_procs(left, timeout=20)
    assert not [process for process in left if process.is_running()]
