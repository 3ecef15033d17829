"""Summary of a run, as returned by ``edgecnn.live.run`` and written by --stats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecnn.counts import counted
from edgecnn.json_text import dump_json
from edgecnn.live.cameras import ActiveCamera
from edgecnn.runtime.pipeline.statistics import Stats

if TYPE_CHECKING:
    from edgecnn.runtime.model.predictor import Trial
    from edgecnn.runtime.pipeline.drift_status import DriftStatus
    from edgecnn.runtime.sinks.queue import QueueCounts
    from edgecnn.runtime.sources import Failure


@dataclass(frozen=True, slots=True)
class OutputSummary:
    """Final counts and state of an output; ``state`` is "closed" if it finished, else ``detail`` is the reason."""

    counts: QueueCounts
    state: str
    detail: str


@dataclass(frozen=True, slots=True)
class CameraSummary:
    """Summary of a camera: ``statistics`` are ledger, throughput, stage times and frame age, ``trials`` those of autotune."""

    name: str
    model: Path
    source: str
    state: str
    threads: int | None
    requests: int
    trials: tuple[Trial, ...]
    statistics: Stats
    outputs: Mapping[str, OutputSummary]
    notes: tuple[str, ...]
    failures: tuple[Failure, ...]
    drift: DriftStatus | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the JSON document of --stats for this camera."""
        return {
            "camera": self.name,
            "file": str(self.model),
            "source": self.source,
            "state": self.state,
            "threads": self.threads,
            "requests": self.requests,
            "trials": [asdict(trial) for trial in self.trials],
            **self.statistics.to_json(),
            "outputs": {
                name: asdict(output.counts) | {"state": output.state, "detail": output.detail}
                for name, output in self.outputs.items()
            },
            **({} if self.drift is None else {"drift": self.drift.to_json()}),
            "notes": list(self.notes),
            "failures": [{"name": failure.name, "reason": failure.reason} for failure in self.failures],
        }


@dataclass(frozen=True, slots=True)
class RunSummary:
    """Summary of a run: ``end`` is "done", "stopped", "stopped by SIGINT", ... or "broke off" with its ``error``.

    ``cameras`` are in the order in which they ended; a camera that a reload replaced is contained twice.
    """

    end: str
    error: str | None
    cameras: tuple[CameraSummary, ...]

    def __getitem__(self, name: str) -> CameraSummary:
        """Return the last camera of this name. Raises ``KeyError``."""
        # Later cameras replace earlier ones of the same name.
        return {camera.name: camera for camera in self.cameras}[name]

    def to_json(self) -> dict[str, Any]:
        """Return the JSON document of --stats: the fields of the only camera, or a list of all cameras."""
        head = {"end": self.end, "error": self.error}
        cameras = [camera.to_json() for camera in self.cameras]
        return {**cameras[0], **head} if len(cameras) == 1 else {**head, "cameras": cameras}


def summarise(cameras: Sequence[ActiveCamera], end: str, error: Exception | None) -> RunSummary:
    """Summarise the cameras that ran."""
    ran = tuple(_camera_summary(camera) for camera in cameras if camera.camera is not None)
    return RunSummary(end, None if error is None else str(error), ran)


def _camera_summary(active: ActiveCamera) -> CameraSummary:
    assert active.camera is not None
    source = active.setup.source
    return CameraSummary(
        name=active.config.name,
        model=active.model_file,
        source=source.name,
        state=active.camera.state,
        threads=active.predictor.threads,
        requests=active.predictor.backend.concurrency,
        trials=tuple(active.predictor.trials),
        statistics=active.camera.stats(),
        outputs={sink.name: OutputSummary(sink.counts, sink.state, sink.detail) for sink in active.sinks},
        notes=(*source.notes, *model_notes(active)),
        failures=tuple(source.failures),
        drift=active.camera.drift,
    )


def model_notes(active: ActiveCamera) -> tuple[str, ...]:
    """Return what is to be said about the outputs of a camera's model."""
    count = active.predictor.monitor.not_finite
    return (f"the outputs of {active.model_file.name} held NaN or infinity for {counted(count, 'image')}",) if count else ()


def write_stats(path: Path, summary: RunSummary) -> None:
    """Write a summary as JSON. Raises ``InputError`` if the file can't be written."""
    from edgecnn.files import atomic_write

    with atomic_write(path) as stream:
        stream.write(dump_json(summary.to_json(), indent=1))
