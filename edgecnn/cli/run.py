"""`edgecnn run`: a model file on a camera, video, folder, address or the scene, with a live status line and a ledger that balances."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgecnn.cli.options import ModelFile, model_options
from edgecnn.cli.pending import pending_text
from edgecnn.cli.signals import StopSignals

if TYPE_CHECKING:
    from edgecnn.errors import EdgeCnnError
    from edgecnn.runtime.identify import CardOptions
    from edgecnn.runtime.pipeline import Pipeline, Policy
    from edgecnn.runtime.predictor import Predictor
    from edgecnn.runtime.sinks import Sink
    from edgecnn.runtime.sources import Source
    from edgecnn.runtime.stats import Stats

PATH = click.Path(path_type=Path)
SHOWN_SCORE = 0.3  # cards keep weaker boxes for measuring; somebody who watches wants the likely ones


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the command line asks of a run, beside the model's own options."""

    source: str
    policy: Policy | None
    repeat: int
    timeout: float
    max_frames: int | None
    duration: float | None
    requests: int | None
    out: Path | None
    snapshot: Path | None
    jsonl: str | None
    stats: Path | None
    show: bool
    device: Any
    threads: int | None


@click.command("run")
@click.argument("file", type=ModelFile())
@click.option(
    "--source",
    required=True,
    envvar="EDGECNN_SOURCE",
    help="Camera number, rtsp:// or http:// address, video, image, folder of images, or scene:cups. "
    "EDGECNN_SOURCE keeps an address with a password out of the process list.",
)
@click.option(
    "--policy",
    type=click.Choice(["latest", "all"]),
    help="latest: the newest frame wins, drops are counted, a video plays at its frame rate. all: nothing is dropped.  "
    "[default: latest for live sources, all for files]",
)
@click.option("--repeat", type=click.IntRange(0), default=1, show_default=True, help="Play files N times; 0 without end.")
@click.option("--timeout", type=click.FloatRange(0.1), default=5.0, show_default=True, help="Seconds that a frame may take.")
@click.option("--max-frames", type=click.IntRange(1), help="Stop after N results.")
@click.option("--duration", type=click.FloatRange(0, min_open=True), help="Stop after N seconds.")
@click.option(
    "--requests",
    type=click.IntRange(1),
    help="Inferences in flight.  [default: 1 with latest, one for each core and one more with all]",
)
@click.option("--out", type=PATH, help="Annotated video: .mp4, .mkv (MPEG-4), .webm (VP8, for browsers) or .avi.")
@click.option("--snapshot", type=PATH, help="Annotated picture of the last frame with something on it.")
@click.option("--jsonl", metavar="FILE", help="Results as JSON lines; - is standard output.")
@click.option("--stats", type=PATH, help="Throughput, stage times, frame age and ledger as JSON.")
@click.option("--show", is_flag=True, help="Show a window; q ends the run.")
@model_options
def command(file: Path, options: CardOptions, **values: Any) -> None:
    """Run the model FILE on a source.

    Boxes scored 0.3 or more are shown and written, unless --score-threshold says otherwise. For images, what was found goes to
    standard output, a line for each; status and summary go to standard error. Exit code 0 at the end of the source, 130 after
    Ctrl-C (SIGINT) and 143 after SIGTERM, with all outputs finished; 2 where something is wrong.
    """
    from edgecnn.errors import EdgeCnnError

    with StopSignals() as signals:
        run = Run(file, options, Wishes(**values), signals)
        error: EdgeCnnError | None = None
        try:
            run.go()
        except EdgeCnnError as problem:
            error = problem
        run.report(error)
    if run.stuck:
        _end_now(error, signals.exit_code)
    if error is not None:
        raise error
    sys.exit(signals.exit_code)


def _end_now(error: EdgeCnnError | None, code: int) -> None:
    """A thread hangs in a driver: Python's own shutdown would free under its feet what it uses."""
    if error is not None:
        click.echo(f"error: {error}", err=True)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if error is None else error.exit_code)


@dataclass
class Run:
    """One run: opens what was asked for, plays it, and says how it went."""

    file: Path
    options: CardOptions
    wishes: Wishes
    signals: StopSignals
    stats: Stats | None = None
    source: Source | None = None
    stuck: list[str] = field(default_factory=list)

    def go(self) -> None:
        """Run to the end of the source, of the frames or the time asked for, or until a signal; raises ``EdgeCnnError``."""
        from edgecnn.runtime.predictor import Predictor
        from edgecnn.runtime.sinks import check_writable

        wishes = self.wishes
        paced = {"latest": True, "all": False, None: None}[wishes.policy]
        self.source = self._open_source(paced)
        if wishes.stats is not None:
            check_writable(wishes.stats)
        requests = wishes.requests or _usual_requests(wishes.policy, self.source)
        options = self.options
        if options.score_threshold is None:
            options = replace(options, score_threshold=SHOWN_SCORE)
        with Predictor(self.file, wishes.device, threads=wishes.threads, requests=requests, options=options) as predictor:
            self._play(self.source, predictor, requests)

    def _open_source(self, paced: bool | None) -> Source:
        from edgecnn.runtime.backends import file_format
        from edgecnn.runtime.sources import open_source

        file_format(self.file)  # a wrong path is said before anything is opened
        wishes = self.wishes
        return open_source(wishes.source, timeout=wishes.timeout, repeat=wishes.repeat, paced=paced)

    def _play(self, source: Source, predictor: Predictor, requests: int) -> None:
        from edgecnn.runtime.pipeline import Pipeline

        wishes = self.wishes
        if requests > 1:
            _leave_cores_to_inference()
        pipeline = Pipeline(source, predictor, policy=wishes.policy, workers=requests, max_frames=wishes.max_frames)
        self.signals.on_stop = pipeline.stop
        try:
            with ExitStack() as stack:
                sinks = self._open_sinks(stack, pipeline, predictor)
                with pipeline:
                    self._pump(pipeline, sinks, predictor.card.labels)
        finally:
            self.stats, self.stuck = pipeline.stats(), pipeline.stuck

    def _open_sinks(self, stack: ExitStack, pipeline: Pipeline, predictor: Predictor) -> list[Sink]:
        sinks: list[Sink] = []
        for sink in _sinks(self.wishes, pipeline, predictor):
            stack.callback(sink.close)
            sinks.append(sink)
        return sinks

    def _pump(self, pipeline: Pipeline, sinks: list[Sink], labels: tuple[str, ...]) -> None:
        from edgecnn.runtime.sources.images import Images
        from edgecnn.runtime.status import StatusLine, describe

        source = pipeline.source
        talks = isinstance(source, Images) and self.wishes.jsonl != "-"
        with StatusLine(pipeline) as status, _alarm(self.wishes.duration, pipeline):
            for result in pipeline:
                if talks:
                    status.say(describe(result, source.title(result.frame.index), labels))
                for sink in sinks:
                    sink.write(result)

    def report(self, error: EdgeCnnError | None) -> None:
        """Write --stats, and say how it went unless it never began or an output failed."""
        from edgecnn.errors import SourceError
        from edgecnn.runtime.status import summary

        if self.stats is None or self.source is None:
            return
        how = f"stopped by {self.signals.name}" if self.signals.received else "broke off" if error else "done"
        if self.wishes.stats is not None:
            with pending_text(self.wishes.stats) as stream:
                json.dump(self._record(self.stats, self.source, how, error), stream, indent=1)
        began = self.stats.ledger.captured > self.stats.ledger.failed
        if error is None or (began and isinstance(error, SourceError)):
            click.echo(summary(self.stats, self.source, how), err=True)
            for path in (self.wishes.out, self.wishes.snapshot, self.wishes.jsonl, self.wishes.stats):
                if path not in (None, "-") and self.stats.ledger.processed:
                    click.echo(f"  wrote {path}", err=True)

    def _record(self, stats: Stats, source: Source, how: str, error: EdgeCnnError | None) -> dict[str, Any]:
        return {
            "file": str(self.file),
            "source": source.name,
            "end": how,
            "error": None if error is None else str(error),
            **stats.to_json(),
            "notes": source.notes,
            "failures": [{"name": failure.name, "reason": failure.reason} for failure in source.failures],
        }


def _usual_requests(policy: Policy | None, source: Source) -> int:
    """One where a result should be young; where frames should be many, one for each core and one that prepares meanwhile."""
    from edgecnn.runtime.sources.images import Images

    latest = policy == "latest" if policy is not None else source.live
    if latest or isinstance(source, Images):
        return 1
    return len(os.sched_getaffinity(0)) + 1 if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1) + 1


def _leave_cores_to_inference() -> None:
    """Several inferences fill the cores: OpenCV's own threads would only take turns with them."""
    import cv2

    cv2.setNumThreads(1)


def _sinks(wishes: Wishes, pipeline: Pipeline, predictor: Predictor) -> Iterator[Sink]:
    labels, source = predictor.card.labels, pipeline.source
    if wishes.jsonl is not None:
        from edgecnn.runtime.sinks.json_lines import JsonLinesSink

        yield JsonLinesSink(wishes.jsonl, labels, source.title)
    if wishes.out is None and wishes.snapshot is None and not wishes.show:
        return
    from edgecnn.runtime.draw import Painter

    painter = Painter(labels)
    if wishes.out is not None:
        from edgecnn.runtime.sinks.video import VideoSink

        yield VideoSink(wishes.out, painter, fps=lambda: source.fps, realtime=pipeline.policy == "latest")
    if wishes.snapshot is not None:
        from edgecnn.runtime.sinks.snapshot import SnapshotSink

        yield SnapshotSink(wishes.snapshot, painter)
    if wishes.show:
        from edgecnn.runtime.sinks.window import WindowSink

        yield WindowSink(f"edgecnn {predictor.card.name}", painter, pipeline.stop)


@contextmanager
def _alarm(seconds: float | None, pipeline: Pipeline) -> Iterator[None]:
    """Stop the pipeline after so many seconds, whether frames come or not."""
    if seconds is None:
        yield
        return
    timer = threading.Timer(seconds, pipeline.stop)
    timer.name, timer.daemon = "edgecnn-duration", True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
