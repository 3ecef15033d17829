"""Measures one cell: its file is exported if need be, then benchmarked here or on a board."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from edgecnn.benchmarks.measure.config import BenchmarkConfig
from edgecnn.benchmarks.measure.dataset_selection import DatasetSelection
from edgecnn.benchmarks.measure.progress import Progress
from edgecnn.benchmarks.measure.protocol import FULL, QUICK
from edgecnn.benchmarks.measure.record import sha256_of
from edgecnn.benchmarks.report.document import to_document
from edgecnn.benchmarks.run import benchmark
from edgecnn.errors import BackendError
from edgecnn.export.config import SUFFIXES, ExportConfig
from edgecnn.shipped import checkpoint, names
from edgecnn.sweep.cells import SweepCell, file_key
from edgecnn.sweep.config import LOCAL, SweepConfig

Digest = Callable[[str], str]


def model_path(model: str) -> Path:
    """The file of a model of a sweep; of a shipped name its checkpoint."""
    return checkpoint(model) if model in names() and not Path(model).exists() else Path(model)


def model_digest(model: str) -> str:
    """SHA-256 of that file."""
    return sha256_of(model_path(model))


def measure_cell(cell: SweepCell, config: SweepConfig, digest: Digest, progress: Progress, told: Progress) -> dict[str, Any]:
    """The benchmark document of a cell. Raises what exporting, loading, measuring or reaching the board raises."""
    path = _file(cell, config, digest, progress)
    if cell.host != LOCAL:
        return _on_board(cell, config, path, progress, told)
    return to_document(benchmark(_benchmark_config(cell, config, path), progress, told))


def _benchmark_config(cell: SweepCell, config: SweepConfig, path: Path) -> BenchmarkConfig:
    return BenchmarkConfig(
        files=(path,),
        engine=cell.engine,
        threads=cell.threads,
        clocks=config.clocks,
        protocol=QUICK if config.protocol == "quick" else FULL,
        data=DatasetSelection(config.data, limit=config.limit) if config.data else None,
    )


def _file(cell: SweepCell, config: SweepConfig, digest: Digest, progress: Progress) -> Path:
    """The model file of a cell; an exported one is kept in a folder named by what decides it."""
    if cell.format is None or cell.precision is None:
        return Path(cell.model)
    if cell.format == "torch":
        return model_path(cell.model)
    folder = config.out / "files" / file_key(cell, config, digest)
    found = [*folder.glob(f"*{SUFFIXES[cell.format]}")]
    if found:
        return found[0]
    progress(f"exporting {cell.model_name} to {cell.format} in {cell.precision}")
    export = ExportConfig(
        model=cell.model,
        formats=(cell.format,),
        precisions=(cell.precision,),
        calibration=config.calibration or None,
        out=folder,
    )
    path: Path = _exported(export, cell.size)
    return path


def _exported(export: ExportConfig, size: tuple[int, int] | None) -> Path:
    """Export one file; imported here, because files of the sweep may need no torch."""
    source, run = import_module("edgecnn.export.source"), import_module("edgecnn.export.run")
    model, card = source.load_model(export.model, export.model_options)
    if size is not None:
        card = card.replace(preprocess=dataclasses.replace(card.preprocess, size=size))
    path: Path = run.export_all(export, model, card)[0].path
    return path


def _on_board(cell: SweepCell, config: SweepConfig, path: Path, progress: Progress, told: Progress) -> dict[str, Any]:
    from edgecnn.remote.address import parse_address
    from edgecnn.remote.benchmark import RemotePlace, benchmark_hosts

    words: list[str | Path] = [path, "--clock", ",".join(config.clocks)]
    words += ["--quick"] if config.protocol == "quick" else []
    words += ["--threads", str(cell.threads)] if cell.threads else []
    words += ["--engine", cell.engine] if cell.engine else []
    words += ["--data", config.data, *(["--limit", str(config.limit)] if config.limit else [])] if config.data else []
    place = RemotePlace(
        hosts=(parse_address(cell.host),),
        wheelhouse=config.wheelhouse,
        folder=config.remote_dir,
        python=config.remote_python,
    )
    (record,) = benchmark_hosts(place, words, {"measure"} if config.data else set(), told, progress)
    if record.error is not None:
        raise record.error
    if record.document is None:
        raise BackendError(f"{cell.host} sent no result", "run it again")
    return record.document
