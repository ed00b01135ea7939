from collections.abc import Iterator
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel

from stages.finetune import prepare
from stages.finetune.acceleration.vocabulary import CompactEmbedding
from stages.finetune.batches import TokenRows
from stages.finetune.devices import Device
from stages.finetune.encoder import load_encoder
from stages.finetune.inputs import read_inputs
from stages.finetune.prepare import prepared
from stages.paths import Paths
from tests.stages.finetune.runs import CPU, options
from tests.stages.finetune.tiny import LABELS

GPU = Device("cuda", precision="bf16-mixed")


@pytest.fixture
def model(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> Iterator[PreTrainedModel]:
    """A tiny BERT that stays on the CPU, whatever device it is sent to."""
    model = load_encoder(paths.encoder, labels=LABELS)
    monkeypatch.setattr(type(model), "to", lambda self, *args: self)
    return model


@pytest.mark.parametrize(
    ("device", "packing", "packed"),
    [(GPU, True, True), (GPU, False, False), (Device("cuda"), True, False), (CPU, True, False)],
)
def test_rows_are_packed_on_a_gpu_in_bf16(
    paths: Paths, model: PreTrainedModel, device: Device, packing: bool, packed: bool
) -> None:
    with prepared(model, read_inputs(paths), options(packing=packing), device) as ready:
        assert ready.notes.get("packed", False) == packed
        assert isinstance(ready.train, TokenRows)
        assert (ready.train.packed_from is not None) == packed


@pytest.mark.parametrize(("compact", "device"), [(True, CPU), (False, CPU), (True, Device("mps"))])
def test_the_embeddings_are_compacted_while_training_runs(
    paths: Paths, model: PreTrainedModel, compact: bool, device: Device
) -> None:
    with prepared(model, read_inputs(paths), options(compact_vocabulary=compact), device) as ready:
        changed = compact and device != Device("mps")
        assert isinstance(model.get_input_embeddings(), CompactEmbedding) == changed
        assert ("vocabulary" in ready.notes) == changed == bool(ready.callbacks)
    assert type(model.get_input_embeddings()) is torch.nn.Embedding


@pytest.mark.parametrize("wanted", [True, False])
def test_the_model_is_compiled_if_the_options_say_so(
    paths: Paths, model: PreTrainedModel, monkeypatch: pytest.MonkeyPatch, wanted: bool
) -> None:
    calls: list[tuple[Any, ...]] = []
    monkeypatch.setattr(prepare, "compile_layers", lambda *args: calls.append(args))
    with prepared(model, read_inputs(paths), options(compile=wanted), CPU):
        assert calls == ([(model, CPU)] if wanted else [])
