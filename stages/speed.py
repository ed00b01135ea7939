"""How fast a model computed, beside the rate at which the machine multiplies matrices."""

import logging
import math
import platform
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import nn

from stages.files import read_json, write_json

log = logging.getLogger(__name__)

SIZE = {"cpu": 1_024, "cuda": 8_192}  # rows and columns of the matrices that are multiplied to measure the rate
REPEATS = 5  # products; the fastest counts
FORWARD, BACKWARD = 2, 4  # operations per weight of a matrix and token: a product and a sum; twice that for gradients


def measured_speed(
    model: nn.Module, device: torch.device, *, tokens: int, seconds: float, rates: Path, training: bool = False
) -> dict[str, float]:
    """Return tokens per second, and the share that they take of the machine's rate; log both.

    The work that is counted is that of products with weights, so the share is a lower bound: attention, norms and
    whatever else a token costs are not in it. Frozen weights of a training are counted as if they had gradients.

    Args:
        model: Whose weights they are.
        device: Where it computed.
        tokens: How many it computed, without padding; 0: there is no speed.
        seconds: In which it did.
        rates: File with the rates that were measured before on this machine.
        training: Did it compute gradients, too?
    """
    if not tokens:
        return {}
    per_second = tokens / max(seconds, 1e-9)
    share = (FORWARD + (BACKWARD if training else 0)) * product_weights(model) * per_second / matrix_rate(device, rates)
    verb = "trained" if training else "predicted"
    log.info("%s %.0f tokens per second, %.0f%% of the rate of matrix products", verb, per_second, 100 * share)
    return {"tokens_per_second": round(per_second), "share_of_matrix_rate": round(share, 3)}


def pass_timings(
    model: nn.Module, device: torch.device, *, tokens: int, seconds: float, kept: bool, rates: Path
) -> dict[str, float]:
    """Return the timings of one pass of a model over rows, of which those that were kept before are not computed.

    Args:
        model: The model.
        device: Where it computed.
        tokens: How many it computed.
        seconds: In which it did.
        kept: Whether every row is kept now.
        rates: As in `measured_speed`.
    """
    speed = measured_speed(model, device, tokens=tokens, seconds=seconds, rates=rates)
    return {"computed_tokens": tokens, "rows_kept": int(kept), **speed}


def product_weights(model: nn.Module) -> int:
    """Return how many weights multiply a token's vector: those of matrices, but for tables of embeddings."""
    tables = {id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)}
    return sum(weight.numel() for weight in model.parameters() if weight.ndim == 2 and id(weight) not in tables)


def matrix_rate(device: torch.device, path: Path) -> float:
    """Return the operations per second of a product of two float32 matrices; measured once per machine.

    Args:
        device: Where to multiply.
        path: File with the rates so far; another processor or number of threads is another rate.
    """
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or platform.machine()
    key = f"{name}, {platform.node()}, {torch.get_num_threads()} threads, torch {torch.__version__}"
    known = _known(path)
    if key not in known:
        known[key] = _measure(device)
        with suppress(OSError):  # measured again next time
            write_json(path, known)
    return known[key]


def _known(path: Path) -> dict[str, float]:
    try:
        rates = read_json(path)
    except (OSError, ValueError, RecursionError):
        return {}
    return {key: rate for key, rate in rates.items() if _is_rate(rate)} if isinstance(rates, dict) else {}


def _is_rate(value: Any) -> bool:
    return isinstance(value, float) and 0 < value < math.inf  # NaN is not


def _measure(device: torch.device) -> float:
    size = SIZE.get(device.type, SIZE["cpu"])
    left, right = torch.ones(size, size, device=device), torch.ones(size, size, device=device)
    seconds = []
    for _ in range(REPEATS + 1):  # the first also starts threads
        start = _clock(device)
        (left @ right)[0, 0].item()  # waits for a GPU
        seconds.append(_clock(device) - start)
    return 2 * size**3 / max(min(seconds), 1e-9)


def _clock(device: torch.device) -> float:
    """Return the seconds that each thread has computed, so that a busy machine has the rate of an idle one."""
    return time.perf_counter() if device.type != "cpu" else time.process_time() / torch.get_num_threads()
