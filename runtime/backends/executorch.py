"""Runs ExecuTorch programs (.pte) on CPUs with the package executorch, whose Python binding brings torch into the process.

A program has no names: those of its tensors, and the layout of the image, are in the card that edgecnn appends.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from importlib import metadata as packages
from pathlib import Path
from typing import Any, Final

import numpy as np

from edgecnn.backend_errors import check_cpu, inference_error, load_error
from edgecnn.cpus import usable_cpus
from edgecnn.engine_device import Device
from edgecnn.errors import BackendError
from edgecnn.runtime.backends.appended_zip import zip_texts
from edgecnn.runtime.backends.native_lines import without_lines
from edgecnn.runtime.backends.pool import ResourcePool
from edgecnn.system_errors import missing_extra
from edgecnn.tensors import check_feeds, image_layout
from edgecnn.types import Array, Tensors, TensorSpec

ENGINE = "ExecuTorch"
_METHOD: Final = "forward"
_CARD: Final = "edgecnn.card"
# ScalarType of c10, as the binding reports it
_DTYPES: Final[Mapping[int, str]] = {0: "uint8", 1: "int8", 3: "int32", 4: "int64", 5: "float16", 6: "float32"}


class ExecuTorchBackend:
    """Runs a program on ``concurrency`` methods; a method keeps its own memory and is not thread-safe."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    metadata: Mapping[str, str]
    concurrency: int

    def __init__(self, methods: list[Any], metadata: Mapping[str, str]) -> None:
        import torch

        described = methods[0].metadata
        names = {kind: _names(metadata, kind) for kind in ("inputs", "outputs")}
        given = [described.input_tensor_meta(index) for index in range(described.num_inputs())]
        made = [described.output_tensor_meta(index) for index in range(described.num_outputs())]
        self.inputs = _specs(given, names["inputs"], "input", is_input=True)
        self.outputs = _specs(made, names["outputs"], "output")
        self.metadata, self.concurrency = metadata, len(methods)
        self._as_tensor = torch.from_numpy
        self._methods: ResourcePool[Any] = ResourcePool([*methods].pop, len(methods))

    def run(self, feeds: Tensors) -> dict[str, Array]:
        """Return the outputs by name, as arrays of the caller. Raises ``BackendError`` for feeds that do not fit."""
        check_feeds(feeds, self.inputs)
        tensors = [self._as_tensor(np.ascontiguousarray(feeds[spec.name])) for spec in self.inputs]
        with self._methods.acquire() as method:
            try:
                found = method.execute(tensors)
                # the next run writes into the same memory
                return {spec.name: np.array(value.numpy()) for spec, value in zip(self.outputs, found, strict=True)}
            except Exception as error:
                raise inference_error(ENGINE, error) from error

    def close(self) -> None:
        """Free the program; calling it again does nothing."""
        self._methods.close()


def engine_version() -> str:
    """The version of ExecuTorch; without a number where it is not installed."""
    try:
        return f"{ENGINE} {packages.version('executorch')}"
    except packages.PackageNotFoundError:
        return ENGINE


def open_file(path: Path, device: Device, *, threads: int | None, requests: int) -> ExecuTorchBackend:
    """Load a .pte file. Raises ``BackendError`` if the engine cannot load it, and for a device that is not the CPU.

    All methods share one pool of ``threads``, which belongs to the process.
    """
    check_cpu(device, ENGINE)
    runtime = import_engine()
    with path.open("rb") as file:
        # a FlatBuffer begins with the offset of its root table (4 bytes), then the file identifier: ET and a version
        if file.read(6)[4:] != b"ET":
            raise BackendError(f"{path} is no ExecuTorch program: its identifier ET is missing", "export or copy the file again")
    texts = zip_texts(path)
    try:
        with without_lines(b"["):
            _set_threads(threads or usable_cpus())
            program = runtime.load_program(path)
            if _METHOD not in program.method_names:
                raise BackendError(f"{path} has no method {_METHOD}", "export it with one")
            methods = [program.load_method(_METHOD) for _ in range(requests)]
    except BackendError:
        raise
    except Exception as error:
        raise load_error(path, ENGINE, error) from error
    return ExecuTorchBackend(methods, texts)


def import_engine() -> Any:
    """The runtime; its import takes seconds, because it brings torch. Raises ``MissingExtraError``."""
    try:
        with warnings.catch_warnings(), without_lines(b"["):
            warnings.simplefilter("ignore")  # "This API is experimental"
            from executorch.runtime import Runtime

            return Runtime.get()
    except ImportError as error:
        raise missing_extra(error, "executorch", "executorch") from error


def _set_threads(count: int) -> None:
    from executorch.extension.pybindings import portable_lib

    portable_lib._unsafe_reset_threadpool(count)


def _names(metadata: Mapping[str, str], kind: str) -> Sequence[str]:
    """The names of the tensors in the card, () without a readable one; the card itself is checked later."""
    try:
        return [str(spec["name"]) for spec in json.loads(metadata.get(_CARD, "{}")).get(kind, ())]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return ()


def _specs(tensors: Sequence[Any], names: Sequence[str], kind: str, *, is_input: bool = False) -> tuple[TensorSpec, ...]:
    if len(names) != len(tensors):
        names = [f"{kind}_{index}" for index in range(len(tensors))]
    return tuple(_spec(tensor, name, is_input) for tensor, name in zip(tensors, names, strict=True))


def _spec(tensor: Any, name: str, is_input: bool) -> TensorSpec:
    if tensor.dtype() not in _DTYPES:
        raise BackendError(f"the tensor {name} has the unsupported type {tensor.dtype()}", "export the model without it")
    shape = tuple(tensor.sizes())
    return TensorSpec(name, shape, _DTYPES[tensor.dtype()], image_layout(shape) if is_input else "")
