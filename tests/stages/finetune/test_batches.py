from collections import Counter, defaultdict
from fractions import Fraction

import numpy as np
import pytest
import torch

from stages.finetune.batches import POOL_BATCHES, TURNS, LengthBuckets, TokenRows, by_turns, val_batches
from stages.paths import Paths
from stages.tokens import open_tokens
from tests.stages.finetune.runs import options, rows

LENGTHS = np.random.default_rng(0).integers(3, 60, size=1003)


@pytest.mark.parametrize("size", [1, 31, 32, 33, 32 * POOL_BATCHES + 5])
def test_every_row_is_in_one_batch(size: int) -> None:
    sampler = LengthBuckets(np.resize(LENGTHS, size), batch_size=32, seed=1)
    batches = [part.rows for part in sampler]
    assert len(batches) == len(sampler)
    assert sorted(np.concatenate(batches)) == list(range(size))
    assert sorted(len(batch) for batch in batches)[1:] == [32] * (len(batches) - 1)


def test_seed_and_epoch_alone_decide_the_order() -> None:
    def order(seed: int, epoch: int) -> list[int]:
        sampler = LengthBuckets(LENGTHS, batch_size=32, seed=seed)
        sampler.set_epoch(epoch)
        return [int(row) for part in sampler for row in part.rows]

    assert order(1, 0) == order(1, 0)
    assert order(1, 0) != order(1, 1)
    assert order(1, 0) != order(2, 0)


@pytest.mark.parametrize(("rows", "share"), [(1003, 0.88), (8000, 0.95)])
def test_hardly_any_padding(rows: int, share: float) -> None:
    lengths = np.resize(LENGTHS, rows)
    padded = sum(len(part.rows) * lengths[part.rows].max() for part in LengthBuckets(lengths, batch_size=32, seed=1))
    assert lengths.sum() / padded > share


@pytest.mark.parametrize("rows", [480, 1003, 8000])
def test_a_label_of_the_longest_rows_is_never_far_away(rows: int) -> None:
    """Length often goes with the label: of sorted rows few batches have it, and shuffled they can be ten apart."""
    lengths = np.resize(LENGTHS, rows)
    label = lengths > np.quantile(lengths, 0.75)
    for seed in range(20):
        batches = LengthBuckets(lengths, batch_size=32, seed=seed).batches(1)
        having = np.flatnonzero([label[batch].any() for batch in batches])
        assert np.diff(having, prepend=-1, append=len(batches)).max() <= 3 * TURNS


@pytest.mark.parametrize("count", [1, 3, 4, 16, 48])
def test_each_turn_has_a_batch_of_each_range_of_lengths_longest_first(count: int) -> None:
    batches = [np.array([number]) for number in range(count)]  # given by length
    found = [int(batch[0]) for batch in by_turns(batches, np.random.default_rng(0))]
    assert sorted(found) == list(range(count))
    ranges = [number * TURNS // count for number in found] if count > TURNS else found
    assert ranges == [*range(min(TURNS, count))][::-1] * max(1, count // TURNS)


@pytest.mark.parametrize("rows", [128, 480, 1003])
def test_small_data_have_other_batches_in_each_epoch(rows: int) -> None:
    sampler = LengthBuckets(np.sort(np.resize(LENGTHS, rows)), batch_size=32, seed=1)
    first, second = ({frozenset(batch.tolist()) for batch in sampler.batches(epoch)} for epoch in (1, 2))
    assert not first & second


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


@pytest.mark.parametrize("devices", [1, 2, 3])
@pytest.mark.parametrize("parts", [1, 2, 4])
@pytest.mark.parametrize("accumulate", [1, 2, 3])
@pytest.mark.parametrize("rows", [1, 5, 96, 1001])
def test_a_step_is_the_same_rows_however_it_is_divided(
    monkeypatch: pytest.MonkeyPatch, devices: int, parts: int, accumulate: int, rows: int
) -> None:
    lengths = LENGTHS[:rows]
    whole = LengthBuckets(lengths, batch_size=12 * devices, seed=1).batches(2)
    steps = [np.concatenate(whole[start : start + accumulate]) for start in range(0, len(whole), accumulate)]
    divided = []
    for rank in range(devices):
        monkeypatch.setattr("stages.finetune.batches.rank_and_devices", lambda rank=rank: (rank, devices))
        sampler = LengthBuckets(lengths, batch_size=12, seed=1, parts=parts, accumulate=accumulate)
        divided.append(sampler.parts_of(2))
        assert len(divided[-1]) == len(sampler) == len(whole) * parts  # every device takes part in every step
    for number, step in enumerate(steps):
        pieces = [
            part for own in divided for part in own[number * accumulate * parts : (number + 1) * accumulate * parts]
        ]
        assert all(len(part.rows) for part in pieces)
        counts: dict[int, Fraction] = defaultdict(Fraction)
        for part in pieces:
            all_rows = step if part.step is None else part.step
            assert set(all_rows.tolist()) == set(step.tolist())
            for row in part.rows.tolist():
                counts[row] += Fraction(len(step), len(all_rows))
        assert counts == Counter(step.tolist())  # no row of the step counts more than another


@pytest.mark.parametrize(("limit", "expected"), [(1, 1), (3, 3), (1000, 32), (1.0, 32), (0.5, 16), (0.001, 1)])
def test_a_limit_counts_whole_batches(limit: float, expected: int) -> None:
    whole = LengthBuckets(LENGTHS[:1001], batch_size=32, seed=1)
    limited = LengthBuckets(LENGTHS[:1001], batch_size=32, seed=1, parts=2, limit=limit)
    assert len(limited.batches(1)) == len(limited) // 2 == expected
    assert [batch.tolist() for batch in limited.batches(1)] == [batch.tolist() for batch in whole.batches(1)[:expected]]


def test_a_run_that_goes_on_skips_what_was_done_in_its_first_epoch_alone() -> None:
    sampler = LengthBuckets(LENGTHS, batch_size=32, seed=1)
    whole = [part.rows.tolist() for part in sampler]
    sampler.skip = 5
    assert [part.rows.tolist() for part in sampler] == whole[5:]
    assert [part.rows.tolist() for part in sampler] == whole
