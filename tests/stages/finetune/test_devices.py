import importlib.util
from pathlib import Path

import pytest
import torch
from torch import nn

from stages.errors import TrainingError
from stages.finetune.devices import check_devices, compiled, device_name, make_loggers, precision_name

from .conftest import tiny_models


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.mark.usefixtures("no_gpu")
def test_a_gpu_that_is_not_there() -> None:
    with pytest.raises(TrainingError, match=r"finetune.accelerator is gpu, but PyTorch sees no GPU here"):
        check_devices("gpu", 1)
    check_devices("auto", 1)


def test_more_gpus_than_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(TrainingError, match=r"finetune.devices is 3, but PyTorch sees 2 GPU here. Set it to 2 or less"):
        check_devices("auto", 3)
    check_devices("auto", 2)


@pytest.mark.usefixtures("no_gpu")
def test_auto_is_32_bits_without_a_gpu() -> None:
    assert precision_name("auto", "auto") == "32-true"
    assert precision_name("bf16", "cpu") == "bf16-mixed"


@pytest.mark.parametrize(("does_bf16", "name"), [(True, "bf16-mixed"), (False, "32-true")])
def test_auto_is_bf16_where_a_gpu_computes_in_it(monkeypatch: pytest.MonkeyPatch, does_bf16: bool, name: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: does_bf16)
    assert precision_name("auto", "auto") == name
    assert precision_name("auto", "cpu") == "32-true"


@pytest.mark.usefixtures("no_gpu")
def test_nothing_is_compiled_on_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nn.Module, "compile", lambda *args, **kwargs: pytest.fail("compiled"))
    compiled(tiny_models()["bert"], wanted=True, accelerator="auto")


def test_on_a_gpu_each_layer_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[nn.Module] = []
    monkeypatch.setattr("stages.finetune.devices.on_gpu", lambda accelerator: True)
    monkeypatch.setattr(nn.Module, "compile", lambda module: done.append(module))
    model = tiny_models()["bert"]
    compiled(model, wanted=True, accelerator="auto")
    assert done == list(model.bert.encoder.layer)


def test_a_logger_whose_package_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(TrainingError, match=r"names mlflow, but its package is not installed. .*retune\[mlflow\]"):
        make_loggers(["mlflow"], tmp_path)
    assert make_loggers([], tmp_path) == []


@pytest.mark.usefixtures("no_gpu")
def test_where_the_training_will_be(monkeypatch: pytest.MonkeyPatch) -> None:
    assert device_name("auto") == "cpu"
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert (device_name("auto"), device_name("cpu")) == ("mps", "cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert (device_name("auto"), device_name("cpu")) == ("cuda", "cpu")
