"""What PyTorch can use on this machine, as a line of JSON. No stage imports it: `retune doctor` runs it.

Example: python -m stages.hardware
"""

import json
import os
import sys
from typing import Any

import torch

from stages.model.bf16 import bf16_units


def describe_hardware() -> dict[str, Any]:
    """Return the torch build, the GPUs, their memory (GiB), whether they have bf16, and the CPU's units for it."""
    gpus = [torch.cuda.get_device_properties(index) for index in range(torch.cuda.device_count())]
    return {
        "torch": torch.__version__,
        "cuda_build": torch.version.cuda,
        "gpus": [{"name": gpu.name, "memory_gib": round(gpu.total_memory / 2**30, 1)} for gpu in gpus],
        "gpu_bf16": bool(gpus) and torch.cuda.is_bf16_supported(including_emulation=False),
        "mps": torch.backends.mps.is_available(),
        "cpu_bf16": bf16_units(),
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(describe_hardware()) + "\n")
