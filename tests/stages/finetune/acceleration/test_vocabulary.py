import numpy as np
import pytest
import torch
from transformers import BartConfig, BartForSequenceClassification

from stages.finetune.acceleration.vocabulary import ShrinkUnused, compact_vocabulary, restore_vocabulary, used_ids
from stages.finetune.encoder import load_encoder
from stages.paths import Paths
from stages.tokens import open_tokens
from tests.stages.finetune.runs import build, train
from tests.stages.finetune.tiny import LABELS, VOCABULARY


def use(paths: Paths) -> np.ndarray:
    """The ids that occur: the generator leaves some words out."""
    return used_ids(open_tokens(paths.tokens), np.arange(120), size=VOCABULARY, always=[0])


def test_used_ids(paths: Paths) -> None:
    tokens = open_tokens(paths.tokens)
    expected = sorted({0} | {int(token) for row in (3, 60) for token in tokens.row(row)})
    assert used_ids(tokens, np.array([3, 60]), size=VOCABULARY, always=[0]).tolist() == expected
    assert len(use(paths)) < VOCABULARY


@pytest.mark.parametrize("ema_decay", [None, 0.9])
def test_the_saved_weights_are_those_of_the_full_table(paths: Paths, ema_decay: float | None) -> None:
    results = []
    for compact in (False, True):
        module = build(paths, weight_decay=0.5, learning_rate=1e-2)
        callbacks = []
        if compact:
            cut = compact_vocabulary(module.model, use(paths))
            assert cut is not None
            callbacks = [ShrinkUnused(cut.compact)]
        train(paths, module, callbacks=callbacks, ema_decay=ema_decay)
        if compact:
            assert float(cut.compact.shrunk) < 0.999  # enough decay to see
            restore_vocabulary(module.model, cut)
        results.append(module.model.state_dict())
    assert results[0].keys() == results[1].keys()
    start = load_encoder(paths.encoder, labels=LABELS).bert.embeddings.word_embeddings.weight
    full = results[0]["bert.embeddings.word_embeddings.weight"]
    assert not torch.allclose(full[4:10], start[4:10], atol=1e-4)  # unused rows, which only decay
    for name, values in results[0].items():
        assert torch.allclose(values, results[1][name], atol=1e-5), name


def test_tied_tables_are_cut_together() -> None:
    torch.manual_seed(0)
    small = {"d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2}
    more = {"decoder_attention_heads": 2, "encoder_ffn_dim": 16, "decoder_ffn_dim": 16, "max_position_embeddings": 32}
    config = BartConfig(vocab_size=VOCABULARY, num_labels=3, eos_token_id=3, pad_token_id=0, **small, **more)
    model = BartForSequenceClassification(config).eval()
    ids = torch.tensor([[2, 12, 30, 3], [2, 11, 14, 3]])
    expected = model(ids).logits
    tables = sum(parameter.numel() for parameter in model.parameters())
    cut = compact_vocabulary(model, np.array([0, 2, 3, 11, 12, 14, 30]))
    assert cut is not None
    assert len(cut.holders) > 1
    assert torch.allclose(model(ids).logits, expected)
    assert sum(p.numel() for p in model.parameters() if p.ndim) == tables - (VOCABULARY - 7) * 16
    restore_vocabulary(model, cut)
    assert torch.allclose(model(ids).logits, expected)


@pytest.mark.parametrize("padding", [None, 0, 5, 30])  # 5: no row has it
def test_every_used_row_trains_whatever_the_padding_token(paths: Paths, padding: int | None) -> None:
    moved = []
    for compact in (False, True):
        torch.manual_seed(0)
        model = load_encoder(paths.encoder, labels=LABELS).eval()
        model.bert.embeddings.word_embeddings.padding_idx = padding
        if compact:
            assert compact_vocabulary(model, np.array([0, 2, 3, 11, 12, 30])) is not None
        model(torch.tensor([[2, 11, 30, 3], [12, 12, 2, 3]])).logits.square().sum().backward()
        grad = model.bert.embeddings.word_embeddings.weight.grad
        moved.append((grad[[2, 3, 11, 12, 30]] if not compact else grad[1:]).abs().amax(1))
    assert torch.allclose(*moved, rtol=1e-4)
    assert (moved[1] > 0).tolist() == [True] * 4 + [padding != 30]


def test_stats_of_what_it_saves(paths: Paths) -> None:
    cut = compact_vocabulary(load_encoder(paths.encoder, labels=LABELS), np.arange(20))
    assert cut is not None
    assert cut.stats() == {"rows": 60, "used": 20, "saved_mb": round(40 * 16 * 4 * 3 / 2**20, 1)}


def test_a_frozen_table_stays_whole(paths: Paths) -> None:
    model = load_encoder(paths.encoder, labels=LABELS)
    model.bert.embeddings.word_embeddings.weight.requires_grad_(False)
    assert compact_vocabulary(model, np.arange(20)) is None
    assert compact_vocabulary(model, np.arange(20), even_if_frozen=True) is not None
