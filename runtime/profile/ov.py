"""Time by operator from OpenVINO's performance counters (PERF_COUNT, ``InferRequest.get_profiling_info``)."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from edgecnn.engine_device import Device
from edgecnn.runtime.backends.ov import open_file
from edgecnn.runtime.profile.operators import OperatorProfile, OperatorTime, fill_batch
from edgecnn.types import Tensors

_PRECISIONS = {"i8": "int8", "u8": "int8", "f32": "fp32", "fp32": "fp32", "f16": "fp16", "fp16": "fp16", "bf16": "bf16"}


def profile_openvino(
    path: Path, device: Device, threads: int | None, feeds: Tensors, runs: int, precision: str
) -> OperatorProfile:
    """Run an infer request with performance counters."""
    backend = open_file(path, device, threads=threads, requests=1, precision=precision, profiling=True)
    try:
        whole = fill_batch(feeds, backend.inputs)
        binding = backend.bind({name: array.shape for name, array in whole.items()})
        for name, array in whole.items():
            binding.inputs[name][...] = array
        counters = []
        for _ in range(runs + 1):
            binding.run()
            counters.append(binding.request.get_profiling_info())
    finally:
        backend.close()
    return OperatorProfile("openvino", runs, operators_of(counters))


def operators_of(runs: Iterable[Iterable[Any]]) -> tuple[OperatorTime, ...]:
    """The operators that were executed; the first run does not count where there are more."""
    times: dict[str, list[float]] = {}
    nodes: dict[str, Any] = {}
    for counters in runs:
        for node in counters:
            if str(node.status).endswith("EXECUTED"):
                times.setdefault(node.node_name, []).append(node.real_time.total_seconds() * 1e3)
                nodes[node.node_name] = node
    return tuple(_operator(nodes[name], own[1:] or own) for name, own in times.items())


def _operator(node: Any, times: list[float]) -> OperatorTime:
    # a kernel's name ends with its precision: brgconv_avx512_I8
    precision = _PRECISIONS.get(node.exec_type.rpartition("_")[2].lower(), "")
    return OperatorTime(node.node_name, node.node_type, statistics.median(times), precision, kernel=node.exec_type)
