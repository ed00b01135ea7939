"""What a model answers, whatever its config.json asks for."""

from transformers import PretrainedConfig

ANSWERS = {
    "return_dict": True,  # outputs by name, not a tuple
    "output_attentions": False,  # takes memory, and no answer depends on it
    "output_hidden_states": False,
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
