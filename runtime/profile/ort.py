"""Time by operator from the profile that ONNX Runtime writes: https://onnxruntime.ai/docs/performance/tune-performance/profiling-tools.html."""

from __future__ import annotations

import json
import statistics
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from edgecnn.engine_device import Device
from edgecnn.runtime.backends.ort import OrtBackend, session_options
from edgecnn.runtime.backends.ort_providers import open_session
from edgecnn.runtime.profile.operators import OperatorProfile, OperatorTime, fill_batch
from edgecnn.types import Tensors

_PRECISIONS = {"float": "fp32", "float16": "fp16", "bfloat16": "bf16", "uint8": "int8", "int8": "int8"}
_SUFFIX = "_kernel_time"


def profile_onnx(path: Path, device: Device, threads: int | None, feeds: Tensors, runs: int) -> OperatorProfile:
    """Run a session with profiling; the profile is written to a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="edgecnn-profile-") as folder:
        options = session_options(threads, 1)
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "profile")
        session, _ = open_session(path, options, device)
        whole = fill_batch(feeds, OrtBackend(session, 1).inputs)
        for _ in range(runs + 1):
            session.run(None, whole)
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    return OperatorProfile("onnxruntime", runs, operators_of(events))


def operators_of(events: Iterable[Mapping[str, Any]]) -> tuple[OperatorTime, ...]:
    """The operators of the events; the first run of each, which allocates memory, does not count where there are more."""
    times: dict[str, list[float]] = {}
    arguments: dict[str, Mapping[str, Any]] = {}
    for event in events:
        name = str(event.get("name", ""))
        if event.get("cat") != "Node" or not name.endswith(_SUFFIX):
            continue
        # names of fused operators may repeat, their index does not
        key = f"{event['args'].get('node_index', '')} {name.removesuffix(_SUFFIX)}"
        times.setdefault(key, []).append(event["dur"] / 1e3)
        arguments[key] = event["args"]
    return tuple(_operator(key.partition(" ")[2], arguments[key], own[1:] or own) for key, own in times.items())


def _operator(name: str, arguments: Mapping[str, Any], times: list[float]) -> OperatorTime:
    inputs = arguments.get("input_type_shape") or [{}]
    first = next(iter(inputs[0]), "")
    place = str(arguments.get("provider", "")).removesuffix("ExecutionProvider")
    return OperatorTime(name, str(arguments.get("op_name", "")), statistics.median(times), _PRECISIONS.get(first, first), place)
