"""What a choice has to keep to: latency, accuracy, memory, size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

PERCENTILE: Final = 90  # of the task clock, as MLPerf Inference judges a single stream


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Limits of a choice; None: no limit.

    ``max_latency_ms``: 90th percentile of the task clock (frame to boxes or classes). ``min_accuracy``: primary metric of the task as
    a fraction of 1, in dB for PSNR; ``metric``: its key where the user named one ("map", "top1"). ``max_drop``: loss against the most
    exact candidate, in points of a hundred or in dB; it holds where there is no ``min_accuracy``. ``max_memory_bytes``: peak of a process
    that loads the file and predicts. ``max_size_bytes``: the file with all its parts. Raises ``ValueError`` for a limit below 0.
    """

    max_latency_ms: float | None = None
    min_accuracy: float | None = None
    max_drop: float | None = None
    max_memory_bytes: int | None = None
    max_size_bytes: int | None = None
    metric: str = ""

    def __post_init__(self) -> None:
        for name, value in self.limits.items():
            if value < 0:
                raise ValueError(f"{name} is {value}; give 0 or more")

    @property
    def limits(self) -> Mapping[str, float]:
        """The limits that are set, by field."""
        return {name: value for name, value in asdict(self).items() if name != "metric" and value is not None}

    @property
    def needs_accuracy(self) -> bool:
        """Whether a limit can be judged only with labelled data."""
        return self.min_accuracy is not None or self.max_drop is not None

    def to_document(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**asdict(self), "percentile": PERCENTILE}
