"""Execution providers of ONNX Runtime: which one computes on a device, and why one did not start.

ONNX Runtime goes on with the processor where a provider can't start, and says why in lines of its log only.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import onnxruntime as ort

from edgecnn.backend_errors import reason
from edgecnn.engine_device import Device
from edgecnn.errors import BackendError
from edgecnn.runtime.backends.native_lines import captured_lines

CPU_PROVIDER = "CPUExecutionProvider"
_CUDA, _TENSORRT, _OPENVINO = "CUDAExecutionProvider", "TensorrtExecutionProvider", "OpenVINOExecutionProvider"
_GPU_PROVIDERS = (_CUDA, "ROCMExecutionProvider", "DmlExecutionProvider", "CoreMLExecutionProvider", _OPENVINO)
_PACKAGES = {"cuda": "onnxruntime-gpu[cuda,cudnn]", "tensorrt": "onnxruntime-gpu[cuda,cudnn]", "openvino": "onnxruntime-openvino"}
_INSTEAD = "pip uninstall -y onnxruntime && pip install"  # two packages of ONNX Runtime overwrite each other's files
# "... with error: libcublas.so.13: cannot open shared object file ...", "[ERROR] [OpenVINO] Device GPU is not available"
_WHY = re.compile(rb"(?:with error: |\[ERROR\] (?:\[\w+\] )?)([^\x1b\n]+)")


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider by its name in ONNX Runtime, with its ``options``.

    ``memory``: the kind of device memory in which its inputs and outputs can be kept, "" where they are in the host's; of the
    device ``index``.
    """

    name: str
    options: Mapping[str, str] = field(default_factory=dict)
    memory: str = ""
    index: int = 0


def open_session(path: Path, options: Any, device: Device) -> tuple[Any, Provider | None]:
    """A session on ``device`` with its provider, None for the processor.

    Raises ``BackendError`` where the provider is not installed or does not start, and what ONNX Runtime raises for a file that it
    can't load.
    """
    wanted = providers_for(device, ort.get_available_providers())
    if not wanted:
        return ort.InferenceSession(str(path), options, providers=[CPU_PROVIDER]), None
    session, lines, failure = None, list[bytes](), None
    try:
        with captured_lines() as lines, redirect_stdout(io.StringIO()):
            _load_libraries(wanted)
            chosen = [*((one.name, dict(one.options)) for one in wanted), CPU_PROVIDER]
            session = ort.InferenceSession(str(path), options, providers=chosen, enable_fallback=0)
    except Exception as error:
        failure = error
    if session is not None and session.get_providers()[0] == wanted[0].name:
        return session, wanted[0]
    # a file that the processor can't load either is the file's fault, and raises here
    on_cpu = ort.InferenceSession(str(path), options, providers=[CPU_PROVIDER])
    if device.hardware == "auto":
        return on_cpu, None
    raise _not_started(device, wanted[0], lines, failure)


def providers_for(device: Device, available: Iterable[str]) -> tuple[Provider, ...]:
    """The providers for ``device``, the first of which must start; () for the processor itself. Raises ``BackendError``."""
    available = tuple(available)
    if device.through in ("cuda", "tensorrt"):
        return _nvidia(device, available)
    if device.through == "openvino" or device.hardware == "npu":
        if _OPENVINO not in available:
            raise _not_installed(device, "OpenVINO", "openvino")
        return (_openvino(device),)
    if device.is_cpu:
        return ()
    found = next((name for name in _GPU_PROVIDERS if name in available), None)
    if found is None and device.hardware == "gpu":
        raise BackendError(
            f"--device {device}: the installed ONNX Runtime has no provider for a GPU",
            f'run: {_INSTEAD} "{_PACKAGES["cuda"]}" (NVIDIA) or {_PACKAGES["openvino"]} (Intel), or use --device cpu',
        )
    if found is None:
        return ()
    if found == _OPENVINO:
        return (_openvino(device),)
    return (_cuda(device) if found == _CUDA else Provider(found, {"device_id": str(device.index)}),)


def _nvidia(device: Device, available: tuple[str, ...]) -> tuple[Provider, ...]:
    if device.through == "cuda":
        if _CUDA not in available:
            raise _not_installed(device, "CUDA", "cuda")
        return (_cuda(device),)
    if _TENSORRT not in available:
        raise _not_installed(device, "TensorRT", "tensorrt")
    # CUDA runs the operators that TensorRT does not have
    return Provider(_TENSORRT, {"device_id": str(device.index)}, "cuda", device.index), _cuda(device)


def _cuda(device: Device) -> Provider:
    return Provider(_CUDA, {"device_id": str(device.index)}, "cuda", device.index)


def _openvino(device: Device) -> Provider:
    hardware = "gpu" if device.hardware == "auto" else device.hardware
    name = f"{hardware.upper()}.{device.index}" if device.index else hardware.upper()
    return Provider(_OPENVINO, {"device_type": name})


def _load_libraries(wanted: tuple[Provider, ...]) -> None:
    """Load CUDA from the packages of NVIDIA, which the dynamic linker does not search (ONNX Runtime 1.21 and later)."""
    if wanted[0].memory == "cuda" and hasattr(ort, "preload_dlls"):
        ort.preload_dlls()


def _not_installed(device: Device, name: str, package: str) -> BackendError:
    return BackendError(
        f"--device {device}: the installed ONNX Runtime has no {name} provider",
        f'run: {_INSTEAD} "{_PACKAGES[package]}", or use --device cpu',
    )


def _not_started(device: Device, provider: Provider, lines: Iterable[bytes], failure: Exception | None) -> BackendError:
    found = _WHY.search(b"".join(lines))
    why = found[1].decode(errors="replace").strip() if found else reason(failure) if failure is not None else ""
    name = "TensorRT" if provider.name == _TENSORRT else provider.name.removesuffix("ExecutionProvider")
    return BackendError(
        f"--device {device}: {name} of ONNX Runtime did not start{f': {why}' if why else ''}",
        f"{_fix(provider)}, or use --device cpu",
    )


def _fix(provider: Provider) -> str:
    if provider.name == _OPENVINO:
        return "install the driver of the device"
    if provider.name == _TENSORRT:
        return f'install the driver of the GPU and run: pip install "{_PACKAGES["cuda"]}" tensorrt'
    return f'install the driver of the GPU and run: pip install "{_PACKAGES["cuda"]}"'
