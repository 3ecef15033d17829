"""Compares variants of a network on this device: compresses it, then exports and measures the checkpoint of every step.

``compress_and_report`` does the work of `edgecnn compress`; ``write_report`` only writes the report, for finished runs.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edgecnn.benchmarks.choose.inputs import card_in
from edgecnn.benchmarks.measure.config import BenchmarkConfig
from edgecnn.benchmarks.measure.dataset_selection import DatasetSelection
from edgecnn.benchmarks.measure.measurement import measure
from edgecnn.benchmarks.measure.protocol import FULL, QUICK
from edgecnn.benchmarks.measure.record import FileRecord, Record, other_weights
from edgecnn.card import ModelCard, Precision
from edgecnn.compress import compress
from edgecnn.compress.config import CompressConfig
from edgecnn.compress.progress import step_checkpoints
from edgecnn.compress.report import CompressionReport, MeasuredVariant, variant
from edgecnn.errors import EdgeCnnError, InputError, MissingExtraError
from edgecnn.export.config import ExportConfig, check_targets, file_name
from edgecnn.export.prepared import has_trained_ranges
from edgecnn.export.run import export_all, export_each
from edgecnn.files import write_error
from edgecnn.models import find_checkpoint, load_checkpoint
from edgecnn.runtime.backends import file_format
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.teachers import open_teachers
from edgecnn.train.distributed import join_group

Say = Callable[[str], None]
Named = tuple[str, Path]  # the name of a variant, and a file of it

FORMATS = ("onnx", "openvino", "tflite")
PRECISIONS = ("fp32", "int8")


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantConfig:
    """Export and measurement of variants.

    ``formats``: None for all whose packages are installed, () for no measurement. ``data`` is the dataset address of the inputs
    and of the accuracy, on at most ``limit`` images; ``calibration`` that of the int8 ranges. ``threads`` are CPU threads, None for the
    engine's choice. ``full`` measures 662 runs and 10 s a file instead of the quick protocol.
    Raises ``MissingExtraError`` for a named format that is not installed, ``InputError`` for an unknown one.
    """

    calibration: str
    data: str = ""
    formats: tuple[str, ...] | None = None
    precisions: tuple[str, ...] = PRECISIONS
    limit: int | None = None
    threads: int | None = None
    full: bool = False

    def __post_init__(self) -> None:
        if self.formats:
            check_targets(self.formats, self.precisions, calibrated=True)


def compress_and_report(config: CompressConfig, variants: VariantConfig, say: Say = print) -> list[Path]:
    """Compress a network, and write report.md, report.json and pareto.png that compare the steps; gives their checkpoints.

    Raises what ``compress`` and ``write_report`` raise.
    """
    with open_teachers(config.train.pseudo) as labelers:
        if config.target_latency:
            with latency_meter(config.latency.artifact, variants) as meter:
                target = config.latency.ms if meter.target_ms is None else meter.target_ms
                say(f"target latency: {target:.3f} ms from image to result")
                made = compress(config, say, labelers=labelers, latency_of=meter, target_ms=target)
        else:
            made = compress(config, say, labelers=labelers)
    if join_group().main:
        steps = [(path.stem, path) for path in made]
        write_report([*teacher_checkpoints(config.teachers), *steps], variants, config.train.out, config.command(), say)
    return made


def write_report(checkpoints: Sequence[Named], config: VariantConfig, out: Path, command: str = "", say: Say = print) -> None:
    """Export and measure all checkpoints, and write report.md, report.json and pareto.png into ``out``.

    Raises what loading a checkpoint raises, and ``InputError`` for data that can't be read.
    """
    files, record = measure_variants(checkpoints, config, say)
    device = f"{record.device.name}, {record.threads} thread{'s' if record.threads > 1 else ''}" if record else ""
    rows = tuple(variant(path, name, files.get(name, ())) for name, path in checkpoints)
    report = CompressionReport(rows, command, device, record.protocol.name if record else "")
    out.mkdir(parents=True, exist_ok=True)
    for path in report.write(out):
        say(f"wrote {path}")


def named_checkpoints(places: Sequence[Path]) -> list[Named]:
    """Names and checkpoints of run folders and of single checkpoints; of several places the folder's name precedes the step's.

    Raises ``InputError`` for a folder without a run.
    """
    found: list[Named] = []
    for place in places:
        if place.is_dir():
            paths = step_checkpoints(place)
            found += [(f"{place.name}-{path.stem}" if len(places) > 1 else path.stem, path) for path in paths]
        else:
            path = find_checkpoint(place)
            found.append((f"{path.parent.name}-{path.stem}" if path.stem == "model" else path.stem, path))
    return found


def teacher_checkpoints(teachers: Sequence[str]) -> list[Named]:
    """Names and checkpoints of teachers, which a student is compared with."""
    paths = [find_checkpoint(teacher) for teacher in teachers]
    return [("teacher" if len(paths) == 1 else f"teacher-{number}", path) for number, path in enumerate(paths, 1)]


def installed_formats(formats: Sequence[str], absent: Callable[[str, MissingExtraError], None]) -> tuple[str, ...]:
    """Those of ``formats`` whose packages are installed; ``absent`` gets the others."""
    found = []
    for name in formats:
        try:
            check_targets([name], PRECISIONS, calibrated=True)
            found.append(name)
        except MissingExtraError as error:
            absent(name, error)
    return tuple(found)


def measure_variants(
    checkpoints: Sequence[Named], config: VariantConfig, say: Say = print
) -> tuple[dict[str, list[MeasuredVariant]], Record | None]:
    """The measured files of each named checkpoint, and the record of the benchmark, None where nothing was exported.

    All files are measured in turns in one run, so that throttling or other load affects all of them. A checkpoint that can't be exported is
    reported through ``say`` and left out.
    """
    formats = config.formats
    if formats is None:
        formats = installed_formats(FORMATS, lambda name, error: say(f"{name} is not measured: {error}"))
    with tempfile.TemporaryDirectory(prefix="edgecnn-") as folder:
        files = [file for name, path in checkpoints for file in _exported(name, path, Path(folder), config, formats, say)]
        if not files:
            return {}, None
        say(f"measuring {len(files)} files in turns")
        record = _measure([path for _, path in files], config)
    found: dict[str, list[MeasuredVariant]] = {}
    for (name, _), own in zip(files, record.files, strict=True):
        found.setdefault(name, []).append(_measured(own))
    return found, record


@dataclass(frozen=True, slots=True)
class ExportedVariants:
    """The model files of a checkpoint; ``missing``: each file that could not be made, and why."""

    files: tuple[Path, ...]
    missing: tuple[str, ...] = ()


def export_variants(
    checkpoint: Path,
    out: Path,
    formats: Sequence[str],
    precisions: Sequence[Precision],
    calibration: str = "",
    say: Say = print,
) -> ExportedVariants:
    """The files of a checkpoint in ``out``, in the installed ones of ``formats``; in int8 with ranges of ``calibration``, or its own.

    Files of the same weights that are there already are taken. Raises ``InputError`` for one of other weights, and where there is none in
    the end, and what opening ``calibration`` raises.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(out, error) from error
    model, card = load_checkpoint(checkpoint)
    missing: list[str] = []
    formats = installed_formats(formats, lambda name, error: missing.append(f"{name}: {error}"))
    if calibration or has_trained_ranges(model):
        precisions = (*precisions, "int8")
    else:
        missing.append("int8, which needs --calibration ADDRESS, a dataset for its ranges")
    paths = {(fmt, precision): out / file_name(checkpoint.stem, fmt, precision) for fmt in formats for precision in precisions}
    there = {target for target, path in paths.items() if path.exists()}
    for path in (paths[target] for target in there):
        _check_weights(path, card)
    if there:
        several = len(there) > 1
        count, verb, how = (f"{len(there)} files", "are", "they are") if several else ("1 file", "is", "it is")
        say(f"{count} of this checkpoint {verb} there already, and {verb} taken as {how}")
    for names, wanted in _combinations([target for target in paths if target not in there]):
        say(f"exporting {checkpoint.stem} to {', '.join(names)} in {', '.join(wanted)}")
        config = ExportConfig(
            model=str(checkpoint),
            formats=names,
            precisions=wanted,
            out=out,
            name=checkpoint.stem,
            calibration=calibration or None,
            force_calibration=True,
        )
        for file, failure in export_each(config, model, card)[1].items():
            missing.append(f"{file} could not be exported: {failure}")
            say(missing[-1])
    files = tuple(path for path in paths.values() if path.exists())
    if not files:
        raise InputError(f"{checkpoint.name} could be exported to no format: {missing[0]}", "run edgecnn export, which says more")
    return ExportedVariants(files, tuple(missing))


def _check_weights(path: Path, card: ModelCard) -> None:
    found = card_in(path)
    if found is None or other_weights(card, found):
        raise InputError(f"{path} is of another checkpoint", "name another folder with --export, or remove it")


def _combinations(targets: Sequence[tuple[str, str]]) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Formats and precisions whose products are the ``targets``: precisions with the same formats go together."""
    formats: dict[str, tuple[str, ...]] = {}
    for fmt, precision in targets:
        formats[precision] = (*formats.get(precision, ()), fmt)
    for names in dict.fromkeys(formats.values()):
        yield names, tuple(precision for precision, own in formats.items() if own == names)


def _exported(
    name: str, checkpoint: Path, folder: Path, config: VariantConfig, formats: Sequence[str], say: Say
) -> Iterator[Named]:
    """Export a checkpoint into ``folder``; yields ``name`` with the path of each file."""
    model, card = load_checkpoint(checkpoint)
    for fmt in formats:
        for precision in config.precisions:
            say(f"exporting {name} to {fmt} {precision}")
            export = ExportConfig(
                model=str(checkpoint),
                formats=(fmt,),
                precisions=(precision,),
                out=folder,
                name=name,
                calibration=config.calibration if precision == "int8" else None,
                force_calibration=True,  # a small dataset is no reason to leave a file out of the comparison
            )
            try:
                export_all(export, model, card)
            except EdgeCnnError as error:
                say(f"{name} can't be measured in {fmt} {precision}: {error}")
                continue
            yield name, folder / file_name(name, fmt, precision)


def _measure(files: Sequence[Path], config: VariantConfig) -> Record:
    benchmark = BenchmarkConfig(
        files=tuple(files),
        threads=config.threads,
        protocol=FULL if config.full else QUICK,
        clocks=("model", "task"),
        data=DatasetSelection(config.data, None, config.limit) if config.data else None,
        throughput=False,
    )
    return measure(benchmark)


def _measured(own: FileRecord) -> MeasuredVariant:
    return MeasuredVariant(
        format=own.format,
        precision=own.precision,
        size_bytes=own.size_bytes,
        accuracy=None if own.score is None else own.score.primary,
        model_latency_ms=own.clocks["model"].latency.p50,
        task_latency_ms=own.clocks["task"].latency.p50,
        noisy_because=own.verdict.reasons,
    )


@contextmanager
def latency_meter(artifact: Path | None, config: VariantConfig) -> Iterator[LatencyMeter]:
    """A ``LatencyMeter`` that exports into a temporary folder, removed at the end of the ``with`` block."""
    with tempfile.TemporaryDirectory(prefix="edgecnn-") as folder:
        yield LatencyMeter(artifact, config, Path(folder))


class LatencyMeter:
    """Measures the latency of checkpoints on this device, in milliseconds from image to result.

    They are exported in the format and precision of the reference ``artifact``, without one as ONNX in fp32. ``target_ms`` is the
    latency of that artifact, None without one.
    """

    def __init__(self, artifact: Path | None, config: VariantConfig, folder: Path) -> None:
        self._artifact, self._folder, self._count = artifact, folder, 0
        self._formats, precision = ("onnx",), "fp32"
        if artifact is not None:
            with Predictor(artifact) as predictor:
                precision = predictor.card.precision if predictor.card.precision in PRECISIONS else "fp32"
            self._formats = (file_format(artifact),)
        self._config = VariantConfig(
            precisions=(precision,), calibration=config.calibration, threads=config.threads, full=config.full, formats=()
        )
        self.target_ms = None if artifact is None else self._latencies_ms([artifact])[0]

    def __call__(self, checkpoint: Path) -> float:
        """The latency of a checkpoint in milliseconds; raises ``InputError`` where it can't be exported."""
        self._count += 1
        messages: list[str] = []
        name = f"measured-{self._count}"
        files = [path for _, path in _exported(name, checkpoint, self._folder, self._config, self._formats, messages.append)]
        if not files:
            raise InputError(f"the latency can't be measured: {messages[-1]}", "prune to --target-macs")
        if self._artifact is None or self.target_ms is None:
            return self._latencies_ms(files)[0]
        # Measured in turns with the reference and scaled by it: the machine may be busier now than when the target was measured.
        reference_ms, own_ms = self._latencies_ms([self._artifact, *files])
        return own_ms * self.target_ms / reference_ms

    def _latencies_ms(self, files: Sequence[Path]) -> list[float]:
        return [own.clocks["task"].latency.p50 for own in _measure(files, self._config).files]
