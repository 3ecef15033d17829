"""Time by operator, where the engine of a file gives it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edgecnn.engine_device import Device
from edgecnn.runtime.backends import file_format
from edgecnn.runtime.backends.engines import engine_for
from edgecnn.runtime.profile.operators import OperatorProfile

if TYPE_CHECKING:
    from edgecnn.types import Tensors

# Why an engine gives no times, and what does.
WITHOUT = {
    "litert": "the Python package of LiteRT gives no times of operators; its program benchmark_model does, with --enable_op_profiling=true",
    "executorch": "the Python package of ExecuTorch gives no times of operators; ETDump and its Inspector do, in a build for them",
    "pytorch": "a checkpoint runs as a whole network; torch.profiler gives the times of its operators",
}
RUNS = 20


def profile_file(
    path: Path, device: Device, engine: str | None, threads: int | None, feeds: Tensors, runs: int = RUNS
) -> OperatorProfile:
    """Load the file once more with its engine's profiler, run it ``runs`` times on ``feeds``, and give the median time by operator.

    Times include the profiler itself, so their sum is above the latency. Raises what loading the file raises.
    """
    choice = engine_for(path, file_format(path), engine, device)
    if choice.name == "onnxruntime":
        from edgecnn.runtime.profile.ort import profile_onnx

        return profile_onnx(path, device, threads, feeds, runs)
    if choice.name == "openvino":
        from edgecnn.runtime.profile.ov import profile_openvino

        return profile_openvino(path, device, threads, feeds, runs, choice.precision)
    return OperatorProfile(choice.name, problem=WITHOUT[choice.name])
