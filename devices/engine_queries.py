"""Asks the installed engines for their version and the devices that they find, each in a process of its own.

A driver that is broken may end the process or print what it likes; then the engine is listed with what is known of it.
``python -m edgecnn.devices.engine_queries NAME`` prints the answer of one engine as JSON in its last line.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout, suppress
from importlib import import_module, metadata
from importlib.util import find_spec
from typing import Any, Final

from edgecnn.child_process import can_start, module_command
from edgecnn.devices.boards.board import Accelerator, EngineFound
from edgecnn.errors import first_line
from edgecnn.json_text import dump_json

TIMEOUT_S: Final = 60
# Packages of Python that open models, with the formats and the names of their packages in the registry.
PACKAGES: Final[Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "onnxruntime": (("onnx",), ("onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino")),
    "openvino": (("openvino", "onnx"), ("openvino",)),
    "ai_edge_litert": (("tflite",), ("ai-edge-litert",)),
    "tflite_runtime": (("tflite",), ("tflite-runtime",)),
    "executorch": (("executorch",), ("executorch",)),
    "torch": (("torch",), ("torch",)),
}
_PROVIDERS: Final = {
    "CUDAExecutionProvider": "cuda",
    "TensorrtExecutionProvider": "tensorrt",
    "OpenVINOExecutionProvider": "openvino:gpu",
}


def engines() -> tuple[tuple[EngineFound, ...], tuple[Accelerator, ...]]:
    """The installed engines, and the GPUs and NPUs that they find; takes some seconds."""
    found, accelerators = list[EngineFound](), list[Accelerator]()
    for name, (formats, _) in PACKAGES.items():
        if find_spec(name) is None:
            continue
        answer = _asked(name)
        devices = tuple(answer.get("devices", ()))
        found.append(EngineFound(name, installed_version(name), formats, devices, str(answer.get("text", ""))))
        accelerators += (Accelerator(**one) for one in answer.get("accelerators", ()))
    return tuple(found), tuple({one.device: one for one in accelerators}.values())


def installed_version(name: str) -> str:
    """The packages that hold the module ``name``, with versions; "" where no package of the registry says so."""
    texts = []
    for package in PACKAGES[name][1]:
        with suppress(metadata.PackageNotFoundError):
            version = metadata.version(package)
            texts.append(version if package.replace("-", "_") == name else f"{version} ({package})")
    return ", ".join(texts)


def _asked(name: str) -> dict[str, Any]:
    if not can_start():
        return {}
    command = module_command("edgecnn.devices.engine_queries", name)
    try:
        done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        return {"text": f"did not answer within {TIMEOUT_S} s"}
    except OSError as error:
        return {"text": f"could not be asked: {first_line(error)}"}
    with suppress(ValueError, IndexError):
        answer = json.loads(done.stdout.splitlines()[-1])
        if isinstance(answer, dict):
            return answer
    code = done.returncode
    return {"text": f"ended by signal {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"}


def _onnxruntime() -> dict[str, Any]:
    ort: Any = import_module("onnxruntime")
    names = [name for name in ort.get_available_providers() if name in _PROVIDERS]
    started = [name for name in names if _starts(ort, name)]
    failed = [_PROVIDERS[name] for name in names if name not in started]
    devices = ["cpu", *(_PROVIDERS[name] for name in started)]
    text = f"{', '.join(failed)} can't start here, see: edgecnn selftest FILE --device {failed[0]}" if failed else ""
    return {"devices": devices, "text": text}


def _starts(ort: Any, provider: str) -> bool:
    """Whether a session of one operator is opened by ``provider``."""
    options = {"device_type": "GPU"} if provider.startswith("OpenVINO") else {}
    settings = ort.SessionOptions()
    settings.log_severity_level = 4
    try:
        chosen = [(provider, options), "CPUExecutionProvider"]
        session = ort.InferenceSession(identity_model(), settings, providers=chosen, enable_fallback=0)
    except Exception:
        return False
    return bool(session.get_providers()[0] == provider)


def identity_model() -> bytes:
    """An ONNX model of one operator, Identity of one float, as protobuf: so that no package is needed to write it."""

    def part(number: int, content: bytes) -> bytes:
        return bytes([number << 3 | 2, len(content)]) + content

    size = part(1, bytes([1 << 3, 1]))  # dimension of 1
    kind = part(1, bytes([1 << 3, 1]) + part(2, size))  # tensor of float32
    ends = [part(1, name) + part(2, kind) for name in (b"x", b"y")]
    node = part(1, b"x") + part(2, b"y") + part(4, b"Identity")
    graph = part(1, node) + part(2, b"g") + part(11, ends[0]) + part(12, ends[1])
    return bytes([1 << 3, 8]) + part(7, graph) + part(8, bytes([2 << 3, 13]))


def _openvino() -> dict[str, Any]:
    core: Any = import_module("openvino").Core()
    devices, accelerators = [], []
    for place in core.available_devices:
        kind, _, index = place.partition(".")
        name = str(core.get_property(place, "FULL_DEVICE_NAME"))
        device = "npu" if kind == "NPU" else f"openvino:{kind.lower()}{f':{index}' if index not in ('', '0') else ''}"
        devices.append("cpu" if kind == "CPU" else device)
        if kind in ("GPU", "NPU"):
            accelerators.append({"kind": kind.lower(), "name": name, "device": device})
    native = [str(name) for name in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")]
    precisions = [name.lower() for name in native if name in ("FP32", "FP16", "BF16", "INT8")]
    return {"devices": devices, "accelerators": accelerators, "text": f"the CPU computes in {', '.join(precisions)}"}


def _torch() -> dict[str, Any]:
    torch: Any = import_module("torch")
    if not torch.cuda.is_available():
        return {"devices": ["cpu"], "text": "built without CUDA" if torch.version.cuda is None else "finds no GPU"}
    names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    places = [f"cuda:{index}" if index else "cuda" for index in range(len(names))]
    found = [{"kind": "gpu", "name": name, "device": place} for name, place in zip(names, places, strict=True)]
    return {"devices": ["cpu", *places], "accelerators": found}


def _on_processor() -> dict[str, Any]:
    return {"devices": ["cpu"]}


_QUERIES: Final[Mapping[str, Callable[[], dict[str, Any]]]] = {
    "onnxruntime": _onnxruntime,
    "openvino": _openvino,
    "ai_edge_litert": _on_processor,
    "tflite_runtime": _on_processor,
    "executorch": _on_processor,
    "torch": _torch,
}


def main(name: str) -> None:
    """Print the answer of one engine as JSON."""
    with redirect_stdout(sys.stderr):
        try:
            answer = _QUERIES[name]()
        except Exception as error:
            answer = {"text": f"can't be loaded: {first_line(error)}"}
    print(dump_json(answer))


if __name__ == "__main__":
    main(sys.argv[1])
