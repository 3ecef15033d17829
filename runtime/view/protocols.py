"""What a view needs of a run: a few attributes of its cameras and sinks, so that any run with these can be watched."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from edgecnn.runtime.pipeline.controls import Controls
from edgecnn.runtime.pipeline.ledger import FrameCounts
from edgecnn.thresholds import SHOWN_SCORE
from edgecnn.types import Event

# Of a camera's states, those in which it gives frames or will do so without anybody's help, and those that somebody should look at.
GOOD_STATES = ("waiting", "live", "paused", "ended")
BAD_STATES = ("lost", "stalled", "frozen", "failed")


PrometheusPage = Callable[[], tuple[bytes, str]]  # gives the text of /metrics and its content type


class MonitoredLedger(Protocol):
    """Where a camera's frames went."""

    def counts(self) -> FrameCounts:
        """All counts at one moment."""
        ...


class MonitoredSetup(Protocol):
    """What a camera was told to do."""

    @property
    def max_age_ms(self) -> float | None: ...  # noqa: D102


class MonitoredCamera(Protocol):
    """A camera of a run, read from any thread. ``state`` is one of GOOD_STATES or BAD_STATES, ``detail`` one line why."""

    @property
    def state(self) -> str: ...  # noqa: D102

    @property
    def detail(self) -> str: ...  # noqa: D102

    @property
    def policy(self) -> str: ...  # noqa: D102

    @property
    def setup(self) -> MonitoredSetup: ...  # noqa: D102

    @property
    def late(self) -> int: ...  # noqa: D102

    @property
    def ledger(self) -> MonitoredLedger: ...  # noqa: D102


class MonitoredRun(Protocol):
    """A run: its cameras by name, and what happened lately. Cameras may come and go."""

    @property
    def cameras(self) -> Mapping[str, MonitoredCamera]: ...  # noqa: D102

    @property
    def events(self) -> Iterable[Event]: ...  # noqa: D102


class MonitoredCounts(Protocol):
    """What became of the results that an output was given."""

    @property
    def written(self) -> int: ...  # noqa: D102

    @property
    def dropped(self) -> int: ...  # noqa: D102

    @property
    def failed(self) -> int: ...  # noqa: D102


class MonitoredSink(Protocol):
    """An output that runs behind a queue. ``state`` is "working" while all is well, ``detail`` one line why not."""

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def state(self) -> str: ...  # noqa: D102

    @property
    def detail(self) -> str: ...  # noqa: D102

    @property
    def counts(self) -> MonitoredCounts: ...  # noqa: D102


@dataclass(kw_only=True)
class ViewContext:
    """What is watched, and what is known of it: ``labels`` are the classes of each camera's model by the camera's name, ``only``
    those of them that it began to show where these are not all.

    ``labels`` may change while the run goes on, ``sinks`` is asked anew each time. ``score_threshold`` is what the run began with,
    ``floor`` the score below which the models give nothing.
    """

    run: MonitoredRun
    controls: Controls = field(default_factory=Controls)
    labels: dict[str, Sequence[str]] = field(default_factory=dict)
    only: dict[str, frozenset[str]] = field(default_factory=dict)
    sinks: Callable[[], Sequence[MonitoredSink]] = tuple
    title: str = ""
    score_threshold: float = SHOWN_SCORE
    floor: float = 0.0
