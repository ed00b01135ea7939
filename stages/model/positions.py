"""Position embeddings of an encoder: the number of a row's first position, and how many tokens fit."""

from transformers import PretrainedConfig

OFFSET_POSITIONS = ("roberta", "xlm-roberta", "camembert")  # count from the id of the padding token plus 1


def first_position(config: PretrainedConfig) -> int:
    """Return the number of a row's first position."""
    return int(config.pad_token_id) + 1 if config.model_type in OFFSET_POSITIONS else 0


def max_tokens(config: PretrainedConfig) -> int | None:
    """Return how many tokens the encoder has positions for; None where there is no limit."""
    positions: int | None = getattr(config, "max_position_embeddings", None)
    return positions if positions is None else positions - first_position(config)
