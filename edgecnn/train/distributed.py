"""Several processes that train one network: `torchrun --nproc-per-node N -m edgecnn train ...`. Alone, all of this does nothing.

Each process computes its part of every batch, gradients are averaged by DistributedDataParallel (arXiv:2006.15704), and what a loss or
a batch-norm takes from the whole batch is summed over the processes, so that the result is that of one process but for rounding.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor, nn

from edgecnn.errors import InputError
from edgecnn.types import Array

PATIENCE = timedelta(hours=3)  # the others wait while one scores and writes


@dataclass(frozen=True, slots=True)
class Group:
    """This process is number ``rank`` of ``size``."""

    rank: int = 0
    size: int = 1

    @property
    def main(self) -> bool:
        """Whether this is the one that prints, scores and writes."""
        return self.rank == 0

    def check(self, batch: int) -> None:
        """Raise ``InputError`` where a batch can't be divided evenly."""
        if batch % self.size:
            raise InputError(
                f"a batch that {self.size} processes can share", str(batch), f"use a --batch of a multiple of {self.size}"
            )

    def part(self, indices: Array) -> Array:
        """What this process has to do of a batch; as many for each, so what is over is left out."""
        each = len(indices) // self.size
        return indices[self.rank * each : (self.rank + 1) * each]

    def wait(self) -> None:
        """Until all have come as far."""
        if self.size > 1:
            dist.barrier()

    @contextmanager
    def first(self) -> Iterator[None]:
        """The main process does it first, so that the others find what it wrote."""
        if not self.main:
            self.wait()
        yield
        if self.main:
            self.wait()

    def shared(self, model: nn.Module) -> nn.Module:
        """What to call in place of ``model``, so that all processes get the same gradients."""
        if self.size == 1:
            return model
        for layer in model.modules():
            if type(layer) is nn.BatchNorm2d:
                layer.__class__ = WholeBatchNorm
        return nn.parallel.DistributedDataParallel(model, broadcast_buffers=False)


def join() -> Group:
    """The group that torchrun started this process in; a group of one without it."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        return Group()
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    if not dist.is_initialized():
        dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo", timeout=PATIENCE)
        atexit.register(dist.destroy_process_group)
    return Group(dist.get_rank(), size)


def whole(total: Tensor, least: float = 0.0) -> Tensor:
    """What to divide a sum over this process's part of the batch by, where ``total`` is this part's share of the divisor.

    The mean of the quotients over the processes is then the quotient of the whole batch. ``least`` is the lowest divisor of that.
    """
    if not dist.is_initialized():
        return total.clamp(min=least)
    total = total.detach().clone()
    dist.all_reduce(total)
    return total.clamp(min=least) / dist.get_world_size()


def mean(value: float) -> float:
    """The mean over the processes."""
    if not dist.is_initialized():
        return value
    device = "cuda" if dist.get_backend() == "nccl" else "cpu"
    total = torch.tensor(value, dtype=torch.float64, device=device)
    dist.all_reduce(total)
    return float(total) / dist.get_world_size()


class WholeBatchNorm(nn.BatchNorm2d):
    """Batch-norm with the mean and variance of the parts of all processes, each as large; torch's own is for GPUs only.

    Gradients flow through the sums. Values are taken relative to the running mean, which all share: less is lost to rounding.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same."""
        if not self.training:
            return super().forward(x)
        assert self.running_mean is not None
        assert self.running_var is not None
        with torch.autocast(x.device.type, enabled=False):
            centre = self.running_mean.detach().clone()
            away = x.float() - centre[:, None, None]
            count = x.numel() // x.shape[1] * dist.get_world_size()
            first, second = _sum(torch.stack([away.sum((0, 2, 3)), away.square().sum((0, 2, 3))])) / count
            variance = (second - first.square()).clamp(min=0)
            self._remember(centre + first.detach(), variance.detach() * (count / max(count - 1, 1)))
            scale = self.weight * torch.rsqrt(variance + self.eps)
            found: Tensor = (away - first[:, None, None]) * scale[:, None, None] + self.bias[:, None, None]
            return found.to(x.dtype)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.num_batches_tracked += 1
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance, self.momentum)


def _sum(value: Tensor) -> Tensor:
    """Over all processes, with gradients."""
    from torch.distributed.nn.functional import all_reduce

    total: Tensor = all_reduce(value)  # type: ignore[no-untyped-call]
    return total
