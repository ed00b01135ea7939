"""The model's own table of positions says how many tokens fit: so many work, and one more does not."""

import pytest
import torch

from stages.model.positions import first_position, max_tokens, table_tokens
from tests.stages.tiny_classifiers import tiny_classifier

FROM_0 = "albert bert big_bird convbert ctrl deberta distilbert electra gpt2 megatron-bert mobilebert openai-gpt xlm"
FROM_PADDING = "camembert data2vec-text ibert longformer luke roberta roberta-prelayernorm xlm-roberta"
OFFSET = "bart biogpt mbart mra nystromformer opt plbart yoso"  # a table of more rows than positions
NO_TABLE = "gpt_neox llama modernbert qwen2"


def fits(kind: str, tokens: int, **changes: int) -> bool:
    model = tiny_classifier(kind, pad_token_id=changes.pop("pad_token_id", 0), **changes)
    ids = torch.full((1, tokens), 10)
    ids[0, -1] = 3
    try:
        model(input_ids=ids, attention_mask=torch.ones_like(ids))
    except (IndexError, RuntimeError):
        return False
    return True


@pytest.mark.parametrize(
    ("kind", "first", "most"),
    [(kind, 0, 66) for kind in FROM_0.split()]
    + [(kind, 1, 65) for kind in FROM_PADDING.split()]
    + [(kind, 2, 66) for kind in OFFSET.split()]
    + [("mpnet", 2, 64)],
)
def test_as_many_tokens_fit_as_the_table_has_positions(kind: str, first: int, most: int) -> None:
    model = tiny_classifier(kind, pad_token_id=0)
    assert (first_position(model), max_tokens(model)) == (first, most)
    assert table_tokens(model) == (None if kind == "ctrl" else most)  # its table is no module, and as hard a limit
    assert fits(kind, most)
    assert not fits(kind, most + 1)


@pytest.mark.parametrize("kind", ["mpnet", "roberta"])
def test_positions_count_from_the_padding_token(kind: str) -> None:
    model = tiny_classifier(kind, pad_token_id=5)
    assert first_position(model) == (6 if kind == "roberta" else 2)  # MPNet counts from 1 whatever its config says
    assert fits(kind, max_tokens(model) or 0, pad_token_id=5)
    assert not fits(kind, (max_tokens(model) or 0) + 1, pad_token_id=5)


@pytest.mark.parametrize("kind", NO_TABLE.split())
def test_computed_positions_have_the_number_of_the_config_which_is_no_limit(kind: str) -> None:
    model = tiny_classifier(kind)
    assert (first_position(model), max_tokens(model), table_tokens(model)) == (0, 66, None)
    assert fits(kind, 100)


@pytest.mark.parametrize("kind", ["bloom", "t5", "xlnet"])
def test_relative_positions_have_no_limit(kind: str) -> None:
    assert max_tokens(tiny_classifier(kind)) is None
