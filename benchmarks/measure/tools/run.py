"""Measures model files by the definition of another tool, each in a process of its own, one after the other."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from edgecnn.benchmarks.measure.config import BenchmarkConfig
from edgecnn.benchmarks.measure.measurement import load_all, store_inputs
from edgecnn.benchmarks.measure.process import ModelProcess
from edgecnn.benchmarks.measure.progress import Progress, no_progress
from edgecnn.benchmarks.measure.record import display_names, sha256_of
from edgecnn.benchmarks.measure.tools.registry import TOOLS
from edgecnn.benchmarks.measure.tools.report import ToolDefinition, ToolReport
from edgecnn.benchmarks.measure.verdict import disturbance_reasons
from edgecnn.devices import DeviceProfile, Environment, environment, probe
from edgecnn.devices.counters import between, read_counters
from edgecnn.integrity.signature import require_signature
from edgecnn.runtime.backends import file_format

QUICK_SCALE = 0.1


@dataclass(frozen=True, slots=True)
class FileByTool:
    """One file as a tool would report it; ``reasons``: disturbances of the machine meanwhile."""

    name: str
    sha256: str
    report: ToolReport
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ToolRecord:
    """All files by the definition of one tool. ``scale``: of its durations; below 1 the numbers are not quite its own."""

    tool: str
    variant: str
    definition: ToolDefinition
    device: DeviceProfile
    environment: Environment
    threads: int
    inputs: str
    scale: float
    files: tuple[FileByTool, ...]

    @property
    def title(self) -> str:
        """Tool and variant."""
        return f"{self.tool}:{self.variant}" if self.variant else self.tool


def measure_as(
    config: BenchmarkConfig, tool: str, variant: str, progress: Progress = no_progress, *, scale: float | None = None
) -> ToolRecord:
    """Measure the files of ``config`` by the definition of a tool of the registry.

    ``scale``: of the tool's durations; None: 1, and a tenth by the quick protocol.

    Raises what loading a file or reading inputs raises, and ``BackendError`` where an engine crashes.
    """
    for path in config.files:
        file_format(path)
        require_signature(path, config.require_signature)
    chosen, before = TOOLS[tool][variant], environment()
    if scale is None:
        scale = QUICK_SCALE if config.protocol.name == "quick" else 1.0
    found: list[FileByTool] = []
    with tempfile.TemporaryDirectory(prefix="edgecnn-") as folder, ExitStack() as stack:
        processes = load_all(config, config.engine_threads if chosen.parallel else 1, stack, progress)
        inputs, _ = store_inputs(config, processes, Path(folder), progress, no_progress)
        for process, name in zip(processes, display_names(config.files), strict=True):
            progress(f"as {tool}: {name}")
            process.ask("use", folder=folder)
            found.append(_file(config, process, name, (tool, variant, scale)))
    return ToolRecord(
        tool,
        variant,
        chosen.definition,
        probe(),
        before,
        config.engine_threads,
        inputs.description,
        scale,
        tuple(found),
    )


def _file(config: BenchmarkConfig, process: ModelProcess, name: str, chosen: tuple[str, str, float]) -> FileByTool:
    tool, variant, scale = chosen
    before = read_counters([process.pid])
    report: ToolReport = process.ask("as_tool", tool=tool, variant=variant, scale=scale, engine=config.engine)
    disturbance = disturbance_reasons(between(before, read_counters([process.pid])))
    return FileByTool(name, sha256_of(process.path), report, tuple(reason for reason, holds in disturbance.items() if holds))
