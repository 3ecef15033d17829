"""`edgecnn run --ray`: files and segments of files on the workers of a cluster, outputs as a run on one machine writes them."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from edgecnn.cluster.connection import ClusterOptions, connected, load_ray
from edgecnn.cluster.part_file import PartReader
from edgecnn.cluster.paths import absolute_camera
from edgecnn.cluster.pool import NodeWorkers, StoppedError
from edgecnn.cluster.run_outputs import RunOutputs, check_outputs
from edgecnn.cluster.run_plan import RunPart, check_config, check_source, plan_parts, with_videos, without_outputs
from edgecnn.cluster.run_worker import ModelFacts, RunWorker
from edgecnn.cluster.versions import this_node
from edgecnn.errors import SourceError
from edgecnn.kept_parts import KeptParts, model_digest, part_name, source_digest
from edgecnn.live.camera_source import open_camera_source
from edgecnn.live.config import RunConfig
from edgecnn.live.models import check_signature, model_file

if TYPE_CHECKING:
    from edgecnn.runtime.sources import Source

Told = Callable[[str], None]


@dataclass(slots=True, kw_only=True)
class ClusterRun:
    """How a run went: parts that were done now, and those that were there from an earlier run; ``seconds`` without the start."""

    parts: int
    kept: int
    workers: int = 0
    nodes: int = 0
    frames: int = 0
    seconds: float = 0.0
    start_seconds: float = 0.0
    stopped: bool = False
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """One line for people."""
        if not self.workers:
            return "no worker was ready yet, and nothing was written"
        rate = f", {self.frames / self.seconds:.1f} frames/s" if self.seconds else ""
        machines = f"{_counted(self.workers, 'worker')} on {_counted(self.nodes, 'node')}, started in {self.start_seconds:.1f} s"
        earlier = f", {self.kept} of {self.parts} parts from an earlier run" if self.kept else ""
        return f"{_counted(self.frames, 'frame')} in {self.seconds:.1f} s{rate} ({machines}{earlier})"


def run_on_cluster(
    config: RunConfig,
    options: ClusterOptions,
    *,
    stopped: Callable[[], bool] = lambda: False,
    told: Told = lambda _: None,
    progress: Told = lambda _: None,
    out: TextIO | None = None,
) -> ClusterRun:
    """Run the cameras of ``config``, which are files, on a cluster; outputs are those of `edgecnn run`, file by file.

    ``threads`` of each worker are those of the configuration, else 1. ``told`` gets lines that stay, ``progress`` short ones, ``out``
    predictions for images. When ``stopped()``, finished parts are kept for the next run. Raises ``InputError`` for options that need
    one machine and for a cluster that can't be used, what loading a model raises, and ``SourceError`` where no file could be read.
    """
    load_ray()
    check_config(config)
    config = with_videos(config)
    config = dataclasses.replace(config, cameras=tuple(map(absolute_camera, config.cameras)))
    config = dataclasses.replace(config, threads=config.threads or 1, requests=1, autotune=False)
    sources = [open_camera_source(camera) for camera in config.cameras]
    for camera, source in zip(config.cameras, sources, strict=True):
        check_source(camera, source)
        check_signature(camera)
    digest = model_digest(model_file(config.cameras[0]))
    kept = KeptParts(options.parts)
    check_outputs(config)
    progress("starting workers")
    began = time.perf_counter()
    with connected(options.address) as ray:
        try:
            pool: NodeWorkers[ModelFacts, RunPart] = NodeWorkers(
                ray, RunWorker, (config, digest), count=options.workers, cpus=config.threads or 1, told=told, stopped=stopped
            )
        except StoppedError:
            return ClusterRun(parts=0, kept=0, stopped=True)
        parts = plan_parts(config, sources, len(pool))
        names = _names(config, parts, dict(zip((camera.name for camera in config.cameras), sources, strict=True)), digest)
        run = ClusterRun(parts=len(parts), kept=sum(map(kept.has, names)))
        run.workers, run.nodes = len(pool), len({node.ray_id for node in pool.nodes})
        run.start_seconds = time.perf_counter() - began
        with RunOutputs(config, sources, pool.common, told, out or sys.stdout) as outputs:
            _do_all(parts, names, kept, pool, outputs, run, stopped, progress)
            run.frames, run.failed = outputs.frames, outputs.failed
        run.seconds = time.perf_counter() - began - run.start_seconds
    if run.stopped:
        told(f"finished parts are kept in {kept.folder}; the same command goes on from them")
        return run
    outputs.write_stats()
    kept.remove(names)
    if len(run.failed) == len(config.cameras):
        raise SourceError(*outputs.first_error)
    return run


def _do_all(
    parts: Sequence[RunPart],
    names: Sequence[str],
    kept: KeptParts,
    pool: NodeWorkers[ModelFacts, RunPart],
    outputs: RunOutputs,
    run: ClusterRun,
    stopped: Callable[[], bool],
    progress: Told,
) -> None:
    """Do the parts that are not kept; write each as soon as all before it are written."""
    written = 0

    def write_next() -> None:
        nonlocal written
        while written < len(parts) and (content := kept.find(names[written])) is not None:
            outputs.write(parts[written], PartReader(content))
            written += 1

    write_next()
    missing = [part for part in parts if not kept.has(names[part.number])]
    began = time.perf_counter()
    for done, (part, content) in enumerate(pool.outcomes(missing, stopped), 1):
        kept.put(names[part.number], content)
        left = (time.perf_counter() - began) / done * (len(missing) - done)
        progress(f"part {len(parts) - len(missing) + done} of {len(parts)} done: {part.title}; {left:.0f} s left")
        write_next()
    run.stopped = written < len(parts)


def _names(config: RunConfig, parts: Sequence[RunPart], sources: Mapping[str, Source], digest: str) -> list[str]:
    """The name of each part: a digest of all that its results depend on."""
    files = {name: source_digest(_files(source)) for name, source in sources.items()}
    work = [digest, config.engine, str(config.device), config.threads, config.max_frames, dict(this_node().versions)]
    return [
        part_name([*work, dataclasses.asdict(without_outputs(part.camera)), files[part.camera.name], part.first, part.end])
        for part in parts
    ]


def _files(source: Source) -> Sequence[Path]:
    return getattr(source, "paths", None) or (Path(source.name.partition("?")[0]),)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
