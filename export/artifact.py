"""A verified file and how its program was made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgecnn.card import ModelCard
from edgecnn.export.verify.parity import Parity


@dataclass(frozen=True, slots=True, eq=False)
class Artifact:
    """A verified file: path (for OpenVINO the .xml; the .bin is in the same folder), card, parity and export time in seconds.

    ``notes`` say what was tried for it.
    """

    path: Path
    format: str
    card: ModelCard
    parity: Parity
    seconds: float
    notes: str = ""

    @property
    def bytes(self) -> int:
        """Size on disk, of both files of an IR."""
        files = [self.path, self.path.with_suffix(".bin")] if self.format == "openvino" else [self.path]
        return sum(path.stat().st_size for path in files)


@dataclass(frozen=True, slots=True, eq=False)
class Lowered:
    """A program in the precision of its file; ``record`` says how it was made, for ``calibration`` in the card.

    ``excess`` says by how much it misses what was asked for, "" where it does not; the card then tells it like another deviation.
    """

    program: Any
    record: Mapping[str, Any] = field(default_factory=dict)
    excess: str = ""
