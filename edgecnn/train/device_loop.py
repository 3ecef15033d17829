"""Runs the steps of an epoch with batches made on the training device; on a GPU as a CUDA graph.

A step of a small network has hundreds of short operations: starting each from Python takes longer than the operation. A graph starts
all of them at once. It is captured again where the shapes change, or which layers are trained.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from edgecnn.errors import first_line
from edgecnn.train.on_device import DeviceBatches
from edgecnn.train.step import TrainingStep
from edgecnn.types import Array

WARM_UP = 3  # steps before a capture: libraries choose their kernels and allocate in the first ones
LOOK = 100  # steps between two looks at the loss, which wait for the device


class DeviceLoop:
    """The steps of epochs; ``say`` gets a line where no graph can be captured, and each operation is started on its own."""

    def __init__(self, step: TrainingStep, batches: DeviceBatches, batch: int, say: Callable[[str], None]) -> None:
        self.step, self.batches, self.say = step, batches, say
        device = step.hardware.device
        self._indices = torch.zeros(batch, dtype=torch.int64, device=device)
        self._share = torch.zeros((), device=device)
        self._sum = torch.zeros(2, device=device)
        self._graph: torch.cuda.CUDAGraph | None = None
        self._captured: Hashable = None
        self._graphs = step.hardware.gpu

    def prepare(self, epoch: int, first: Array) -> None:
        """Capture the graph of this epoch's steps where there is none; weights and their average stay as they are."""
        trained = tuple(parameter.requires_grad for parameter in self.step.model.parameters())
        key = (self.batches.variant(epoch), trained)
        if not self._graphs or key == self._captured:
            return
        self._graph = None  # frees the memory of the one before
        self._indices.copy_(torch.from_numpy(first))
        try:
            with _unchanged(self.step):
                self._graph = _capture(lambda: self._once(self.step.model, epoch))
        except RuntimeError as error:
            if isinstance(error, torch.OutOfMemoryError):
                raise
            self._graphs = False
            self.say(f"training without a CUDA graph, which is slower: {first_line(error)}")
        self._captured = key

    def run(self, network: nn.Module, epoch: int, order: Sequence[Array], rates: Sequence[float]) -> Iterator[list[float] | None]:
        """Train on the batches of ``order``; yields after each step, every ``LOOK`` steps and at the end with the sums so far of
        the losses and of the norms of the gradients.
        """
        self._sum.zero_()
        batches = torch.stack([torch.from_numpy(part) for part in order]).to(self._indices.device)
        for count, (indices, rate) in enumerate(zip(batches, rates, strict=True), 1):
            self.step.set_rate(rate)
            self._share.fill_(self.step.average.next_share())
            self._indices.copy_(indices)
            if self._graph is None:
                self._once(network, epoch)
            else:
                self._graph.replay()
            yield self._sum.tolist() if count % LOOK == 0 or count == len(order) else None

    def _once(self, network: nn.Module, epoch: int) -> None:
        inputs, truth = self.batches.batch(self._indices, epoch)
        self._sum += self.step(network, inputs, truth, self._share)


def _capture(once: Callable[[], None]) -> torch.cuda.CUDAGraph:
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(WARM_UP):
            once()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        once()
    return graph


@contextmanager
def _unchanged(step: TrainingStep) -> Iterator[None]:
    """A block after which the weights, their average and the optimizer are as before, in the same memory."""
    tensors = _tensors(step)
    before = [tensor.detach().clone() for tensor in tensors]
    empty = not step.optimizer.state
    try:
        yield
    finally:
        torch._foreach_copy_([tensor.detach() for tensor in tensors], before)
        if empty:  # the first step made the state
            for state in step.optimizer.state.values():
                for value in state.values():
                    value.zero_()


def _tensors(step: TrainingStep) -> list[Tensor]:
    states = [value for state in step.optimizer.state.values() for value in state.values() if isinstance(value, Tensor)]
    models = [value for model in (step.model, step.average.model) for value in model.state_dict().values()]
    return [*models, *states]
