"""The interface between a view and a run: the attributes of cameras and sinks that are displayed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from edgecnn.runtime.pipeline.controls import Controls
from edgecnn.runtime.pipeline.ledger import FrameCounts
from edgecnn.thresholds import SHOWN_SCORE
from edgecnn.types import Event

# The states of a camera that need no attention, and those that do
GOOD_STATES = ("waiting", "live", "paused", "ended")
BAD_STATES = ("lost", "stalled", "frozen", "failed")


PrometheusPage = Callable[[], tuple[bytes, str]]  # gives the text of /metrics and its content type


class MonitoredLedger(Protocol):
    """The counts of a camera's frames by fate."""

    def counts(self) -> FrameCounts:
        """All counts at the same moment."""
        ...


class MonitoredSetup(Protocol):
    """The configuration of a camera."""

    @property
    def max_age_ms(self) -> float | None: ...  # noqa: D102


class MonitoredCamera(Protocol):
    """A camera of a run, read from any thread. ``state`` is one of GOOD_STATES or BAD_STATES, ``detail`` the reason in one line."""

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
    """A run: its cameras by name, which may change, and its recent events."""

    @property
    def cameras(self) -> Mapping[str, MonitoredCamera]: ...  # noqa: D102

    @property
    def events(self) -> Iterable[Event]: ...  # noqa: D102


class MonitoredCounts(Protocol):
    """The counts of an output's results and events by fate."""

    @property
    def written(self) -> int: ...  # noqa: D102

    @property
    def dropped(self) -> int: ...  # noqa: D102

    @property
    def failed(self) -> int: ...  # noqa: D102


class MonitoredSink(Protocol):
    """An output behind a queue. ``state`` is "working" without a problem, ``detail`` the problem in one line."""

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
    """The run and its settings: ``labels`` are the classes of each camera's model by camera name, ``only`` those shown initially,
    where these are not all.

    ``labels`` may change during the run, ``sinks`` is called each time. ``score_threshold`` is the initial one, ``floor`` the score
    below which the models give no result.
    """

    run: MonitoredRun
    controls: Controls = field(default_factory=Controls)
    labels: dict[str, Sequence[str]] = field(default_factory=dict)
    only: dict[str, frozenset[str]] = field(default_factory=dict)
    sinks: Callable[[], Sequence[MonitoredSink]] = tuple
    title: str = ""
    score_threshold: float = SHOWN_SCORE
    floor: float = 0.0
