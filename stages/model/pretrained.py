"""Reads a checked model folder with transformers: local files, safetensors, and no code that comes with the folder."""

from pathlib import Path
from typing import Any

from transformers import AutoConfig, PretrainedConfig

from stages.model.outputs import named_outputs

SAFE = {"local_files_only": True, "trust_remote_code": False}


def read_config(folder: Path, **changes: Any) -> PretrainedConfig:
    """Return the config of a folder, with some values changed, of a model that returns its outputs by name."""
    config: PretrainedConfig = AutoConfig.from_pretrained(folder, **SAFE, **changes)
    return named_outputs(config)


def read_weights(
    model_class: Any, folder: Path, config: PretrainedConfig, **options: Any
) -> tuple[Any, dict[str, Any]]:
    """Return the model of a folder, and what transformers says of its weights; a weight of another shape starts anew.

    Args:
        model_class: A class with `from_pretrained`.
        folder: Has model.safetensors, or its index.
        config: From `read_config`.
        options: Further arguments, such as dtype.

    Raises:
        OSError, ValueError, RuntimeError, safetensors.SafetensorError: A file can't be read.
    """
    model, report = model_class.from_pretrained(
        folder,
        config=config,
        **SAFE,
        use_safetensors=True,
        ignore_mismatched_sizes=True,
        output_loading_info=True,
        **options,
    )
    return model, report
