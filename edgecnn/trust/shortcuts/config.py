"""The options of `edgecnn shortcuts`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from edgecnn.benchmarks.measure.dataset_selection import DatasetSelection
from edgecnn.engine_device import CPU, Device, parse_device
from edgecnn.runtime.model.card_inference import CardOptions
from edgecnn.trust.attribution.methods import AUTO
from edgecnn.trust.attribution.rise import MASKS


@dataclass(frozen=True, slots=True, kw_only=True)
class ShortcutsConfig:
    """A model file, a dataset, and how many of its images are changed and explained.

    ``count`` images are chosen at random; ``explained`` of them are attributed by ``methods``, with ``masks`` masks for RISE. ``seed``
    decides which, and all other random parts. ``examples``: images that are kept as pictures for a page. Raises ``ValueError`` for
    counts below 1.
    """

    file: Path
    data: DatasetSelection
    count: int = 200
    explained: int = 32
    methods: tuple[str, ...] = (AUTO,)
    masks: int = MASKS
    seed: int = 0
    examples: int = 0
    device: Device = CPU
    engine: str | None = None
    threads: int | None = None
    options: CardOptions = field(default_factory=CardOptions)
    require_signature: Path | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "device", parse_device(self.device))
        if min(self.count, self.masks) < 1 or min(self.explained, self.examples) < 0:
            raise ValueError("count and masks must be 1 or more, explained and examples 0 or more")
