"""Runs models in different inference engines behind one interface.

``open_backend`` selects the engine by the format of the file, or takes the one that is asked for, and imports only that engine.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, runtime_checkable

from edgecnn.backend_errors import load_error
from edgecnn.engine_device import CPU, Device, parse_device
from edgecnn.errors import BackendError, EdgeCnnError, InputError
from edgecnn.files import stamp
from edgecnn.integrity.load_check import LoadCheck
from edgecnn.runtime.backends.engines import engine_for, engine_module
from edgecnn.shipped import artifact
from edgecnn.types import Array, Tensors, TensorSpec

SUFFIXES: Mapping[str, str] = {
    ".onnx": "onnx",
    ".xml": "openvino",
    ".tflite": "tflite",
    ".pte": "executorch",
    ".safetensors": "torch",
}
ENGINE_SUFFIXES = tuple(suffix for suffix, form in SUFFIXES.items() if form != "torch")  # exported files, not checkpoints


@runtime_checkable
class Backend(Protocol):
    """A model loaded in one inference engine.

    ``inputs`` and ``outputs`` are the tensors as declared in the file, ``metadata`` the texts stored in the file by key, and
    ``concurrency`` the number of threads that can call ``run`` at the same time.
    """

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    metadata: Mapping[str, str]
    concurrency: int

    def run(self, feeds: Tensors) -> dict[str, Array]:
        """Return the outputs of one batch by name, as arrays of the caller. Raises ``BackendError`` for feeds that do not fit."""
        ...

    def close(self) -> None:
        """Free the model; calling it again does nothing."""
        ...


def file_format(path: Path) -> str:
    """Return the format of a model file by its suffix. Raises ``InputError`` for an unreadable file or an unknown suffix."""
    if not path.exists():
        raise InputError(f"the model file {path} does not exist", "check the path")
    if not path.is_file():
        raise InputError(f"{path} is a folder, not a model file", "name a file in it")
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"{path.name} is no model file of a supported format", f"use one of {', '.join(SUFFIXES)}")
    if not path.stat().st_size:
        raise InputError(f"the model file {path} is empty", "export or copy it again")
    try:
        str(path).encode()
    except UnicodeEncodeError as error:  # the engines take UTF-8
        raise InputError(f"the name of the model file {path} is not UTF-8 text", "rename it, or set a UTF-8 locale") from error
    if not os.access(path, os.R_OK):
        raise InputError(f"the model file {path} is not readable", "change its permissions")
    return SUFFIXES[path.suffix.lower()]


def model_stamps(path: Path) -> tuple[tuple[int, ...], ...]:
    """The ``stamp`` of a model file, and that of the weights of OpenVINO beside it."""
    return stamp(path), stamp(path.with_suffix(".bin"))


def open_backend(
    path: Path | str, device: Device | str = CPU, *, threads: int | None = None, requests: int = 1, engine: str | None = None
) -> Backend:
    """Load a model file, or a shipped model by its name ("cups"), in the engine for its format.

    ``engine`` is another engine that opens the format, and the precision that it computes in: "openvino", "openvino:bf16".
    ``device`` is a ``Device`` or its name, such as "cpu", "auto" or "cuda:1" (``edgecnn.engine_device``).

    ``threads`` is the total number of CPU threads (None: default of the engine), ``requests`` the number of concurrent inferences
    (1: lowest latency), which becomes ``concurrency`` of the backend. Raises ``InputError`` for a missing file and
    an engine that does not open it,
    ``MissingExtraError`` for an engine that is not installed, ``BackendError`` for a file that the engine cannot load or a device
    that does not exist, and ``ArtifactError`` for a file that is not the one that was verified at export.
    """
    path, device = artifact(path), parse_device(device)
    choice = engine_for(path, file_format(path), engine, device)
    opener = engine_module(choice.name)
    more = {"precision": choice.precision} if choice.precision else {}
    check = LoadCheck(path)
    try:
        backend: Backend = opener.open_file(path, device, threads=threads, requests=requests, **more)
    except BackendError:
        # A changed file is the better reason.
        check.finish()
        raise
    except EdgeCnnError:
        raise
    # The bindings of a damaged file raise what they like: UnicodeDecodeError for a name, RuntimeError, MemoryError, IndexError ...
    except Exception as error:
        check.finish()
        raise load_error(path, opener.ENGINE, error) from error
    try:
        check.finish()
    except BaseException:
        backend.close()
        raise
    return backend
