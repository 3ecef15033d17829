"""The device that an inference engine computes on, as ``--device`` names it; parsed once, where options are read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, cast

from edgecnn.errors import InputError

Hardware = Literal["cpu", "gpu", "npu", "auto"]
Through = Literal["", "cuda", "tensorrt", "openvino"]

CHOICES = "cpu, gpu, npu, auto, cuda, tensorrt, openvino:cpu, openvino:gpu or openvino:npu"
_TEXT = re.compile(r"(?:(cpu|auto|npu|openvino:(?:cpu|npu))|(gpu|cuda|tensorrt|openvino:gpu)(?::(\d{1,2}))?)")


@dataclass(frozen=True, slots=True)
class Device:
    """``hardware`` to compute on, ``through`` one interface to it ("": any that the engine has); ``index`` counts GPUs from 0.

    ``auto`` is a GPU where the engine finds one, else the processor.
    """

    hardware: Hardware = "cpu"
    through: Through = ""
    index: int = 0

    def __str__(self) -> str:
        name = self.through if self.through in ("cuda", "tensorrt") else ":".join(filter(None, (self.through, self.hardware)))
        return f"{name}:{self.index}" if self.index else name

    @property
    def is_cpu(self) -> bool:
        """Whether it can be nothing but the processor."""
        return self.hardware == "cpu"


CPU = Device()


def parse_device(value: object) -> Device:
    """The device that a text such as ``cuda:1`` or ``openvino:gpu`` names; a ``Device`` is returned as it is. Raises ``InputError``."""
    if isinstance(value, Device):
        return value
    found = _TEXT.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise InputError(
            f"there is no device {value!r}", f"name one of {CHOICES}, with a number for one of several GPUs (cuda:1)"
        )
    name, index = found[1] or found[2], int(found[3] or 0)
    through, _, hardware = (name, "", "gpu") if name in ("cuda", "tensorrt") else name.rpartition(":")
    return Device(cast(Hardware, hardware), cast(Through, through), index)
