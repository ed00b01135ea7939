import numpy as np
import pytest
import torch

from stages.finetune.batches import POOL_BATCHES, LengthBuckets, train_loader, val_loader
from stages.paths import Paths
from stages.tokens import open_tokens, read_positions

LENGTHS = np.random.default_rng(0).integers(3, 60, size=1003)


@pytest.mark.parametrize("rows", [1, 31, 32, 33, 32 * POOL_BATCHES + 5])
def test_every_row_stands_in_one_batch(rows: int) -> None:
    sampler = LengthBuckets(np.resize(LENGTHS, rows), batch_size=32, seed=1)
    batches = list(sampler)
    assert len(batches) == len(sampler)
    assert sorted(np.concatenate(batches)) == list(range(rows))
    assert sorted(len(batch) for batch in batches)[1:] == [32] * (len(batches) - 1)


def test_seed_and_epoch_alone_decide_the_order() -> None:
    def order(seed: int, epoch: int) -> list[int]:
        sampler = LengthBuckets(LENGTHS, batch_size=32, seed=seed)
        sampler.set_epoch(epoch)
        return [int(row) for batch in sampler for row in batch]

    assert order(1, 0) == order(1, 0)
    assert order(1, 0) != order(1, 1)
    assert order(1, 0) != order(2, 0)


def test_hardly_any_padding() -> None:
    sampler = LengthBuckets(LENGTHS, batch_size=32, seed=1)
    padded = sum(len(batch) * LENGTHS[batch].max() for batch in sampler)
    assert LENGTHS.sum() / padded > 0.95


def test_the_short_batch_has_no_fixed_length() -> None:
    sampler = LengthBuckets(LENGTHS, batch_size=32, seed=1)
    short = [min(sampler.batches(epoch), key=len) for epoch in range(20)]
    assert len({int(LENGTHS[batch].max()) for batch in short}) > 5


def test_train_batches_are_shuffled_and_val_batches_are_not(paths: Paths) -> None:
    tokens, train = open_tokens(paths.tokens), read_positions(paths.split("train"))
    loader = train_loader(tokens, train, batch_size=8, pad_token_id=0, seed=1)
    lengths = [int(batch["attention_mask"].sum(1).max()) for batch in loader]
    assert sum(len(batch["labels"]) for batch in loader) == len(train)
    assert lengths != sorted(lengths, reverse=True)
    val = [batch["input_ids"].shape for batch in val_loader(tokens, train, batch_size=8, pad_token_id=0)]
    assert [tokens for _, tokens in val] == sorted((tokens for _, tokens in val), reverse=True)
    assert val[0][0] == 32  # four times as many rows as in train


def test_a_batch_has_the_rows_of_its_split(paths: Paths) -> None:
    tokens, positions = open_tokens(paths.tokens), np.array([5, 70, 119])
    (batch,) = val_loader(tokens, positions, batch_size=8, pad_token_id=0)
    longest = positions[np.argmax(tokens.lengths[positions])]
    assert torch.equal(batch["input_ids"][0], torch.from_numpy(tokens.row(int(longest)).astype(np.int64)))
    assert sorted(batch["labels"].tolist()) == sorted(tokens.labels[positions].tolist())
