import numpy as np
import pytest
import torch

from stages.finetune.batches import POOL_BATCHES, LengthBuckets, TokenRows, val_batches
from stages.paths import Paths
from stages.tokens import open_tokens
from tests.stages.finetune.runs import options, rows

LENGTHS = np.random.default_rng(0).integers(3, 60, size=1003)


@pytest.mark.parametrize("size", [1, 31, 32, 33, 32 * POOL_BATCHES + 5])
def test_every_row_is_in_one_batch(size: int) -> None:
    sampler = LengthBuckets(np.resize(LENGTHS, size), batch_size=32, seed=1)
    batches = list(sampler)
    assert len(batches) == len(sampler)
    assert sorted(np.concatenate(batches)) == list(range(size))
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
    data = rows(paths, options(batch_size=8))
    longest = [int(batch["attention_mask"].sum(1).max()) for batch in data.train_dataloader()]
    assert longest != sorted(longest, reverse=True)
    val = [batch["input_ids"].shape[1] for batch in data.val_dataloader()]
    assert val == sorted(val, reverse=True)


def test_a_batch_has_the_rows_of_its_split(paths: Paths) -> None:
    tokens, positions = open_tokens(paths.tokens), np.array([5, 70, 119])
    split = TokenRows(tokens, positions, pad_token_id=0)
    (indices,) = val_batches(split.lengths, 8)
    batch = split[indices]
    longest = positions[np.argmax(tokens.lengths[positions])]
    assert torch.equal(batch["input_ids"][0], torch.from_numpy(tokens.row(int(longest)).astype(np.int64)))
    assert sorted(batch["labels"].tolist()) == sorted(tokens.labels[positions].tolist())
    assert sorted(batch["rows"].tolist()) == [5, 70, 119]


def test_the_largest_batch_comes_first_in_the_first_epoch() -> None:
    batches = LengthBuckets(LENGTHS, batch_size=32, seed=3).batches(0)
    sizes = [len(batch) * int(LENGTHS[batch].max()) for batch in batches]
    assert sizes[0] == max(sizes)


def test_a_limit_of_tokens_holds_for_every_batch_and_every_epoch() -> None:
    sampler = LengthBuckets(LENGTHS, batch_size=64, seed=1, max_tokens=640)
    for epoch in range(4):
        batches = sampler.batches(epoch)
        assert len(batches) == len(sampler)
        assert sorted(np.concatenate(batches)) == list(range(len(LENGTHS)))
        assert max(len(batch) * LENGTHS[batch].max() for batch in batches) <= 640
        assert max(map(len, batches)) <= 64
    assert [sampler.batches(0)[0].tolist()] != [sampler.batches(1)[0].tolist()]


def test_a_row_longer_than_the_limit_is_a_batch_of_its_own() -> None:
    batches = LengthBuckets(np.array([3, 50, 3, 3]), batch_size=8, seed=1, max_tokens=10).batches(0)
    assert sorted(sorted(batch.tolist()) for batch in batches) == [[0, 2, 3], [1]]


@pytest.mark.parametrize("parts", [2, 4])
def test_parts_of_a_batch_follow_one_another(parts: int) -> None:
    whole = LengthBuckets(LENGTHS[:1001], batch_size=32, seed=1)  # the short batch has 9 rows
    split = LengthBuckets(LENGTHS[:1001], batch_size=32, seed=1, parts=parts)
    batches = split.batches(2)
    together = [sorted(np.concatenate(batches[start : start + parts])) for start in range(0, len(batches), parts)]
    assert together == [sorted(batch) for batch in whole.batches(2)]


def test_a_run_that_goes_on_skips_what_was_done_in_its_first_epoch_alone() -> None:
    sampler = LengthBuckets(LENGTHS, batch_size=32, seed=1)
    whole = [batch.tolist() for batch in sampler]
    sampler.skip = 5
    assert [batch.tolist() for batch in sampler] == whole[5:]
    assert [batch.tolist() for batch in sampler] == whole
