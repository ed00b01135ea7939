"""What a model answers, whatever its config.json asks for."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from transformers import PretrainedConfig

from stages.errors import ModelError

ANSWERS = {
    "return_dict": True,  # outputs by name, not a tuple
    "output_attentions": False,  # takes memory, and no answer depends on it
    "output_hidden_states": False,
    "output_router_logits": False,  # of experts, a tuple of a tensor per layer: pipelines cut it as one per text
    "use_mems_eval": False,  # XLNet's, for a text that goes on: the same
    "chunk_size_feed_forward": 0,  # in one piece: pieces fit some lengths only, and compute the same
}


def named_outputs(config: PretrainedConfig) -> PretrainedConfig:
    """Return the config changed so that its model returns outputs by name, those that are needed, for any length."""
    for key, value in ANSWERS.items():
        if hasattr(config, key):
            setattr(config, key, value)
    if getattr(config, "attention_type", None) == "block_sparse":
        config.attention_type = "original_full"  # BigBird: sparse depends on the longest row of a batch, and on chance
    return config


@contextmanager
def compute_errors(what: str, *, advice: str) -> Iterator[None]:
    """Turn what transformers and PyTorch raise where a config.json asks for what can't be computed into one line.

    Args:
        what: What the block computes: bert can't compute a text.
        advice: What to do, in a sentence.

    Raises:
        ModelError: The block raised one of these. A full memory stays what it is.
    """
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except (ArithmeticError, LookupError, NotImplementedError, RuntimeError, TypeError, ValueError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelError(f"{what} with the values of its config.json ({reason[:200]}). {advice}") from error
