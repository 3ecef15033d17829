"""The inference engines by name, and which of them open a file of a format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Final

from edgecnn.devices.probe import installed_formats
from edgecnn.engine_device import CPU, Device
from edgecnn.errors import InputError

MODULES: Final[Mapping[str, str]] = {
    "onnxruntime": "edgecnn.runtime.backends.ort",
    "openvino": "edgecnn.runtime.backends.ov",
    "litert": "edgecnn.runtime.backends.litert",
    "executorch": "edgecnn.runtime.backends.executorch",
    "pytorch": "edgecnn.models.backend",  # found by name so that the runtime never imports torch
}
# The first engine of a format is its default.
OPENED_BY: Final[Mapping[str, tuple[str, ...]]] = {
    "onnx": ("onnxruntime", "openvino"),
    "openvino": ("openvino",),
    "tflite": ("litert",),
    "executorch": ("executorch",),
    "torch": ("pytorch",),
}
# The extra that installs an engine, where the base has not got it.
EXTRA_OF: Final[Mapping[str, str]] = {"openvino": "openvino", "litert": "tflite", "executorch": "executorch"}
# Precisions in which an engine can be asked to compute, whatever the file stores; the others follow the file.
COMPUTES_IN: Final[Mapping[str, tuple[str, ...]]] = {"openvino": ("fp32", "bf16", "fp16")}


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """An engine by its ``name``, and the ``precision`` that it is asked to compute in ("": that of the file)."""

    name: str
    precision: str = ""

    def __str__(self) -> str:
        return f"{self.name}:{self.precision}" if self.precision else self.name


def parse_engine(text: str) -> EngineChoice:
    """Read ``openvino`` or ``openvino:bf16``. Raises ``InputError`` for an unknown engine, and a precision that it does not take."""
    name, colon, precision = text.strip().lower().partition(":")
    if name not in MODULES:
        opened_by = OPENED_BY.get(name)
        if opened_by:
            raise InputError(f"{name} is a format of files, not an engine", f"use {' or '.join(opened_by)} for its files")
        raise InputError(f"there is no engine {text!r}", f"use one of {', '.join(MODULES)}")
    taken = COMPUTES_IN.get(name, ())
    if colon and precision not in taken:
        fix = f"use {', '.join(f'{name}:{each}' for each in taken)}" if taken else f"use {name}"
        reason = f"does not compute in {precision!r}" if taken else "computes in the precision of the file"
        raise InputError(f"the engine {name} {reason}", fix)
    return EngineChoice(name, precision)


def extras_of_options(words: Sequence[object]) -> set[str]:
    """The extras that ``--engine`` and ``--device`` among the words of a command need: ``--device npu`` is one of OpenVINO."""
    texts = [str(word) for word in words]
    pairs = [*pairwise(texts), *(text.split("=", 1) for text in texts if "=" in text)]
    given = {name: value.lower() for name, value in pairs if name in ("--engine", "--device")}
    engine, device = (given.get(name, "").partition(":")[0] for name in ("--engine", "--device"))
    found = {EXTRA_OF[engine]} if engine in EXTRA_OF else set()
    return found | ({"openvino"} if device in ("openvino", "npu") else set())


def engine_for(path: Path, file_format: str, engine: str | None, device: Device = CPU) -> EngineChoice:
    """The engine that opens the file at ``path``: the one asked for, OpenVINO for its devices, else the default of the format.

    Raises ``InputError`` for an engine that does not open the format.
    """
    opened_by = OPENED_BY[file_format]
    if not engine:
        is_openvino = "openvino" in opened_by and (device.through == "openvino" or device.hardware == "npu")
        return EngineChoice("openvino" if is_openvino else opened_by[0])
    choice = parse_engine(engine)
    if choice.name not in opened_by:
        raise InputError(
            f"{choice.name} does not open {path.name}", f"use {' or '.join(opened_by)}, or another file of the model"
        )
    return choice


def engine_module(name: str) -> ModuleType:
    """Import the module of an engine. Raises ``ImportError``, or ``MissingExtraError``, where its package is missing."""
    return import_module(MODULES[name])


def own_format(name: str) -> str:
    """The format whose default an engine is."""
    return next(file_format for file_format, engines in OPENED_BY.items() if engines[0] == name)


def installed_engines(file_format: str) -> tuple[str, ...]:
    """The engines that open a format and whose package is installed, found without importing any."""
    installed = installed_formats()
    return tuple(name for name in OPENED_BY[file_format] if own_format(name) in installed)
