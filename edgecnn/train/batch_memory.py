"""How large a batch the memory takes: looked at before the first step, and found by trying where it ended all the same."""

from __future__ import annotations

import copy
import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from edgecnn.errors import InputError
from edgecnn.train.hardware import Hardware
from edgecnn.train.objective import Objective

LOOKED_AT = 2  # images: one would make a batch-norm of 1x1 maps fail
SPARE = 1.5  # what backward and the allocator need beside what forward keeps
CGROUP = Path("/sys/fs/cgroup")
WORDS = ("out of memory", "can't allocate memory", "not enough memory")


def check(model: nn.Module, objective: Objective, batch: int, hardware: Hardware, epoch: int = 0) -> None:
    """Raise ``InputError`` that names a batch that fits, where on the CPU ``batch`` images can't: the system would kill the process.

    What a step needs is what its forward pass keeps for the backward pass, counted on two images of ``epoch`` with a copy of the
    network.
    """
    free = free_bytes()
    if hardware.device != "cpu" or free is None:
        return
    need = SPARE * kept_bytes(copy.deepcopy(model), objective, hardware, epoch) / min(LOOKED_AT, len(objective))
    if need * batch > free:
        found = f"{need * batch / 2**30:.1f} GiB needed, {free / 2**30:.1f} GiB free"
        raise InputError(f"enough memory for a batch of {batch}", found, advice(int(free / need)))


def kept_bytes(model: nn.Module, objective: Objective, hardware: Hardware, epoch: int = 0) -> int:
    """Bytes that the loss of the first two images keeps for the backward pass, weights left out."""
    own = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    inputs, truth = objective.batch(np.arange(min(LOOKED_AT, len(objective))), epoch)
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor), hardware.autocast():
        loss = objective.loss(model.train(), inputs.to(hardware.device, memory_format=torch.channels_last), truth)
    del loss
    return sum(kept.values()) + inputs.nbytes


def free_bytes() -> int | None:
    """What this process may still take: of the machine, or less where its container has a limit; None where nobody says."""
    found = []
    try:
        lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
        found.append(int(lines["MemAvailable"].split()[0]) * 1024)
    except (OSError, KeyError, ValueError):
        return None
    try:
        limit, used = ((CGROUP / name).read_text().strip() for name in ("memory.max", "memory.current"))
        found += [max(int(limit) - int(used), 0)] if limit != "max" else []
    except (OSError, ValueError):
        pass
    return min(found)


@contextmanager
def guard(batch: int, attempt: Callable[[int], object] | None = None) -> Iterator[None]:
    """Turns an exhausted memory into one line; raises ``InputError``.

    ``attempt`` does a step with so many images: what fits is found by halving.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_shortage(error):
            raise
        told, fits = _line(error), 0
        error.__traceback__ = None  # it holds the tensors of the step
    else:
        return
    fits = largest(batch, attempt) if attempt else 0
    raise InputError(f"enough memory for a batch of {batch}", told, advice(fits) if attempt else "use a smaller --batch")


def largest(batch: int, attempt: Callable[[int], object]) -> int:
    """The first half, quarter, ... of ``batch`` with which ``attempt`` succeeds; 0 where not even one image fits."""
    while batch > 1:
        batch //= 2
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        try:
            attempt(batch)
        except (RuntimeError, MemoryError) as error:
            if not is_shortage(error):
                raise
        else:
            return batch
    return 0


def advice(fits: int) -> str:
    """What to do where so many images fit."""
    if fits < 1:
        return "train a smaller network or at a smaller --size: not even one image fits"
    return f"use --batch {fits if fits < 8 else fits // 8 * 8}"


def is_shortage(error: Exception) -> bool:
    """Whether memory is what was lacking."""
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or any(word in str(error) for word in WORDS)


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
