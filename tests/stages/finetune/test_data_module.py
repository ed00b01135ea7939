from typing import Any

import pytest

from stages.finetune.data_module import FinetuneData
from stages.finetune.devices import Device
from stages.paths import Paths
from tests.stages.finetune.runs import options, rows


def sizes(batches: Any, *, padded: bool = False) -> list[int]:
    """Return the rows, or the tokens with padding, of each batch."""
    return [batch["input_ids"].numel() if padded else len(batch["labels"]) for batch in batches]


@pytest.mark.parametrize("batch_size", [8, 16])
def test_batches_have_the_rows_that_the_options_say(paths: Paths, batch_size: int) -> None:
    data = rows(paths, options(batch_size=batch_size))
    assert max(sizes(data.train_dataloader())) == batch_size
    assert sum(sizes(data.train_dataloader())) == 90
    assert max(sizes(data.val_dataloader())) == min(30, 4 * batch_size)  # val needs no gradients


def test_no_batch_has_more_tokens_than_the_options_say(paths: Paths) -> None:
    data = rows(paths, options(max_tokens_per_batch=60))
    assert 40 < max(sizes(data.train_dataloader(), padded=True)) <= 60
    assert 160 < max(sizes(data.val_dataloader(), padded=True)) <= 240


def test_the_seed_decides_the_order_of_train(paths: Paths) -> None:
    def order(seed: int) -> list[int]:
        return [int(row) for batch in rows(paths, options(), seed=seed).train_dataloader() for row in batch["rows"]]

    assert order(1) == order(1) != order(2)
    assert sorted(order(1)) == sorted(order(2))


def test_parts_of_a_batch_have_its_rows_together(paths: Paths) -> None:
    data = rows(paths, options(batch_size=18))
    whole = [sorted(batch["rows"].tolist()) for batch in data.train_dataloader()]
    data.split_batches(2)
    parts = [batch["rows"].tolist() for batch in data.train_dataloader()]
    assert [sorted(parts[i] + parts[i + 1]) for i in range(0, len(parts), 2)] == whole
    assert max(sizes(data.val_dataloader())) == 30


def test_the_share_of_real_tokens_counts_padding(paths: Paths) -> None:
    data = rows(paths, options())
    real = sum(int(batch["attention_mask"].sum()) for batch in data.train_dataloader())
    assert data.real_token_share() == pytest.approx(real / sum(sizes(data.train_dataloader(), padded=True)))
    assert data.real_token_share() < 1


def test_batches_come_from_the_workers_that_are_asked_for(paths: Paths) -> None:
    """That they change no batch is a test of the whole stage."""
    assert [rows(paths, options(), num_workers=count).train_dataloader().num_workers for count in (0, 2)] == [0, 2]


def test_memory_is_pinned_for_a_cuda_gpu_alone(paths: Paths) -> None:
    data = rows(paths, options())
    assert not data.train_dataloader().pin_memory
    data = FinetuneData(data.train, data.val, options(), Device("cuda"), seed=1)
    assert data.train_dataloader().pin_memory
