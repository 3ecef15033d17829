"""Data-parallel training: `torchrun --nproc-per-node N -m edgecnn train ...`. In a single process all of this does nothing.

Each process computes its shard of every batch, gradients are averaged by DistributedDataParallel (arXiv:2006.15704), and batch
statistics of a loss or a batch-norm are summed over the processes, so that the result equals that of one process except for rounding.
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

BARRIER_TIMEOUT = timedelta(hours=3)  # the other processes wait while the main one evaluates and writes


@dataclass(frozen=True, slots=True)
class ProcessGroup:
    """A group of ``size`` training processes, of which this one has the number ``rank``."""

    rank: int = 0
    size: int = 1

    @property
    def main(self) -> bool:
        """Whether this is the process that prints, evaluates and writes."""
        return self.rank == 0

    def check(self, batch: int) -> None:
        """Raise ``InputError`` where a batch can't be divided evenly."""
        if batch % self.size:
            raise InputError(f"--batch: {batch} can't be divided among {self.size} processes", f"use a multiple of {self.size}")

    def shard(self, indices: Array) -> Array:
        """This process's shard of a batch; all are equally large, the remainder is dropped."""
        each = len(indices) // self.size
        return indices[self.rank * each : (self.rank + 1) * each]

    def wait(self) -> None:
        """Block until all processes have called this."""
        if self.size > 1:
            dist.barrier()

    @contextmanager
    def main_first(self) -> Iterator[None]:
        """Run the block in the main process first, then in the others, which find the files it wrote."""
        if not self.main:
            self.wait()
        yield
        if self.main:
            self.wait()

    def wrap(self, model: nn.Module) -> nn.Module:
        """A module to call in place of ``model`` that averages gradients over the processes."""
        if self.size == 1:
            return model
        for layer in model.modules():
            if type(layer) is nn.BatchNorm2d:
                layer.__class__ = SyncBatchNorm  # in place: parameters stay those that the optimizer and the average hold
        # buffers need no broadcast: each process updates them with the same global statistics
        return nn.parallel.DistributedDataParallel(model, broadcast_buffers=False)


def join_group() -> ProcessGroup:
    """The process group that torchrun started this process in; without torchrun a group of one."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        return ProcessGroup()
    if torch.cuda.is_available():  # before NCCL starts: all processes would use the first GPU
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    if not dist.is_initialized():
        dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo", timeout=BARRIER_TIMEOUT)
        atexit.register(dist.destroy_process_group)
    return ProcessGroup(dist.get_rank(), size)


def global_divisor(total: Tensor, least: float = 0.0) -> Tensor:
    """The divisor of a loss that is a sum over this process's shard, from the shard's own divisor ``total``; at least ``least``.

    It is the global sum over the number of processes: DistributedDataParallel then averages the gradients of (shard sum / divisor) to
    those of (global sum / global divisor).
    """
    if not dist.is_initialized():
        return total.clamp(min=least)
    total = total.detach().clone()
    dist.all_reduce(total)
    return total.clamp(min=least) / dist.get_world_size()


def process_mean(value: float) -> float:
    """The mean of a number over the processes."""
    if not dist.is_initialized():
        return value
    device = "cuda" if dist.get_backend() == "nccl" else "cpu"
    total = torch.tensor(value, dtype=torch.float64, device=device)
    dist.all_reduce(total)
    return float(total) / dist.get_world_size()


class SyncBatchNorm(nn.BatchNorm2d):
    """Batch-norm with the statistics of all processes' shards, which are equally large; torch.nn.SyncBatchNorm is for GPUs only.

    Gradients flow through the sums.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalize (B, C, H, W); the output has the same shape."""
        if not self.training:
            return super().forward(x)
        assert self.running_mean is not None
        assert self.running_var is not None
        with torch.autocast(x.device.type, enabled=False):
            # E[x^2] - E[x]^2 loses all digits where the mean is much larger than the deviation: shift by the running mean first.
            # All processes have the same running mean, so the sums still add up.
            centre = self.running_mean.detach().clone()
            shifted = x.float() - centre[:, None, None]
            count = x.numel() // x.shape[1] * dist.get_world_size()
            first, second = _all_reduce(torch.stack([shifted.sum((0, 2, 3)), shifted.square().sum((0, 2, 3))])) / count
            variance = (second - first.square()).clamp(min=0)  # rounding can make it slightly negative
            # as in torch: the running variance is the unbiased estimate, the normalization uses the biased one
            self._update_statistics(centre + first.detach(), variance.detach() * (count / max(count - 1, 1)))
            scale = self.weight * torch.rsqrt(variance + self.eps)
            found: Tensor = (shifted - first[:, None, None]) * scale[:, None, None] + self.bias[:, None, None]
            return found.to(x.dtype)

    @torch.no_grad()
    def _update_statistics(self, mean: Tensor, variance: Tensor) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.num_batches_tracked += 1
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance, self.momentum)


def _all_reduce(value: Tensor) -> Tensor:
    """The sum over all processes; unlike ``dist.all_reduce`` it has a gradient."""
    from torch.distributed.nn.functional import all_reduce

    total: Tensor = all_reduce(value)  # type: ignore[no-untyped-call]
    return total
