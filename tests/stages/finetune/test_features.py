import numpy as np
import pytest
import torch

from stages.errors import ModelError
from stages.finetune.features import encode, kept_features
from stages.finetune.prepare import pad_token_id
from stages.paths import Paths
from stages.tokens import open_tokens

from .conftest import tiny_models

ROWS = np.arange(30)


@pytest.mark.parametrize("kind", sorted(tiny_models()))
def test_the_head_gives_the_same_from_kept_features(paths: Paths, kind: str) -> None:
    tokens, model = open_tokens(paths.tokens), tiny_models()[kind].eval()
    pad = pad_token_id(model)
    features = encode(model, tokens, ROWS, batch_size=7, pad_token_id=pad)
    sample = {name: torch.from_numpy(values) for name, values in tokens.pad(ROWS, pad_token_id=pad).items()}
    del sample["labels"]
    expected = model(**sample).logits
    with kept_features(model, features, sample):
        assert torch.allclose(model(inputs_embeds=features[:, None]).logits, expected, atol=1e-5)
        assert sum(p.numel() for p in model.parameters()) < 400  # the encoder is out of the way
    assert torch.equal(model(**sample).logits, expected)


def test_the_encoder_runs_once_per_row(paths: Paths) -> None:
    tokens, model, rows = open_tokens(paths.tokens), tiny_models()["bert"], []
    model.bert.register_forward_pre_hook(
        lambda module, args, kwargs: rows.append(len(kwargs["input_ids"])), with_kwargs=True
    )
    encode(model, tokens, ROWS, batch_size=7, pad_token_id=0)
    assert sum(rows) == len(ROWS)


def test_a_head_that_reads_more_than_one_vector(paths: Paths) -> None:
    tokens, model = open_tokens(paths.tokens), tiny_models()["roberta"]
    features = encode(model, tokens, ROWS, batch_size=7, pad_token_id=0)
    sample = {name: torch.from_numpy(values) for name, values in tokens.pad(ROWS, pad_token_id=0).items()}
    del sample["labels"]
    with (
        pytest.raises(ModelError, match=r"can't keep the features of roberta.*Set finetune.method to partial"),
        kept_features(model, features * 2, sample),
    ):
        pass
    assert model.roberta.encoder is not None
