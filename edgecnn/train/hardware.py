"""Detects the device, precision and number of threads for training."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import torch

from edgecnn.cpus import usable_cpus
from edgecnn.train.config import Amp
from edgecnn.train.depthwise import QuickDepthwise


@dataclass(frozen=True, slots=True)
class Hardware:
    """The ``device`` to train on, and whether matrix products are computed in bfloat16."""

    device: str
    bf16: bool

    @property
    def gpu(self) -> bool:
        """Whether the device is a GPU."""
        return self.device.startswith("cuda")

    @contextmanager
    def autocast(self) -> Iterator[None]:
        """A block with mixed precision, where it is on, and quick gradients of depthwise convolutions on a CPU."""
        # no cache of converted weights: a captured graph would use those of its first step
        precision = torch.autocast(self.device, torch.bfloat16, enabled=self.bf16, cache_enabled=not self.gpu)
        with precision, nullcontext() if self.gpu else QuickDepthwise():
            yield


def detect_hardware(amp: Amp) -> Hardware:
    """CUDA where available, else the CPU; for ``amp`` "auto" bfloat16 where the processor has instructions for it."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    native = torch.cuda.is_bf16_supported() if device == "cuda" else _cpu_bf16()
    return Hardware(device, native if amp == "auto" else amp == "bf16")


def tune(device: str) -> None:
    """Choose deterministic kernels on the CPU, and on a GPU the quickest ones for each shape."""
    gpu = device.startswith("cuda")
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = not gpu, gpu
    torch.set_float32_matmul_precision("high" if gpu else "highest")


def _cpu_bf16() -> bool:
    # missing in older versions of PyTorch
    ask = getattr(torch.cpu, "get_capabilities", None)
    found: dict[str, bool] = ask() if ask else {}
    return any(found.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))


def use_all_cpus() -> None:
    """One thread for each CPU that this process may use, unless OMP_NUM_THREADS is set, as torchrun does."""
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(usable_cpus())
