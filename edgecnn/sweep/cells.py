"""The cells of a sweep: every combination of its axes, and what tells whether a cell was measured already."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from edgecnn.card import Precision
from edgecnn.cpus import threads_text
from edgecnn.errors import InputError
from edgecnn.json_text import dump_json
from edgecnn.sweep.config import MOST_CELLS, SweepConfig, is_exported


@dataclass(frozen=True, slots=True)
class SweepCell:
    """One combination. ``format``, ``precision`` and ``size`` are of a file that is exported first, else None."""

    model: str
    format: str | None
    precision: Precision | None
    size: tuple[int, int] | None
    threads: int | None
    engine: str | None
    host: str

    @property
    def model_name(self) -> str:
        """The file's name without its folder."""
        return Path(self.model).name

    @property
    def title(self) -> str:
        """The cell for a line of text."""
        size = f"{self.size[0]}x{self.size[1]}" if self.size else None
        threads = threads_text(self.threads) if self.threads else None
        parts = (self.model_name, self.format, self.precision, size, threads, self.engine, self.host)
        return " ".join(part for part in parts if part)

    @property
    def file_name(self) -> str:
        """A name of its own for the cell's record."""
        # models of different folders may have one name
        own = hashlib.sha256(dump_json(asdict(self)).encode()).hexdigest()[:8]
        return re.sub(r"[^A-Za-z0-9.]+", "-", self.title)[:80].strip("-") + f"-{own}.json"


def cells_of(config: SweepConfig) -> list[SweepCell]:
    """All cells, those of one file one after the other. Raises ``InputError`` for more than ten thousand."""
    found = []
    for model in config.models:
        file_axes = (config.formats, config.precisions, config.sizes) if is_exported(model) else ((None,), (None,), (None,))
        axes = (*file_axes, config.threads, config.engines, config.hosts)
        found += [SweepCell(model, *values) for values in itertools.product(*axes)]
        if len(found) > MOST_CELLS:
            raise InputError(f"the sweep has more than {MOST_CELLS} cells", "shorten its lists")
    return found


def cell_key(cell: SweepCell, config: SweepConfig, digest: Callable[[str], str]) -> str:
    """A digest of all that decides the result of a cell: model (``digest`` of its file), its combination, and the measurement."""
    measured = {"clocks": config.clocks, "protocol": config.protocol, "data": config.data, "limit": config.limit}
    content = {**asdict(cell), "model": digest(cell.model), "calibration": config.calibration if cell.precision == "int8" else ""}
    return hashlib.sha256(dump_json({**content, **measured}).encode()).hexdigest()


def file_key(cell: SweepCell, config: SweepConfig, digest: Callable[[str], str]) -> str:
    """A digest of all that decides the exported file of a cell."""
    calibration = config.calibration if cell.precision == "int8" else ""
    content = (digest(cell.model), cell.format, cell.precision, cell.size, calibration)
    return hashlib.sha256(dump_json(content).encode()).hexdigest()[:16]
