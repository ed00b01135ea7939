"""Whole training steps on a GPU: bf16 copies of the weights made once a step, and the step recorded as a CUDA graph.

The weights, the moments and the norm of the gradient stay float32. A step of a small batch is a few thousand launches
that take longer to send than to run; recorded once for each length of batch, it is one.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.optim import Optimizer

from stages.finetune.batches import NOT_FOR_THE_MODEL
from stages.finetune.training.optimizer import clip_in_step
from stages.model.packed import FILLED_TOKENS

log = logging.getLogger(__name__)

Batch = dict[str, Tensor | int]
Losses = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]

RECORDINGS = 64  # at most: each holds a few MB beside the memory that all share


class Steps:
    """Forward, backward, clipping and the optimizer's step of one batch, all on the device and without a wait.

    Args:
        model: The model in float32; takes packed batches.
        losses: From logits and labels to each row's loss and its weight, (batch,).
        optimizer: Fused AdamW of the model's parameters.
        gradient_clip: Largest norm of the gradient; 0: not clipped.
        dtype: Of the copies that are computed with.
        record: Record a step when its shape comes a second time.
    """

    def __init__(
        self,
        model: nn.Module,
        losses: Losses,
        optimizer: Optimizer,
        *,
        gradient_clip: float,
        dtype: torch.dtype = torch.bfloat16,
        record: bool = True,
    ) -> None:
        for module in model.modules():
            if type(module) is nn.Linear and module.bias is not None:
                module.__class__ = ProductLinear
        self.model = model
        self.losses = losses
        self.optimizer = optimizer
        self.gradient_clip = gradient_clip
        weights = {name: weight for name, weight in model.named_parameters() if weight.ndim}  # a scalar is a count
        self.copies = {
            name: weight.detach().to(dtype, copy=True).requires_grad_(weight.requires_grad)
            for name, weight in weights.items()
        }
        self.weights: list[Tensor] = [weight for weight in weights.values() if weight.requires_grad]
        self.trained = [copy for copy in self.copies.values() if copy.requires_grad]
        self.recorder = Recorder(optimizer, self.weights[0].device) if record else None

    def __call__(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Train on a batch.

        Returns:
            The loss, and each row's loss and weight, (batch,); the next step may write over them.
        """
        batch = {name: values for name, values in batch.items() if name != "rows"}
        return self.recorder.run(self._compute, batch) if self.recorder else self._compute(batch)

    def _compute(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        labels = batch["labels"]
        assert isinstance(labels, Tensor)
        inputs = {name: values for name, values in batch.items() if name not in NOT_FOR_THE_MODEL}
        with torch.no_grad():
            torch._foreach_copy_(self.trained, self.weights)
        with torch.autocast(labels.device.type, enabled=False):
            logits = functional_call(self.model, self.copies, kwargs=inputs).logits[: len(labels)]  # without fillers
            losses, weights = self.losses(logits, labels)
            loss = (losses * weights).sum() / weights.sum()
        grads = torch.autograd.grad(loss, self.trained, allow_unused=True)
        with torch.no_grad():
            self._update(grads)
        return loss.detach(), losses.detach(), weights

    def _update(self, grads: tuple[Tensor | None, ...]) -> None:
        """Give the optimizer the gradients in float32; it divides them by what clips them as it reads them."""
        pairs = [(weight, grad) for weight, grad in zip(self.weights, grads, strict=True) if grad is not None]
        full = [torch.empty_like(weight) for weight, _ in pairs]
        torch._foreach_copy_(full, [grad for _, grad in pairs])
        for (weight, _), grad in zip(pairs, full, strict=True):
            weight.grad = grad
        if self.gradient_clip:
            clip_in_step(self.optimizer, full, self.gradient_clip)
        self.optimizer.step()
        self.optimizer.grad_scale = None  # type: ignore[attr-defined]
        for weight, _ in pairs:
            weight.grad = None


class _Linear(torch.autograd.Function):
    """A linear layer whose bias gets its gradient by a product with ones: PyTorch's sum over few columns is slow."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(inputs, weight)
        return nn.functional.linear(inputs, weight, bias)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        inputs, weight = ctx.saved_tensors
        grad = grads[0].flatten(0, -2)  # (tokens, width)
        ones = grad.new_ones(1, len(grad))
        return grads[0] @ weight, grad.t() @ inputs.flatten(0, -2), (ones @ grad)[0]


class ProductLinear(nn.Linear):
    """`nn.Linear` with a cheaper gradient of its bias on a GPU."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  (as nn.Linear names it)
        """Return the output, (batch, tokens, width)."""
        if torch.compiler.is_compiling() or not self.weight.requires_grad or input.ndim < 2:
            return super().forward(input)
        output: Tensor = _Linear.apply(input, self.weight, self.bias)  # type: ignore[no-untyped-call]
        return output


class Recorder:
    """Runs a step as a CUDA graph from the second time on that a batch of its shape comes.

    Args:
        optimizer: Its rates are read at every step.
        device: The GPU.
    """

    def __init__(self, optimizer: Optimizer, device: torch.device) -> None:
        self.optimizer = optimizer
        self.rates = [torch.tensor(float(group["lr"]), device=device) for group in optimizer.param_groups]
        self.rates_now = [float(group["lr"]) for group in optimizer.param_groups]
        self.seen: Counter[tuple[object, ...]] = Counter()
        self.graphs: dict[tuple[object, ...], tuple[torch.cuda.CUDAGraph, list[Tensor], tuple[Tensor, ...]]] = {}
        self.pool = torch.cuda.graph_pool_handle()
        self.works = True

    def run(
        self, compute: Callable[[Batch], tuple[Tensor, Tensor, Tensor]], batch: Batch
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return what `compute` does of the batch."""
        shape = tuple((name, tuple(v.shape) if isinstance(v, Tensor) else v) for name, v in batch.items())
        self.seen[shape] += 1
        wanted = (
            self.works and self.seen[shape] > 1 and len(self.graphs) < RECORDINGS and _tokens(batch) <= FILLED_TOKENS
        )
        if shape not in self.graphs and wanted:
            self._record(shape, compute, batch)
        if shape not in self.graphs:
            return self._unrecorded(compute, batch)
        graph, inputs, (loss, losses, weights) = self.graphs[shape]
        for kept, values in zip(inputs, _tensors(batch), strict=True):
            kept.copy_(values, non_blocking=True)
        self._set_rates()
        graph.replay()
        return loss, losses, weights

    def _unrecorded(
        self, compute: Callable[[Batch], tuple[Tensor, Tensor, Tensor]], batch: Batch
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Run the step, in the recordings' memory too if it needs that; the optimizer, which comes last, needs none."""
        try:
            return compute(batch)
        except torch.OutOfMemoryError:
            if not self.graphs:
                raise
        log.info("the GPU's memory is full: the recorded steps are freed, and from here on steps are not recorded")
        self.works = False
        self.graphs.clear()
        torch.cuda.empty_cache()
        return compute(batch)

    def _record(
        self, shape: tuple[object, ...], compute: Callable[[Batch], tuple[Tensor, Tensor, Tensor]], batch: Batch
    ) -> None:
        kept = {name: values.clone() if isinstance(values, Tensor) else values for name, values in batch.items()}
        graph = torch.cuda.CUDAGraph()
        try:
            with (
                self._rates_as_tensors(),
                torch.cuda.graph(graph, pool=self.pool, capture_error_mode="thread_local"),
            ):
                results = compute(kept)
        except RuntimeError as error:  # no memory, or an operation that waits for the device
            log.info("steps are not recorded on this GPU (%s)", str(error).splitlines()[0])
            self.works = False
        else:
            self.graphs[shape] = (graph, _tensors(kept), results)

    @contextmanager
    def _rates_as_tensors(self) -> Iterator[None]:
        """Let what is recorded read the rates from memory."""
        groups = self.optimizer.param_groups
        before = [(group["lr"], group["capturable"]) for group in groups]
        for group, rate in zip(groups, self.rates, strict=True):
            group["lr"], group["capturable"] = rate, True
        try:
            yield
        finally:
            for group, (rate, capturable) in zip(groups, before, strict=True):
                group["lr"], group["capturable"] = rate, capturable

    def _set_rates(self) -> None:
        for index, group in enumerate(self.optimizer.param_groups):
            if (rate := float(group["lr"])) != self.rates_now[index]:
                self.rates[index].fill_(rate)
                self.rates_now[index] = rate


def _tensors(batch: Batch) -> list[Tensor]:
    return [values for values in batch.values() if isinstance(values, Tensor)]


def _tokens(batch: Batch) -> int:
    ids = batch["input_ids"]
    return ids.numel() if isinstance(ids, Tensor) else 0
