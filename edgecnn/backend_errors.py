"""The errors that all inference engines share, with the engine's own message shortened to the part that explains."""

from __future__ import annotations

from edgecnn.engine_device import Device
from edgecnn.errors import BackendError
from edgecnn.system_errors import limit_met


def load_error(path: object, engine: str, error: Exception) -> BackendError:
    """A file that an engine can't load, or may not: then the limit that was met is named."""
    met = limit_met(error)
    if met is not None:
        return BackendError(f"{engine} cannot load {path}: {met.problem}", met.fix)
    text = reason(error)
    fix = "export it without this operator" if "custom op" in text else "export or copy the file again"
    return BackendError(f"{engine} cannot load {path}: {text}", fix)


def inference_error(engine: str, error: Exception) -> BackendError:
    """An inference that an engine failed to run."""
    met = limit_met(error)
    if met is not None:
        return BackendError(f"the inference by {engine} failed: {met.problem}", met.fix)
    return BackendError(f"the inference by {engine} failed: {reason(error)}", "check the model and its input")


def check_cpu(device: Device, engine: str) -> None:
    """Raise ``BackendError`` for a device that an engine of processors can't use."""
    if device.hardware not in ("cpu", "auto") or device.through:
        raise BackendError(
            f"--device {device}: edgecnn runs {engine} on the CPU only", "use --device cpu, or the ONNX or OpenVINO file"
        )


def closed_error() -> BackendError:
    """A model that is used after ``close``."""
    return BackendError("the model is closed", "open it again")


def reason(error: Exception, limit: int = 300) -> str:
    """The line of an engine's message that explains, at most ``limit`` characters, without the place in the engine's source."""
    if isinstance(error, UnicodeDecodeError):
        return "its metadata or a name in it is not UTF-8 text"
    if isinstance(error, MemoryError):
        return "there is not enough memory for what it asks for"
    lines = [line.strip() for line in str(error).splitlines()]
    # OpenVINO puts "Exception from src/..." and "Check '...' failed at ..." before the reason
    telling = [line for line in lines if line and not line.startswith(("Exception from", "Check '"))]
    text = telling[0] if telling else type(error).__name__
    if text.startswith("[ONNXRuntimeError]"):  # "[ONNXRuntimeError] : 1 : FAIL : Load model from PATH failed:REASON"
        text = text.partition(" failed:")[2] or text.split(" : ", 3)[-1]
    if text.startswith("/onnxruntime_src/"):  # "/onnxruntime_src/FILE.cc:LINE SIGNATURE(...) REASON"
        text = text.rpartition(") ")[2]
    return text.rstrip(". ")[:limit]
