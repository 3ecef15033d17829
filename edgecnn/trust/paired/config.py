"""What `edgecnn evaluate A B` compares: two model files and a dataset."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path

from edgecnn.benchmarks.measure.dataset_selection import DatasetSelection
from edgecnn.benchmarks.measure.evaluation import EvaluationConfig
from edgecnn.engine_device import CPU, Device
from edgecnn.runtime.model.card_inference import CardOptions
from edgecnn.trust.groups.group_key import GroupKey


@dataclass(frozen=True, slots=True, kw_only=True)
class PairConfig:
    """The file ``before`` (the float model), the file ``after`` (int8), a dataset, and how the files are loaded.

    The fields from ``device`` on are those of ``EvaluationConfig``. ``seed`` is that of the bootstrap intervals,
    ``group_by`` says by which groups the change is told, too.
    """

    before: Path
    after: Path
    data: DatasetSelection
    device: Device = CPU
    engine: str | None = None
    threads: int | None = None
    options: CardOptions = field(default_factory=CardOptions)
    require_signature: Path | None = None
    seed: int = 0
    group_by: GroupKey | None = None

    def of(self, file: Path) -> EvaluationConfig:
        """The evaluation of one of the files."""
        shared = {one.name: getattr(self, one.name) for one in dataclasses.fields(EvaluationConfig) if one.name != "file"}
        return EvaluationConfig(file=file, **shared)
