"""Batches side by side on a CPU: each on one thread, with a copy of the model that shares its weights.

Threads that divide the products of one small batch among them wait for one another at each product, and where a product
is divided can change a row's last bits.
"""

import copy
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from threading import Barrier, Lock

import torch
from torch import Tensor
from transformers import PreTrainedModel

from stages.tokens import Batch

Forward = Callable[[PreTrainedModel, Batch], Tensor]  # of a padded batch what is asked of each row, (batch, width)

LONG = 1_024  # tokens; a larger batch gets all threads, because the memory for attention grows with the square
AHEAD = 2  # batches that wait for each thread
_starting = Lock()  # held while torch's number of threads is another one


def side_by_side(
    model: PreTrainedModel, forward: Forward, batches: Iterable[Batch], *, count: int
) -> Generator[Tensor]:
    """Yield what `forward` gives for each batch, in their order.

    On a GPU, and with one thread, one batch comes after the other.

    Args:
        model: In eval mode. It must not be changed while values are yielded.
        forward: Called with the model or a copy of it, in several threads at once.
        batches: Large ones first, if there are any.
        count: How many batches there are.
    """
    with _starting:  # a thread that asks for the first time keeps the answer
        threads = torch.get_num_threads() if model.device.type == "cpu" else 1
    if threads == 1:
        yield from (forward(model, batch) for batch in batches)
        return
    free: SimpleQueue[PreTrainedModel] = SimpleQueue()
    workers = max(1, min(threads, count))
    for each in (model, *(_copy(model) for _ in range(workers - 1))):
        free.put(each)

    @torch.inference_mode()
    def compute(batch: Batch) -> Tensor:
        each = free.get()
        try:
            return forward(each, batch)
        finally:
            free.put(each)

    waiting: deque[Future[Tensor]] = deque()
    pool = _start(workers, threads)
    try:
        for batch in batches:
            if batch["input_ids"].size > LONG:
                while waiting:
                    yield waiting.popleft().result()
                yield forward(model, batch)
                continue
            waiting.append(pool.submit(compute, batch))
            if len(waiting) > AHEAD * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _start(workers: int, threads: int) -> ThreadPoolExecutor:
    """Return a pool whose workers have started, each with one thread of torch.

    What a worker sets is also the setting of threads to come, of any program. So it is put back to `threads` at once.
    """
    pool, started = ThreadPoolExecutor(workers, initializer=_use_one_thread), Barrier(workers + 1)
    with _starting:
        try:
            for _ in range(workers):  # each one waits, so the next one starts another worker
                pool.submit(started.wait)
            started.wait()
        except BaseException:  # Ctrl-C, or no more threads: nobody waits for those that did not start
            started.abort()
            pool.shutdown(cancel_futures=True)
            raise
        finally:
            torch.set_num_threads(threads)
    return pool


def _use_one_thread() -> None:
    torch.get_num_threads()  # else torch's first work here takes the setting of that time
    torch.set_num_threads(1)


def _copy(model: PreTrainedModel) -> PreTrainedModel:
    """Return a model with the same tensors in memory, and its own modules: some keep a shape in themselves.

    Buffers are shared, too: the masks of GPT-Neo are 100 MB. A module that sets another one sets its own.
    """
    return copy.deepcopy(model, {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())})
