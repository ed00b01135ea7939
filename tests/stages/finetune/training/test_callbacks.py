import logging
from typing import Any

import pytest
import torch

from stages.errors import TrainingError
from stages.finetune.training import checkpoints
from stages.paths import Paths
from tests.stages.finetune.runs import build, train


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_stops_and_names_rows_and_leaves_the_last_good_checkpoint(
    paths: Paths, value: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "EPOCH_SECONDS", 0)
    module = build(paths)
    step = module.training_step

    def breaks(batch: Any, batch_idx: int) -> torch.Tensor:
        loss = step(batch, batch_idx)
        return loss * value if module.current_epoch == 1 and batch_idx == 2 else loss

    module.training_step = breaks  # type: ignore[method-assign]
    with pytest.raises(
        TrainingError, match=r"The loss is (nan|inf) in epoch 2, batch 3, on rows \[\d+, .*\] of rows.parq"
    ):
        train(paths, module)
    (last,) = (paths.checkpoints / "1/1").glob("last-*.ckpt")
    state = torch.load(last, weights_only=True)
    assert state["epoch"] == 0
    assert all(values.isfinite().all() for values in state["state_dict"].values())


def out_of_memory(module: Any, rows: int) -> None:
    """Let batches of more than some rows fail as on a GPU whose memory is full."""
    step = module.training_step

    def fails(batch: Any, batch_idx: int) -> torch.Tensor:
        if len(batch["labels"]) > rows:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return step(batch, batch_idx)

    module.training_step = fails


def test_a_batch_that_does_not_fit_comes_in_parts_to_the_same_effect(
    paths: Paths, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="stages")
    weights = []
    for rows in (18, 9):
        module = build(paths)
        for layer in module.modules():
            if isinstance(layer, torch.nn.Dropout):
                layer.p = 0.0  # its numbers differ with the size of a batch
        out_of_memory(module, rows)
        fitted = train(paths, module, batch_size=18)  # 90 rows: no short batch
        weights.append(module.model.classifier.weight.detach().clone())
    assert torch.allclose(weights[0], weights[1], atol=1e-4)
    assert len(fitted.curve) == 3
    assert "each is split into 2 parts, with the same effective batch size" in caplog.text


def test_one_row_that_does_not_fit(paths: Paths) -> None:
    module = build(paths)
    out_of_memory(module, 0)
    with pytest.raises(TrainingError, match=r"A single row of \d+ tokens does not fit in the GPU's memory"):
        train(paths, module)
