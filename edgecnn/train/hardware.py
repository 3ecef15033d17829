"""What this machine's arithmetic is good for, and what is said when its memory ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from edgecnn.errors import InputError
from edgecnn.train.options import Amp


@dataclass(frozen=True, slots=True)
class Hardware:
    """Where to train (``device``) and whether matrix products are done in bfloat16."""

    device: str
    bf16: bool

    @contextmanager
    def autocast(self) -> Iterator[None]:
        """Mixed precision where it is on."""
        with torch.autocast(self.device, torch.bfloat16, enabled=self.bf16):
            yield


def find(amp: Amp) -> Hardware:
    """CUDA where it is there, else the CPU; bfloat16 where the processor has instructions for it, unless ``amp`` decides."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    native = torch.cuda.is_bf16_supported() if device == "cuda" else _cpu_bf16()
    return Hardware(device, native if amp == "auto" else amp == "bf16")


def _cpu_bf16() -> bool:
    ask = getattr(torch.cpu, "get_capabilities", None)
    found: dict[str, bool] = ask() if ask else {}
    return any(found.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))


@contextmanager
def memory_guard(batch: int) -> Iterator[None]:
    """Turns an exhausted memory into one line; raises ``InputError``."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        lines = str(error).splitlines() or [type(error).__name__]
        short = any(word in str(error) for word in ("out of memory", "can't allocate memory", "not enough memory"))
        if not short and not isinstance(error, (torch.OutOfMemoryError, MemoryError)):
            raise
        raise InputError(f"enough memory for a batch of {batch}", lines[0], "use a smaller --batch") from error
