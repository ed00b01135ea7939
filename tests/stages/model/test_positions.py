import pytest
from transformers import BertConfig, GPT2Config, PretrainedConfig, RobertaConfig

from stages.model.positions import first_position, max_tokens


@pytest.mark.parametrize(
    ("config", "first", "most"),
    [
        (RobertaConfig(max_position_embeddings=514, pad_token_id=1), 2, 512),
        (BertConfig(max_position_embeddings=512, pad_token_id=0), 0, 512),
        (GPT2Config(n_positions=40, pad_token_id=3), 0, 40),
    ],
)
def test_roberta_loses_positions_to_padding(config: PretrainedConfig, first: int, most: int) -> None:
    assert (first_position(config), max_tokens(config)) == (first, most)


def test_positions_without_a_limit() -> None:
    assert max_tokens(PretrainedConfig()) is None
