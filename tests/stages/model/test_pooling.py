"""A head reads the vector that it should, of padded and packed rows alike, and is the same after it is read again."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from stages.errors import ModelError
from stages.inference.loading import load_model
from stages.model.heads import give_head, load_retune_head
from stages.model.layers import first_token_only
from stages.model.packed import attend_packed, can_pack, pack_rows
from stages.model.pooling import pool, pooling_of
from stages.model.positions import first_position
from stages.model_folder import check_model_folder
from tests.stages.finetune.kinds import kind_model
from tests.stages.finetune.tiny import tiny_models

POOLINGS = ["cls", "mean", "last"]
ROWS = [[2, 12, 30, 41, 3], [2, 11, 3], [2, 14, 50, 15, 16, 17, 3], [2, 3]]


def padded(rows: list[list[int]], width: int = 9) -> dict[str, Any]:
    """Return rows as a batch that is wider than the longest."""
    ids, mask = (np.zeros((len(rows), width), dtype=np.int64) for _ in range(2))
    for at, row in enumerate(rows):
        ids[at, : len(row)], mask[at, : len(row)] = row, 1
    return {"input_ids": ids, "attention_mask": mask}


def logits(model: PreTrainedModel, rows: list[list[int]], **options: Any) -> Tensor:
    with torch.no_grad():
        return model(**{name: torch.from_numpy(values) for name, values in padded(rows, **options).items()}).logits


def with_head(model: PreTrainedModel, pooling: Any, hidden: int | None = None) -> PreTrainedModel:
    model.config.pad_token_id = 0
    give_head(model, pooling=pooling, hidden=hidden, dropout=0.3)
    return model.eval()


@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_rows_vector_is_of_its_tokens_alone_padded_or_packed(pooling: str) -> None:
    rows = [torch.randn(length, 5) for length in (3, 1, 6)]
    expected = torch.stack([{"cls": row[0], "mean": row.mean(0), "last": row[-1]}[pooling] for row in rows])
    hidden, mask = torch.full((3, 8, 5), torch.inf), torch.zeros(3, 8, dtype=torch.long)  # padding spoils what reads it
    for at, row in enumerate(rows):
        hidden[at, : len(row)], mask[at, : len(row)] = row, 1
    torch.testing.assert_close(pool(pooling, hidden, mask), expected)
    for at, row in enumerate(rows):  # padded on the left
        hidden[at], mask[at] = hidden[at].roll(8 - len(row), 0), mask[at].roll(8 - len(row), 0)
    torch.testing.assert_close(pool(pooling, hidden, mask), expected)
    starts = torch.tensor([0, 3, 4, 10], dtype=torch.int32)
    torch.testing.assert_close(pool(pooling, torch.cat(rows)[None], None, starts), expected)
    torch.testing.assert_close(pool(pooling, rows[0][None], None), expected[:1])


@pytest.mark.parametrize("hidden", [None, 7])
@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("kind", [*sorted(tiny_models()), "xlm", "xlnet", "nomic_bert"])
def test_any_architecture_reads_it_and_is_read_again(tmp_path: Path, kind: str, pooling: str, hidden: int) -> None:
    model = with_head(tiny_models().get(kind) or kind_model(kind), pooling, hidden)
    together, alone = logits(model, ROWS), torch.cat([logits(model, [row], width=len(row)) for row in ROWS])
    if kind != "xlnet":  # its positions count from the end of the batch
        torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)
    model.save_pretrained(tmp_path)
    check_model_folder(tmp_path, name="ours")
    for loaded in (load_model(tmp_path).cpu().float(), load_retune_head(tmp_path)):
        if loaded is not None:  # ModernBERT's own head
            assert loaded.state_dict().keys() == model.state_dict().keys()
            torch.testing.assert_close(logits(loaded, ROWS), together)


@pytest.mark.parametrize("kind", sorted(tiny_models()))
def test_transformers_alone_reads_the_same_or_refuses(tmp_path: Path, kind: str) -> None:
    model = with_head(tiny_models()[kind], "mean")
    model.save_pretrained(tmp_path)
    if kind == "modernbert":
        assert "retune_head" not in json.loads((tmp_path / "config.json").read_text())
        torch.testing.assert_close(
            logits(AutoModelForSequenceClassification.from_pretrained(tmp_path), ROWS), logits(model, ROWS)
        )
    else:
        with pytest.raises(RuntimeError, match="mismatch"):
            AutoModelForSequenceClassification.from_pretrained(tmp_path)


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("kind", [kind for kind, model in tiny_models().items() if can_pack(model)])
def test_packed_rows_give_the_same_logits(kind: str, pooling: str) -> None:
    model = with_head(tiny_models()[kind], pooling)
    expected = logits(model, ROWS)
    assert not first_token_only(model)
    attend_packed(model)
    packed = pack_rows(padded(ROWS), first_position=first_position(model))
    with torch.no_grad():
        found = model(**packed).logits
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_no_pooling_leaves_the_architectures_own_head() -> None:
    model = tiny_models()["bert"].eval()
    before, state = logits(model, ROWS), list(model.state_dict())
    give_head(model, pooling=None, hidden=None, dropout=0.3)
    assert pooling_of(model.config) is None
    assert list(model.state_dict()) == state
    assert torch.equal(logits(model, ROWS), before)


def test_what_the_head_does_not_read_has_no_weights() -> None:
    names = with_head(tiny_models()["roberta"], "mean").state_dict().keys()
    assert [name for name in names if not name.startswith("roberta.")] == [
        "classifier.out_proj.weight",
        "classifier.out_proj.bias",
    ]
    assert not [name for name in with_head(tiny_models()["bert"], "mean").state_dict() if "pooler" in name]


@pytest.mark.parametrize("head", [{"pooling": "max"}, {"pooling": ["mean"]}, {"hidden": 0, "pooling": "mean"}, {}])
def test_a_damaged_note_of_the_head_is_refused(tmp_path: Path, head: dict[str, Any]) -> None:
    tiny_models()["bert"].save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"retune_head": {"hidden": None, "dropout": 0.1} | head}))
    with pytest.raises(ModelError, match="retune_head: .*expected hidden and dropout, and pooling if any"):
        check_model_folder(tmp_path, name="theirs")
