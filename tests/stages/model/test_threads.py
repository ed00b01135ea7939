"""Batches side by side give what batches one after the other give, and leave nothing behind."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from transformers import PreTrainedModel

from stages.inference.forward import embeddings_of, logits_of
from stages.model.layers import first_token
from stages.model.threads import AHEAD, LONG, Forward, side_by_side
from stages.tokens import Batch
from tests.stages.finetune.kinds import kind_model
from tests.stages.finetune.tiny import tiny_models
from tests.stages.kept.test_rows import KINDS, MODELS, model_of

THREADS = 3


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    yield
    torch.set_num_threads(before)


def batches_of(*shapes: tuple[int, int]) -> list[Batch]:
    random = np.random.default_rng(0)
    ids = [random.integers(5, 30, shape) for shape in shapes]
    return [{"input_ids": each, "attention_mask": np.ones_like(each)} for each in ids]


def by_one_thread(model: PreTrainedModel, forward: Forward, batches: list[Batch]) -> list[bytes]:
    torch.set_num_threads(1)
    expected = [forward(model, batch).numpy().tobytes() for batch in batches]
    torch.set_num_threads(THREADS)
    return expected


@pytest.mark.parametrize(
    ("kind", "forward"),
    [
        (kind, forward)
        for kind in [*sorted(MODELS), *KINDS]
        for forward in (logits_of, embeddings_of)
        if kind != "funnel"
    ]
    + [("funnel", logits_of)],  # it has no vector for each token
)
def test_every_architecture_gives_the_same_bits_side_by_side(kind: str, forward: Forward) -> None:
    """Some keep the shape of a batch in themselves: so shapes come by turns here."""
    model = model_of(kind)
    batches = batches_of(*[(rows, length) for rows in (1, 2, 5) for length in (16, 4, 12, 8, 6)] * 4)
    with torch.inference_mode(), first_token(model) if forward is logits_of else nullcontext():
        expected = by_one_thread(model, forward, batches)
        outputs = side_by_side(model, forward, batches, count=len(batches))
        assert [output.numpy().tobytes() for output in outputs] == expected


def test_weights_and_buffers_are_shared_and_modules_are_not() -> None:
    model, seen, together = tiny_models()["bert"].eval(), {}, threading.Barrier(THREADS)

    def forward(each: PreTrainedModel, batch: Batch) -> torch.Tensor:
        together.wait(timeout=60)
        seen[id(each)] = each
        return torch.zeros(1, 1)

    assert len(list(side_by_side(model, forward, batches_of(*[(1, 4)] * THREADS), count=THREADS))) == THREADS
    assert len(seen) == THREADS
    assert len({id(each.bert.encoder) for each in seen.values()}) == THREADS
    assert len({each.classifier.weight.data_ptr() for each in seen.values()}) == 1
    assert len({each.bert.embeddings.position_ids.data_ptr() for each in seen.values()}) == 1


def test_each_batch_has_one_thread_and_a_long_one_has_all_and_is_alone() -> None:
    model, seen, running = tiny_models()["bert"].eval(), [], []
    shapes = [(1, LONG + 1), (1, 4), (1, 5), (1, LONG + 2), (1, 6), (1, LONG)]

    def forward(each: PreTrainedModel, batch: Batch) -> torch.Tensor:
        size = batch["input_ids"].size
        running.append(size)
        seen.append((size, torch.get_num_threads(), size > LONG and len(running) > 1))
        running.remove(size)
        return torch.tensor([[size]])

    outputs = list(side_by_side(model, forward, batches_of(*shapes), count=len(shapes)))
    assert [int(output) for output in outputs] == [rows * length for rows, length in shapes]
    assert {size: (count, beside) for size, count, beside in seen} == {
        length: (THREADS if length > LONG else 1, False) for _, length in shapes
    }


@pytest.mark.parametrize("end", ["all", "an error", "closed"])
def test_the_number_of_threads_is_what_it_was_and_no_thread_stays(end: str) -> None:
    model, before, asked = tiny_models()["bert"].eval(), threading.active_count(), []

    def forward(each: PreTrainedModel, batch: Batch) -> torch.Tensor:
        if end == "an error" and batch["input_ids"].shape[1] == 5:
            raise RuntimeError("no memory")
        return torch.tensor([[batch["input_ids"].shape[1]]])

    def every() -> Iterator[Batch]:
        for batch in batches_of(*[(1, 4)] * 5, *[(1, 5)] * 40):
            asked.append(batch)
            yield batch

    outputs = side_by_side(model, forward, every(), count=45)
    if end == "an error":
        with pytest.raises(RuntimeError, match="no memory"):
            list(outputs)
    elif end == "closed":
        assert int(next(outputs)) == 4
        outputs.close()
        assert len(asked) <= (AHEAD + 1) * THREADS  # no more batches are made than wait
    else:
        assert [int(output) for output in outputs] == [4] * 5 + [5] * 40
    assert threading.active_count() == before
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(torch.get_num_threads).result() == torch.get_num_threads() == THREADS


def test_a_thread_that_begins_meanwhile_has_all_threads_for_good() -> None:
    """As another request of a web server, or whatever else the program computes with torch."""
    outputs = side_by_side(tiny_models()["bert"].eval(), logits_of, batches_of(*[(1, 4)] * 40), count=40)
    next(outputs)
    with ThreadPoolExecutor(1) as other:
        assert other.submit(torch.get_num_threads).result() == THREADS
        list(outputs)
        assert other.submit(torch.get_num_threads).result() == THREADS


def test_a_thread_that_can_not_start_is_an_error_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    start, begun, before = threading.Thread.start, [], threading.active_count()

    def refuse(thread: threading.Thread) -> None:
        if begun:
            raise RuntimeError("can't start new thread")
        begun.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        list(side_by_side(tiny_models()["bert"].eval(), logits_of, batches_of((1, 4), (1, 5)), count=2))
    assert threading.active_count() == before
    assert torch.get_num_threads() == THREADS


def test_one_thread_makes_no_other() -> None:
    torch.set_num_threads(1)
    model, used = kind_model("bart").eval(), set()

    def forward(each: PreTrainedModel, batch: Batch) -> torch.Tensor:
        used.add((threading.current_thread(), id(each)))
        return torch.zeros(1, 1)

    list(side_by_side(model, forward, batches_of((1, 4), (1, 5)), count=2))
    assert used == {(threading.current_thread(), id(model))}
