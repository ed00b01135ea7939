import logging
from typing import Any

import pytest
import torch
from torch import nn

from stages.errors import TrainingError
from stages.finetune.devices import Device, checkpoint_layers, compile_layers, detect_device
from tests.stages.finetune.kinds import kind_model
from tests.stages.finetune.runs import options
from tests.stages.finetune.tiny import tiny_models


def machine(
    monkeypatch: pytest.MonkeyPatch, *, gpus: int = 0, bf16: bool = True, mps: bool = False, units: str | None = None
) -> None:
    """Let PyTorch see a machine with some GPUs."""
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: bf16)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {units: True} if units else {})


@pytest.mark.parametrize(
    ("there", "asked", "expected"),
    [
        ({}, {"accelerator": "auto"}, Device("cpu", 1, "auto", "32-true")),
        ({}, {"accelerator": "cpu", "precision": "bf16"}, Device("cpu", 1, "auto", "bf16-mixed")),
        ({}, {"accelerator": "cpu", "devices": 2, "strategy": "ddp"}, Device("cpu", 2, "ddp", "32-true")),
        ({}, {"accelerator": "cpu", "strategy": "ddp"}, Device("cpu", 1, "ddp", "32-true")),
        ({"gpus": 1}, {"accelerator": "auto"}, Device("cuda", 1, "auto", "bf16-mixed")),
        ({"gpus": 2}, {"accelerator": "gpu", "devices": 2}, Device("cuda", 2, "ddp", "bf16-mixed")),
        ({"gpus": 1, "bf16": False}, {"accelerator": "auto"}, Device("cuda", 1, "auto", "16-mixed")),
        ({"gpus": 1, "bf16": False}, {"accelerator": "auto", "precision": "32"}, Device("cuda", 1, "auto", "32-true")),
        ({"gpus": 1}, {"accelerator": "gpu", "precision": "fp16"}, Device("cuda", 1, "auto", "16-mixed")),
        ({"gpus": 1}, {"accelerator": "gpu", "precision": "32"}, Device("cuda", 1, "auto", "32-true")),
        ({"gpus": 1}, {"accelerator": "cpu"}, Device("cpu", 1, "auto", "32-true")),
        ({"mps": True}, {"accelerator": "auto"}, Device("mps", 1, "auto", "32-true")),
        ({"mps": True}, {"accelerator": "cpu"}, Device("cpu", 1, "auto", "32-true")),
        ({"units": "amx_bf16"}, {}, Device("cpu", 1, "auto", "bf16-mixed")),
        ({"units": "avx512_bf16"}, {}, Device("cpu", 1, "auto", "bf16-mixed")),
        ({"units": "avx512_f"}, {}, Device("cpu", 1, "auto", "32-true")),
        ({"units": "amx_bf16"}, {"precision": "32"}, Device("cpu", 1, "auto", "32-true")),
        ({"units": "amx_bf16"}, {"method": "frozen"}, Device("cpu", 1, "auto", "32-true")),
        ({"units": "amx_bf16", "mps": True}, {"accelerator": "auto"}, Device("mps", 1, "auto", "32-true")),
        (
            {"units": "amx_bf16", "gpus": 1, "bf16": False},
            {"accelerator": "auto"},
            Device("cuda", 1, "auto", "16-mixed"),
        ),
    ],
)
def test_the_device_is_what_the_options_ask_of_the_machine(
    monkeypatch: pytest.MonkeyPatch, there: dict[str, Any], asked: dict[str, Any], expected: Device
) -> None:
    machine(monkeypatch, **there)
    assert detect_device(options(**{"precision": "auto"} | asked)) == expected


def test_a_torch_that_can_not_be_asked_for_units_trains_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch)
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert detect_device(options(precision="auto")).precision == "32-true"


def test_a_gpu_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch)
    with pytest.raises(TrainingError, match=r"finetune.accelerator is gpu, but PyTorch sees no GPU on this machine"):
        detect_device(options(accelerator="gpu"))


@pytest.mark.parametrize(("there", "gpus"), [({"gpus": 2}, 2), ({"mps": True}, 1)])
def test_more_gpus_than_there_are(monkeypatch: pytest.MonkeyPatch, there: dict[str, Any], gpus: int) -> None:
    machine(monkeypatch, **there)
    with pytest.raises(
        TrainingError, match=rf"finetune.devices is 3, but .* PyTorch sees is {gpus}. Set .* to {gpus} or less"
    ):
        detect_device(options(accelerator="auto", devices=3))


@pytest.mark.parametrize(("there", "kind"), [({}, "cpu"), ({"mps": True}, "mps"), ({"gpus": 1}, "cpu")])
def test_fp16_needs_a_cuda_gpu(monkeypatch: pytest.MonkeyPatch, there: dict[str, Any], kind: str) -> None:
    machine(monkeypatch, **there)
    accelerator = "cpu" if "gpus" in there else "auto"
    with pytest.raises(
        TrainingError, match=rf"precision is fp16, but the training runs on {kind}, .* Set finetune.precision to auto"
    ):
        detect_device(options(accelerator=accelerator, precision="fp16"))


def test_bf16_that_the_gpu_emulates(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    machine(monkeypatch, gpus=1, bf16=False)
    assert detect_device(options(accelerator="gpu", precision="bf16")).precision == "bf16-mixed"
    assert "this GPU emulates bf16, which is slow" in caplog.text


@pytest.mark.parametrize("kind", ["albert", "funnel", "mpnet", "xlnet"])
def test_layers_that_can_not_be_computed_again(kind: str) -> None:
    with pytest.raises(
        TrainingError,
        match=f"gradient_checkpointing is true, but transformers does not support it for {kind}. Set it to false",
    ):
        checkpoint_layers(kind_model(kind))


def test_layers_are_compiled_on_a_gpu_and_nowhere_else(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    compiled: list[nn.Module] = []
    monkeypatch.setattr(nn.Module, "compile", lambda module: compiled.append(module))
    model = tiny_models()["bert"]
    compile_layers(model, Device("cuda"))
    assert compiled == list(model.bert.encoder.layer)
    with caplog.at_level(logging.INFO, logger="stages"):
        compile_layers(model, Device("cpu"))
    assert len(compiled) == 2
    assert "finetune.compile is ignored on cpu" in caplog.text
