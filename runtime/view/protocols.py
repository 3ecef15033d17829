"""Protocols of the cameras, sinks and runs that a view displays."""

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
    """The frame counts of a camera by fate: processed, dropped, skipped, failed."""

    def counts(self) -> FrameCounts:
        """Return a consistent snapshot of all counts."""
        ...


class MonitoredSetup(Protocol):
    """The configuration of a camera."""

    @property
    def max_age_ms(self) -> float | None: ...  # noqa: D102


class MonitoredCamera(Protocol):
    """A camera of a run, read from any thread.

    ``state`` is one of GOOD_STATES or BAD_STATES, ``detail`` the reason in one line.
    """

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
    """An output with a queue; ``state`` is "working" if there is no problem, ``detail`` the problem in one line."""

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
    """The run and the settings of its view.

    ``labels`` are the classes of each camera's model by camera name; they may change during the run. ``only`` are the classes
    shown initially, for cameras that do not show all. ``unclassed`` are cameras whose results can't be filtered by class, ``unscored``
    those without scores of objects. ``sinks`` is called at each request. ``score_threshold`` is the initial one, ``by_class``
    whether classes have their own at first, ``floor`` the score below which the models return no boxes.
    """

    run: MonitoredRun
    controls: Controls = field(default_factory=Controls)
    labels: dict[str, Sequence[str]] = field(default_factory=dict)
    only: dict[str, frozenset[str]] = field(default_factory=dict)
    unclassed: frozenset[str] = frozenset()
    unscored: frozenset[str] = frozenset()
    sinks: Callable[[], Sequence[MonitoredSink]] = tuple
    title: str = ""
    score_threshold: float = SHOWN_SCORE
    by_class: bool = False
    floor: float = 0.0
