"""The options of `edgecnn explain`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from edgecnn.benchmarks.measure.dataset_selection import DatasetSelection
from edgecnn.runtime.model.card_inference import CardOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainConfig:
    """``data`` is where the units are looked for, ``image`` the one whose maps are shown, by default the first of ``data``.

    ``layers``: names of layers to show with all their units, () for a choice. ``limit``: images of ``data`` that are used, evenly spread.
    ``page``: whether pictures are needed. Raises ``ValueError`` for a limit below 1.
    """

    file: Path
    data: DatasetSelection | None = None
    image: Path | None = None
    layers: tuple[str, ...] = ()
    limit: int = 200
    seed: int = 0
    threads: int | None = 1
    options: CardOptions = field(default_factory=CardOptions)
    require_signature: Path | None = None
    page: bool = False

    def __post_init__(self) -> None:
        if self.limit < 1:
            raise ValueError(f"the limit is {self.limit}, not 1 or more")
