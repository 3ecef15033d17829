"""Prefetches batches in worker processes during training; order and content are those of a single process."""

from __future__ import annotations

import io
import multiprocessing
import os
import pickle
import signal
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from typing import Any

import cv2
import torch
from torch import Tensor

from edgecnn.errors import InputError
from edgecnn.train.objective import Objective
from edgecnn.types import Array

PREFETCH = 2  # batches that each worker may be ahead of the training

_objective: Objective | None = None


class Prefetch:
    """Creates an objective's batches in ``workers`` forked processes, which share its images; in this process with one worker, and where
    processes can't be started or share locks: the batches are the same, only later.

    Use it in a ``with`` block, which ends the processes. They are forked in the constructor, before the engines of this process start
    threads: a fork has only the calling thread, and a lock that another one held is never released in it.
    """

    def __init__(self, objective: Objective, workers: int) -> None:
        self._objective, self._workers = objective, workers
        self._pool = _fork(objective, workers) if workers > 1 and can_fork() else None

    def batches(self, epoch: int, order: Sequence[Array]) -> Iterator[tuple[Tensor, Any]]:
        """The batches of ``order`` (indices each) in that order; raises what the objective raises."""
        if self._pool is None:
            yield from (self._objective.batch(indices, epoch) for indices in order)
            return
        waiting: deque[Future[bytes]] = deque()
        try:
            for indices in order:
                waiting.append(self._pool.submit(_make, indices, epoch))
                if len(waiting) >= PREFETCH * self._workers:
                    yield unpack(waiting.popleft().result())
            while waiting:
                yield unpack(waiting.popleft().result())
        except BrokenProcessPool as error:
            raise _killed() from error
        finally:
            for future in waiting:
                future.cancel()

    def close(self) -> None:
        """End the processes; calling it again does nothing."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def __enter__(self) -> Prefetch:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _killed() -> InputError:
    return InputError("a data loading process was killed, perhaps for lack of memory", "use fewer --workers or a smaller --batch")


def can_fork() -> bool:
    """Whether processes can be forked and can share locks, which need /dev/shm: some containers have none, or one that is read-only."""
    if "fork" not in multiprocessing.get_all_start_methods():
        return False
    try:
        multiprocessing.get_context("fork").Lock()
    except (OSError, ImportError):
        return False
    return True


def _fork(objective: Objective, workers: int) -> ProcessPoolExecutor | None:
    """A pool with all its processes started; None where the system starts no more processes or threads.

    ``ProcessPoolExecutor`` starts a process for each task that finds none idle.
    """
    before = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("fork"), _start, (objective, os.getpid()))
    try:
        for started in [pool.submit(_nothing) for _ in range(workers)]:
            started.result()
    except BrokenProcessPool as error:
        raise _killed() from error
    except (RuntimeError, OSError):  # "can't start new thread", EAGAIN
        for child in set(multiprocessing.active_children()) - before:
            child.kill()  # it waits for a task that no thread will send, and Python's exit would wait for it
            child.join()
        return None
    return pool


def _start(objective: Objective, parent: int) -> None:
    """Set up a worker: one thread, since there is one worker for each CPU; Ctrl-C is handled by the parent."""
    global _objective  # noqa: PLW0603 - used by each call in this process
    _objective = objective
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(RuntimeError):  # no more threads here: works, but outlives a parent that is killed
        threading.Thread(target=_end_with, args=(parent,), name="end-with-parent", daemon=True).start()


def _end_with(parent: int) -> None:
    """End this process with its parent: one that was killed by SIGKILL can't end its children."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(0)


def _nothing() -> None:
    return None


def _make(indices: Array, epoch: int) -> bytes:
    assert _objective is not None
    return pack(_objective.batch(indices, epoch))


def pack(batch: Any) -> bytes:
    """A batch as bytes for a pipe; torch would send tensors through /dev/shm, which is small in many containers."""
    buffer = io.BytesIO()
    _Pickler(buffer, protocol=5).dump(batch)
    return buffer.getvalue()


def unpack(packed: bytes) -> Any:
    """The packed batch, its tensors with the same memory layout."""
    return pickle.loads(packed)


class _Pickler(pickle.Pickler):
    """Pickles tensors as arrays, which does not use shared memory, and keeps channels-last tensors channels-last."""

    def reducer_override(self, value: Any) -> Any:
        if not isinstance(value, Tensor):
            return NotImplemented
        if value.ndim == 4 and value.is_contiguous(memory_format=torch.channels_last):
            return _from_channels_last, (value.permute(0, 2, 3, 1).numpy(),)
        return _from_array, (value.contiguous().numpy(),)


def _from_channels_last(array: Array) -> Tensor:
    return torch.from_numpy(array).permute(0, 3, 1, 2)


def _from_array(array: Array) -> Tensor:
    return torch.from_numpy(array)
