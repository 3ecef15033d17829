from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from concurrent.futures import process
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from edgecnn.errors import InputError
from edgecnn.train.assign import GroundTruth
from edgecnn.train.prefetch import Prefetch, pack, unpack
from edgecnn.types import Array


@dataclass
class Numbers:
    """Batches that say what was asked for, and which process made them."""

    fail_at: int = -1
    die_at: int = -1

    def __len__(self) -> int:
        return 40

    def batch(self, indices: Array, epoch: int) -> tuple[Tensor, int]:
        if self.fail_at in indices:
            raise InputError("no image", "look at it")
        if self.die_at in indices:
            os.kill(os.getpid(), signal.SIGKILL)
        return torch.from_numpy(indices) * 100 + epoch, os.getpid()

    def loss(self, model: nn.Module, inputs: Tensor, truth: object) -> Tensor:
        raise NotImplementedError


ORDER = list(np.random.default_rng(0).permutation(40).reshape(20, 2))


def test_batches_come_in_order_and_from_other_processes() -> None:
    with Prefetch(Numbers(), 3) as prefetch:
        for epoch in (0, 1):
            found = list(prefetch.batches(epoch, ORDER))
            assert [batch[0].tolist() for batch in found] == [(indices * 100 + epoch).tolist() for indices in ORDER]
            assert os.getpid() not in {batch[1] for batch in found}


def test_one_worker_is_this_process() -> None:
    with Prefetch(Numbers(), 1) as prefetch:
        assert {batch[1] for batch in prefetch.batches(0, ORDER)} == {os.getpid()}


def test_an_error_in_a_worker_is_raised_here_and_the_next_epoch_goes_on() -> None:
    with Prefetch(Numbers(fail_at=int(ORDER[10][0])), 2) as prefetch:
        found = []
        with pytest.raises(InputError, match="look at it"):
            found += list(prefetch.batches(0, ORDER))
        assert len(list(prefetch.batches(1, ORDER[:10]))) == 10


def test_a_worker_that_dies_is_one_line() -> None:
    with Prefetch(Numbers(die_at=int(ORDER[5][0])), 2) as prefetch, pytest.raises(InputError, match="fewer --workers"):
        list(prefetch.batches(0, ORDER))


def no_thread(self: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


def test_workers_that_may_start_no_thread_work(monkeypatch: pytest.MonkeyPatch) -> None:
    here, start = os.getpid(), threading.Thread.start

    def start_here(self: threading.Thread) -> None:
        (start if os.getpid() == here else no_thread)(self)

    monkeypatch.setattr(threading.Thread, "start", start_here)
    with Prefetch(Numbers(), 2) as prefetch:
        found = list(prefetch.batches(0, ORDER))
    assert here not in {batch[1] for batch in found}


def test_where_this_process_may_start_no_thread_batches_are_made_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process._ExecutorManagerThread, "start", no_thread)
    with Prefetch(Numbers(), 2) as prefetch:
        assert {batch[1] for batch in prefetch.batches(0, ORDER)} == {os.getpid()}
    assert not multiprocessing.active_children()


def test_leaving_early_leaves_no_process_behind() -> None:
    with Prefetch(Numbers(), 2) as prefetch:
        pids = {batch[1] for batch, _ in zip(prefetch.batches(0, ORDER), range(6), strict=False)}
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_tensors_keep_values_types_and_memory_layout() -> None:
    image = torch.rand(2, 3, 4, 5).to(memory_format=torch.channels_last)
    truth = GroundTruth(
        torch.rand(2, 1, 4), torch.zeros(2, 1, dtype=torch.int64), torch.ones(2, 1, dtype=torch.bool), torch.zeros(2, 1) > 0
    )
    again, found = unpack(pack((image, truth)))
    assert torch.equal(again, image)
    assert again.stride() == image.stride()
    assert found.real.dtype == torch.bool
    assert torch.equal(found.xyxy, truth.xyxy)
    again.add_(1)


def test_without_shared_locks_batches_are_made_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(type(multiprocessing.get_context("fork")), "Lock", refuse)
    with Prefetch(Numbers(), 2) as prefetch:
        assert {batch[1] for batch in prefetch.batches(0, ORDER)} == {os.getpid()}
