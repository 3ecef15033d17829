"""The outputs of a run on a cluster: parts are written one after the other by the outputs of a run on one machine."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO

from edgecnn.cluster.part_file import PartEnd, PartReader
from edgecnn.cluster.run_plan import RunPart
from edgecnn.files import check_writable, write_file
from edgecnn.json_text import dump_json
from edgecnn.live.cameras import close_sinks
from edgecnn.live.config import CameraConfig, RunConfig
from edgecnn.live.outputs import OutputCamera, Outputs
from edgecnn.live.status import describe
from edgecnn.runtime.draw.painter import Painter
from edgecnn.runtime.draw.shared_painter import SharedPainter
from edgecnn.runtime.sources.images import ImageFiles
from edgecnn.types import Event

if TYPE_CHECKING:
    from edgecnn.cluster.run_worker import ModelFacts
    from edgecnn.runtime.sinks.shared_sink import SharedSink
    from edgecnn.runtime.sources import Source

Told = Callable[[str], None]


class RunOutputs:
    """Opens the outputs of all cameras; use it in a ``with`` block, which finishes them.

    ``frames`` counts results, ``failed`` says why by camera, ``first_error`` is problem and fix of the first one. Raises ``InputError``
    for an output that can't be written, or that lost results.
    """

    def __init__(self, config: RunConfig, sources: Sequence[Source], model: ModelFacts, told: Told, out: TextIO) -> None:
        self.frames = 0
        self.failed: dict[str, str] = {}
        self.first_error = ("", "")
        self._config, self._model, self._told, self._out = config, model, told, out
        self._sources = {camera.name: source for camera, source in zip(config.cameras, sources, strict=True)}
        self._ends: list[tuple[RunPart, PartEnd]] = []
        self._outputs = Outputs(told)
        self._sinks: dict[str, list[SharedSink]] = {}

    def __enter__(self) -> RunOutputs:
        if self._config.stats is not None:
            check_writable(self._config.stats)
        try:
            for camera in self._config.cameras:
                self._sinks[camera.name] = self._outputs.open(self._output_camera(camera), camera.outputs)
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._close()
        lost = [sink.error for sinks in self._sinks.values() for sink in sinks if sink.broken and sink.error is not None]
        if kind is None and lost:
            raise lost[0]

    def write(self, part: RunPart, results: PartReader) -> None:
        """Write the results and events of a part, and say what its camera and model have to say."""
        sinks = self._sinks[part.camera.name]
        for item in results:
            if isinstance(item, Event):
                for sink in sinks:
                    sink.write_event(item)
                continue
            self.frames += 1
            for sink in sinks:
                sink.write(item)
            source = self._sources[part.camera.name]
            if isinstance(source, ImageFiles) and not part.camera.outputs.to_stdout:
                print(describe(item, source.title(item.frame.index), self._model.labels), file=self._out, flush=True)
        self._finish(part, results.end)

    def write_stats(self) -> None:
        """Write --stats: the summaries of all parts in order."""
        if self._config.stats is None:
            return
        cameras = [{**end.summary, "first_frame": part.first, "end_frame": part.end} for part, end in self._ends]
        write_file(self._config.stats, dump_json({"end": "done", "error": None, "cameras": cameras}, indent=1))

    def _finish(self, part: RunPart, end: PartEnd) -> None:
        known = {text for _, other in self._ends for text in (*other.warnings, *other.summary.get("notes", ()))}
        self._ends.append((part, end))
        for text in end.warnings:
            if text not in known:
                self._told(f"warning: {text}")
        for text in end.summary.get("notes", ()):
            if text not in known:
                self._told(f"{part.camera.name}: {text}")
        if end.error is not None:
            self.first_error = self.first_error if self.failed else end.error
            self.failed.setdefault(part.camera.name, end.error[0])
            self._told(f"{part.title}: failed: {end.error[0]}")

    def _output_camera(self, camera: CameraConfig) -> OutputCamera:
        source = self._sources[camera.name]
        return OutputCamera(
            name=camera.name,
            labels=self._model.labels,
            painter=SharedPainter(Painter(self._model.labels)),
            title=source.title,
            fps=functools.partial(getattr, source, "fps"),
            live=False,
            several=len(self._config.cameras) > 1,
            task=self._model.task,
            source=camera.source,
        )

    def _close(self) -> None:
        close_sinks([sink for sinks in self._sinks.values() for sink in sinks])


def check_outputs(config: RunConfig) -> None:
    """Raise ``InputError`` where a file can't be written, before workers are started; folders that do not exist are made later."""
    arrays = {camera.outputs.npy for camera in config.cameras}
    for name in written_files(config):
        if name not in arrays and Path(name).parent.is_dir():
            check_writable(Path(name), in_place=True)


def written_files(config: RunConfig) -> list[str]:
    """The files that the outputs of ``config`` wrote, each once."""
    names: list[Any] = []
    for camera in config.cameras:
        outputs = camera.outputs
        for target in (outputs.jsonl, outputs.csv, outputs.mot, outputs.coco, outputs.npy, outputs.events):
            names += [target.replace("{camera}", camera.name)] if target and target != "-" else []
    names += [] if config.stats is None else [str(config.stats)]
    return list(dict.fromkeys(names))
