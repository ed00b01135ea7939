"""Training equals a plain loop of PyTorch: for every option, architecture and way to divide an optimizer step."""

import os
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import torch

from stages.finetune import prepare
from stages.finetune.training.lightning_module import FinetuneModule
from stages.model.packed import can_pack
from stages.paths import Paths
from tests.stages.finetune.kinds import kind_model
from tests.stages.finetune.runs import params
from tests.stages.finetune.tiny import LABELS, write_encoder, write_tokens
from tests.stages.finetune.training.plain_loop import (
    KINDS,
    assert_equal,
    assert_same_end,
    plain_loop,
    read_training,
    stage_training,
    write_kind,
)

ROOT = Path(__file__).parents[4]
WEIGHTS = [0.5, 1.0, 3.0]
COMMON: dict[str, Any] = {
    "batch_size": 13,  # 90 rows: the last batch of an epoch is short, and so is the last step
    "max_epochs": 1,
    "weight_decay": 0.1,
    "learning_rate": 1e-3,
    "warmup_ratio": 0.25,
    "gradient_clip": 0.5,
    "patience": None,
}
OF_CLASS = {"class_weights": dict(zip(LABELS, WEIGHTS, strict=True))}
CASES: dict[str, dict[str, Any]] = {
    "the defaults": {},
    "class weights": OF_CLASS,
    "label smoothing": {"label_smoothing": 0.1},
    "accumulation": {"accumulate_grad_batches": 3, **OF_CLASS},
    "batches of some tokens": {"max_tokens_per_batch": 90},
    "one rate for all layers, falling in a line": {"layer_decay": 1.0, "schedule": "linear"},
    "layer decay": {"layer_decay": 0.5},
    "a moving average": {"ema_decay": 0.8},
    "gradual": {"method": "gradual", "max_epochs": 2, "frozen_epochs": 1, "layer_decay": 0.7},
    "lora": {"method": "lora", "lora": {"rank": 2, "alpha": 8.0}},
    "the whole vocabulary": {"compact_vocabulary": False},
    "checkpointing": {"gradient_checkpointing": True},
    "all at once": {"label_smoothing": 0.1, "accumulate_grad_batches": 2, "layer_decay": 0.8, "ema_decay": 0.7}
    | OF_CLASS,
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("kind", KINDS)
def test_the_losses_and_weights_are_those_of_a_plain_loop(paths: Paths, kind: str, case: str) -> None:
    write_kind(paths, kind)
    changed = params(**COMMON | CASES[case])
    weights = WEIGHTS if "class_weights" in CASES[case] else None
    assert_equal(stage_training(paths, changed), plain_loop(paths, changed.finetune, class_weights=weights))


@pytest.mark.parametrize("case", ["the defaults", "all at once", "gradual", "lora"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_is_resumed_within_an_epoch_is_the_same(paths: Paths, kind: str, case: str) -> None:
    write_kind(paths, kind)
    changed = params(machine={"checkpoint_minutes": 1e-9}, **COMMON | CASES[case])
    weights = WEIGHTS if "class_weights" in CASES[case] else None
    dies_at = {"all at once": 2, "gradual": 10}.get(case, 4)
    found = stage_training(paths, changed, dies_at=dies_at)
    assert_equal(found, plain_loop(paths, changed.finetune, class_weights=weights))


@pytest.mark.parametrize("case", ["the defaults", "all at once", "lora", "checkpointing"])
@pytest.mark.parametrize("kind", [kind for kind in KINDS if can_pack(kind_model(kind))])
def test_packed_rows_train_as_padded_ones(paths: Paths, kind: str, case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write_kind(paths, kind)
    changed = params(**COMMON | CASES[case])
    weights = WEIGHTS if "class_weights" in CASES[case] else None
    expected = plain_loop(paths, changed.finetune, class_weights=weights)
    packed: list[bool] = []
    monkeypatch.setattr(prepare, "packs", lambda model, *_, **__: packed.append(can_pack(model)) or True)
    assert_equal(stage_training(paths, changed), expected)
    assert packed == [True]


def out_of_memory(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    """Let batches of more than some rows fail as on a GPU whose memory is full."""
    step = FinetuneModule.training_step

    def fails(self: FinetuneModule, batch: Any, batch_idx: int) -> torch.Tensor:
        if len(batch["labels"]) > rows:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return step(self, batch, batch_idx)

    monkeypatch.setattr(FinetuneModule, "training_step", fails)


@pytest.mark.parametrize("max_tokens", [None, 90])
@pytest.mark.parametrize("fitting", [100, 7, 2], ids=["whole batches", "in parts", "in many parts"])
@pytest.mark.parametrize("accumulate", [1, 4])
def test_a_step_may_come_in_parts(
    paths: Paths, accumulate: int, fitting: int, max_tokens: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_encoder(paths.encoder, dropout=0.0)
    divided = {"accumulate_grad_batches": accumulate, "max_tokens_per_batch": max_tokens}
    changed = params(**COMMON | divided | {"max_epochs": 2, "label_smoothing": 0.1} | OF_CLASS)
    out_of_memory(monkeypatch, fitting)
    found = stage_training(paths, changed)
    assert_equal(found, plain_loop(paths, changed.finetune, class_weights=WEIGHTS))


TOGETHER = {
    case: COMMON | CASES[case] | {"batch_size": 7}
    for case in ("the defaults", "accumulation", "lora", "all at once", "checkpointing")
}


@pytest.mark.slow
def test_two_processes_train_as_a_plain_loop_with_twice_the_batch(tmp_path: Path) -> None:
    roots = {tmp_path / f"{kind},{case}": (kind, case) for kind in KINDS for case in TOGETHER}
    for root, (kind, _) in roots.items():
        write_tokens(Paths(root))
        write_encoder(Paths(root).encoder)
        write_kind(Paths(root), kind)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    common = os.environ | {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tests.stages.finetune.training.two_processes", str(tmp_path)]
    logs = [tmp_path.with_name(f"rank-{rank}.log") for rank in range(2)]
    with ExitStack() as stack:
        processes = [
            subprocess.Popen(
                command,
                cwd=ROOT,
                env=common | {"LOCAL_RANK": str(rank), "NODE_RANK": "0"},
                stdout=stack.enter_context(log.open("w")),
                stderr=subprocess.STDOUT,
            )
            for rank, log in enumerate(logs)
        ]
        for process in processes:
            stack.callback(process.kill)
        codes = [process.wait(timeout=300) for process in processes]
    assert codes == [0, 0], [log.read_text()[-3000:] for log in logs]
    for root, (_, case) in roots.items():
        paths = Paths(root)
        whole = params(**TOGETHER[case] | {"batch_size": 14}).finetune
        weights = WEIGHTS if "class_weights" in TOGETHER[case] else None
        assert_same_end(read_training(paths), plain_loop(paths, whole, class_weights=weights))
