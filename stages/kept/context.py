"""Everything that decides a row's bits beside its tokens, as one hash: weights, config, code, libraries, processor."""

import hashlib
import importlib.metadata
import json
import os
import platform
from collections.abc import Collection, Iterable
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel

from stages.kept.code import code_hash

LIBRARIES = ("torch", "transformers", "numpy")
SWITCHES = (  # of libraries that multiply matrices
    *("MKL_", "ONEDNN_", "DNNL_", "OPENBLAS_", "VECLIB_", "ATEN_", "TORCH_", "KMP_", "OMP_", "GOMP_"),
    *("CUBLAS_", "CUDNN_", "NVIDIA_TF32_"),
)
OF_NO_RESULT = (
    *("KMP_DUPLICATE_LIB_OK", "KMP_INIT_AT_FORK"),  # which scikit-learn sets when it is imported
    "OMP_NUM_THREADS",  # which `retune run --jobs` sets; the keys of long rows have the number of threads
    *("GOMP_SPINCOUNT", "OMP_WAIT_POLICY"),  # how a thread waits
)
# of /proc/cpuinfo: a virtual machine may call any processor "AMD EPYC", and an ARM processor has no name there
PROCESSOR = (
    *("model name", "cpu family", "model", "stepping", "cache size", "flags"),
    *("CPU implementer", "CPU architecture", "CPU variant", "CPU part", "Features"),
)
OF_LABELS = ("id2label", "label2id", "problem_type", "retune_head")  # of a config: no encoder reads it


def context_of(model: PreTrainedModel, what: str) -> bytes:
    """Return the context of a whole model's outputs.

    Args:
        model: In the state in which it computes.
        what: Names what is kept of its output.
    """
    return _hash(model, model, what, skip=())


def encoder_context(model: PreTrainedModel, what: str, *, without: str) -> bytes:
    """Return the context of the encoder's outputs, whatever head and labels the model has.

    Args:
        model: The classifier, in the state in which it computes.
        what: Names what is kept of the encoder's output.
        without: Name of a module of the encoder that comes after what is kept.
    """
    return _hash(model, model.base_model, what, skip=OF_LABELS, without=without)


def _hash(
    model: PreTrainedModel, part: nn.Module, what: str, *, skip: Collection[str], without: str | None = None
) -> bytes:
    config = {key: value for key, value in model.config.to_dict().items() if key not in ("_name_or_path", *skip)}
    facts = {
        "what": what,
        "class": type(part).__name__,
        "config": config,
        "attention": model.config._attn_implementation,
        "code": code_hash(),
        "libraries": {name: importlib.metadata.version(name) for name in LIBRARIES},
        "build": torch.__config__.show(),  # one version of torch is built with several libraries of matrix products
        "machine": _machine(model.device),
    }
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode())
    for name, tensor in part.state_dict().items():
        if without is None or not name.startswith(f"{without}."):
            digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
            digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.digest()


def _machine(device: torch.device) -> dict[str, Any]:
    """Return what makes the same code add in another order: processor and switches."""
    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "processor": _processor(),
        "vectors": torch.backends.cpu.get_cpu_capability(),
        "products": [torch.get_float32_matmul_precision(), torch.backends.mkldnn.enabled],
        "switches": _switches(),
    }


def _switches() -> dict[str, str]:
    """Return the variables that change how libraries compute, the same before and after any import."""
    names = sorted(name for name in os.environ if name.startswith(SWITCHES) and name not in OF_NO_RESULT)
    return {name: os.environ[name] for name in names}


@cache
def _processor() -> list[str]:
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
    return processor_facts(lines) or [platform.machine(), platform.processor()]


def processor_facts(cpuinfo: Iterable[str]) -> list[str]:
    """Return what decides how libraries compute, of the lines of /proc/cpuinfo: the same on any core, at any time."""
    return sorted({line for line in cpuinfo if line.partition(":")[0].strip() in PROCESSOR})
