"""What variants of a network are worth on this device: each is exported, and all files are measured in turns in one run."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecnn.errors import EdgeCnnError, MissingExtraError

if TYPE_CHECKING:
    from edgecnn.benchmarks.measure.record import FileRecord, Record
    from edgecnn.compress.report import Measured

Say = Callable[[str], None]
FORMATS = ("onnx", "openvino", "tflite")
PRECISIONS = ("fp32", "int8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """In which formats and precisions to measure; ``data`` gives inputs and accuracy (``limit`` images), ``calibration`` ranges."""

    formats: tuple[str, ...]
    data: str
    calibration: str
    precisions: tuple[str, ...] = PRECISIONS
    limit: int | None = None
    threads: int | None = None
    quick: bool = True


def available(formats: Sequence[str] | None, say: Say) -> tuple[str, ...]:
    """The formats that can be made and run here: the named ones, else all whose packages are installed.

    Raises ``MissingExtraError`` for a named one that is not, ``InputError`` for an unknown one.
    """
    from edgecnn.export.config import check_targets

    if formats is not None:
        check_targets(formats, PRECISIONS, calibrated=True)
        return tuple(formats)
    found = []
    for one in FORMATS:
        try:
            check_targets([one], PRECISIONS, calibrated=True)
            found.append(one)
        except MissingExtraError as error:
            say(f"{one} will not be measured: {error.problem}; {error.fix}")
    return tuple(found)


def measure_variants(
    checkpoints: Sequence[tuple[str, Path]], wish: Wish, say: Say
) -> tuple[dict[str, list[Measured]], Record | None]:
    """The files of each named checkpoint with their figures, and the record of the run, None where nothing could be exported.

    One that can't be exported is told of with ``say`` and left out.
    """
    with tempfile.TemporaryDirectory(prefix="edgecnn-") as folder:
        files = [file for name, path in checkpoints for file in exported(name, path, Path(folder), wish, say)]
        if not files:
            return {}, None
        record = _measure([path for _, path in files], wish, say)
    found: dict[str, list[Measured]] = {}
    for (name, _), own in zip(files, record.files, strict=True):
        found.setdefault(name, []).append(_measured(own))
    return found, record


def exported(name: str, checkpoint: Path, folder: Path, wish: Wish, say: Say) -> Iterator[tuple[str, Path]]:
    """The name again with each file of a checkpoint, in ``folder``."""
    from edgecnn.export.config import ExportConfig, file_name
    from edgecnn.export.run import export_all
    from edgecnn.models import load_checkpoint

    model, card = load_checkpoint(checkpoint)
    for one in wish.formats:
        for precision in wish.precisions:
            say(f"exporting {name} to {one} {precision}")
            config = ExportConfig(
                model=str(checkpoint),
                formats=(one,),
                precisions=(precision,),
                out=folder,
                name=name,
                calibration=wish.calibration if precision == "int8" else None,
                force_calibration=True,
            )
            try:
                export_all(config, model, card)
            except EdgeCnnError as error:
                say(f"{name} can't be measured in {one} {precision}: {error}")
                continue
            yield name, folder / file_name(name, one, precision)


def _measure(files: Sequence[Path], wish: Wish, say: Say) -> Record:
    from edgecnn.benchmarks.measure.config import BenchmarkConfig
    from edgecnn.benchmarks.measure.dataset_selection import DatasetSelection
    from edgecnn.benchmarks.measure.measurement import measure
    from edgecnn.benchmarks.measure.protocol import FULL, QUICK

    data = DatasetSelection(wish.data, None, wish.limit) if wish.data else None
    say(f"measuring {len(files)} files in turns")
    return measure(
        BenchmarkConfig(
            files=tuple(files),
            threads=wish.threads,
            protocol=QUICK if wish.quick else FULL,
            clocks=("model", "task"),
            data=data,
            throughput=False,
        )
    )


def _measured(own: FileRecord) -> Measured:
    from edgecnn.compress.report import Measured

    return Measured(
        format=own.format,
        precision=own.precision,
        bytes=own.size_bytes,
        accuracy=None if own.score is None else own.score.primary,
        model_ms=own.clocks["model"].latency.p50,
        task_ms=own.clocks["task"].latency.p50,
        doubts=own.verdict.reasons,
    )


@contextmanager
def ruler(artifact: Path | None, wish: Wish) -> Iterator[Ruler]:
    """What measures the task latency of checkpoints, in the format and precision of ``artifact``, else ONNX fp32."""
    with tempfile.TemporaryDirectory(prefix="edgecnn-") as folder:
        yield Ruler(artifact, wish, Path(folder))


class Ruler:
    """Milliseconds from image to result on this device.

    Beside an artifact every measurement is taken in turns with it and scaled by how it does that time, so that a machine that is
    busier now than before moves nothing. ``target`` is the artifact's own latency.
    """

    def __init__(self, artifact: Path | None, wish: Wish, folder: Path) -> None:
        from edgecnn.runtime.model.predictor import Predictor

        self._artifact, self._folder, self._count = artifact, folder, 0
        self._kind: tuple[Any, str] = ("onnx", "fp32")
        if artifact is not None:
            from edgecnn.runtime.backends import file_format

            with Predictor(artifact) as predictor:
                precision = predictor.card.precision
            self._kind = (file_format(artifact), precision if precision in PRECISIONS else "fp32")
        self._wish = Wish(
            formats=(self._kind[0],),
            precisions=(self._kind[1],),
            data="",
            calibration=wish.calibration,
            threads=wish.threads,
            quick=wish.quick,
        )
        self.target = self._latencies([artifact])[0] if artifact is not None else None

    def __call__(self, checkpoint: Path) -> float:
        """The latency of a checkpoint; raises what exporting it raises."""
        from edgecnn.errors import InputError

        self._count += 1
        told: list[str] = []
        files = [path for _, path in exported(f"measured-{self._count}", checkpoint, self._folder, self._wish, told.append)]
        if not files:
            raise InputError("a network whose latency can be measured", told[-1], "prune to --target-macs")
        if self._artifact is None or self.target is None:
            return self._latencies(files)[0]
        beside, own = self._latencies([self._artifact, *files])
        return own * self.target / beside

    def _latencies(self, files: Sequence[Path]) -> list[float]:
        record = _measure(files, self._wish, lambda _: None)
        return [own.clocks["task"].latency.p50 for own in record.files]
