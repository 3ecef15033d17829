"""Estimates the memory of a batch before training, and finds a batch size that fits after an out-of-memory error."""

from __future__ import annotations

import copy
import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from edgecnn.errors import InputError, first_line
from edgecnn.train.hardware import Hardware
from edgecnn.train.objective import Objective

PROBE_IMAGES = 2  # one would make a batch-norm of 1x1 maps fail
BACKWARD_FACTOR = 1.5  # memory of backward pass and allocator, relative to the activations that the forward pass saves
CGROUP = Path("/sys/fs/cgroup")
OUT_OF_MEMORY_TEXTS = ("out of memory", "can't allocate memory", "not enough memory")


def check_memory(model: nn.Module, objective: Objective, batch: int, hardware: Hardware, epoch: int = 0) -> None:
    """Raise ``InputError`` with a batch size that fits, where ``batch`` images do not fit into the memory of the CPU.

    The system would kill the process without a message. The memory of a step is estimated from the activations that the forward pass
    saves for the backward pass, counted on two images of ``epoch`` with a copy of the network.
    """
    free = free_bytes()
    if hardware.device != "cpu" or free is None:
        return
    saved = activation_bytes(copy.deepcopy(model), objective, hardware, epoch) / min(PROBE_IMAGES, len(objective))
    # of one image; the memory of weights and optimizer does not grow with the batch
    need = BACKWARD_FACTOR * saved
    if need * batch > free:
        raise InputError(
            f"--batch: {batch} images need {need * batch / 2**30:.1f} GiB of memory, {free / 2**30:.1f} GiB are free",
            advice(int(free / need)),
        )


def activation_bytes(model: nn.Module, objective: Objective, hardware: Hardware, epoch: int = 0) -> int:
    """Bytes that the loss of the first two images saves for the backward pass, without weights."""
    own = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    inputs, truth = objective.batch(np.arange(min(PROBE_IMAGES, len(objective))), epoch)
    # autograd calls ``note`` for each tensor that it saves; several may share a storage, which counts once
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor), hardware.autocast():
        loss = objective.loss(model.train(), inputs.to(hardware.device, memory_format=torch.channels_last), truth)
    del loss
    return sum(kept.values()) + inputs.nbytes


def free_bytes() -> int | None:
    """Memory that this process may still allocate, on the machine or in its container (cgroup v2); None where that is unknown."""
    found = []
    try:
        lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
        found.append(int(lines["MemAvailable"].split()[0]) * 1024)
    except (OSError, KeyError, ValueError):
        return None
    try:
        # inside a container /proc/meminfo shows the memory of the whole machine
        limit, used = ((CGROUP / name).read_text().strip() for name in ("memory.max", "memory.current"))
        found += [max(int(limit) - int(used), 0)] if limit != "max" else []
    except (OSError, ValueError):
        pass
    return min(found)


@contextmanager
def explain_out_of_memory(batch: int, attempt: Callable[[int], object] | None = None) -> Iterator[None]:
    """Turns an out-of-memory error in the block into an ``InputError`` with a batch size that fits.

    ``attempt`` runs a step with a number of images: the size that fits is found by halving. Without it none is named.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        text = first_line(error)
        error.__traceback__ = None  # its frames hold the tensors of the step, and the attempts below need that memory
    else:
        return
    fix = advice(largest_batch(batch, attempt)) if attempt else "use a smaller --batch"
    raise InputError(f"--batch: the memory is too small for {batch} images ({text})", fix)


def largest_batch(batch: int, attempt: Callable[[int], object]) -> int:
    """The first half, quarter, ... of ``batch`` with which ``attempt`` succeeds; 0 where not even one image fits."""
    while batch > 1:
        batch //= 2
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        try:
            attempt(batch)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        else:
            return batch
    return 0


def advice(fits: int) -> str:
    """The advice where ``fits`` images fit."""
    if fits < 1:
        return "train a smaller network or at a smaller --size: not even one image fits"
    return f"use --batch {fits if fits < 8 else fits // 8 * 8}"


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error is for lack of memory; the CPU allocator raises a plain ``RuntimeError``, known by its text only."""
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or any(text in str(error) for text in OUT_OF_MEMORY_TEXTS)
