"""The typed configuration of a benchmark: all options of `edgecnn benchmark`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from edgecnn.benchmarks.measure.dataset_selection import DatasetSelection
from edgecnn.benchmarks.measure.process import LoadOptions
from edgecnn.benchmarks.measure.protocol import CLOCKS, FULL, Clock, Protocol
from edgecnn.benchmarks.measure.scenario import ScenarioOptions
from edgecnn.cpus import usable_cpus
from edgecnn.engine_device import CPU, Device, parse_device
from edgecnn.runtime.model.card_inference import CardOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkConfig:
    """Model files to measure, load options, clocks, data and reports.

    ``files``: the first, or a checkpoint (.safetensors), is the reference that speedups refer to.
    ``engine``: engine of all files, see ``open_backend``; None: that of each format.
    ``threads``: CPU threads of every engine; None: all processors that this process may use, so that engines compare.
    ``clocks``: model (inference alone), task (frame to boxes), age (capture to result, live).
    ``scenarios``: further load to measure after the clocks, by the task clock where it is among ``clocks``.
    ``profile``: time by operator, where the engine gives it.
    ``data``: gives inputs and accuracy; None: built-in inputs and no accuracy.
    ``json_path``, ``html_path``, ``markdown_path``, ``csv_path``: reports to write; ``history``: a folder that keeps the record, by
    device and time. ``image`` is a PNG or JPEG to show in the HTML report.
    ``keep_partial``: after an interrupt the clocks that are complete make a partial record.
    ``require_signature``: public key that must have signed all files.
    Raises ``ValueError`` without files or clocks, for an unknown clock and for fewer than one thread.
    """

    files: tuple[Path, ...]
    device: Device = CPU
    engine: str | None = None
    threads: int | None = None
    options: CardOptions = field(default_factory=CardOptions)
    clocks: tuple[Clock, ...] = CLOCKS
    protocol: Protocol = FULL
    scenarios: ScenarioOptions = field(default_factory=ScenarioOptions)
    profile: bool = False
    data: DatasetSelection | None = None
    throughput: bool = True
    json_path: Path | None = None
    html_path: Path | None = None
    markdown_path: Path | None = None
    csv_path: Path | None = None
    history: Path | None = None
    image: Path | None = None
    require_signature: Path | None = None
    keep_partial: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "device", parse_device(self.device))
        if not self.files:
            raise ValueError("a benchmark needs at least one model file; name one in files")
        unknown = [clock for clock in self.clocks if clock not in CLOCKS]
        if unknown or not self.clocks:
            raise ValueError(f"clocks {self.clocks!r} are not valid; name one or more of {', '.join(CLOCKS)}")
        if self.scenarios.extra and self.clocks == ("age",):
            raise ValueError("scenarios are measured by the clock model or task; add one of them to clocks")
        if self.threads is not None and self.threads < 1:
            raise ValueError(f"threads is {self.threads}; give 1 or more, or None for all processors")

    @property
    def engine_threads(self) -> int:
        """CPU threads that every engine gets."""
        # never left to the engines: their defaults differ (processors, or physical cores)
        return self.threads or usable_cpus()

    def load_options(self, requests: int) -> LoadOptions:
        """The load options for ``requests`` inferences in flight."""
        return LoadOptions(self.device, self.engine_threads, requests, self.options, self.engine)
