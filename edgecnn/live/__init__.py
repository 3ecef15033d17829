"""Python API of `edgecnn run`: ``run(RunConfig(cameras=(CameraConfig(source="0", model="cups"),)))``.

=========================  ===============================================================================
config                     configuration classes of a run
config_fields, parsers     their fields: option names, parsers of values from text and TOML
cameras_file               cameras from a TOML file
session                    a run from opening the sources to the summary: ``run``, ``Session``
cameras, models            cameras of a run and the models that they share
analytics, outputs, view   built from a configuration: steps and regions, outputs, page and terminal
reload                     reloading of a changed cameras file
report, status, log        status and events: text for people, JSON lines for programs
summary                    statistics of a run, as returned and as written by --stats
service, systemd           systemd units and containers, notifications to systemd
=========================  ===============================================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgecnn.lazy import lazy_names

if TYPE_CHECKING:
    from edgecnn.live.config import AnalyticsConfig, CameraConfig, OutputConfig, RunConfig, ViewConfig
    from edgecnn.live.session import Session, run
    from edgecnn.live.summary import CameraSummary, RunSummary

# Imported on first use: a configuration can be created without loading NumPy or an engine.
_PUBLIC = {
    "AnalyticsConfig": "edgecnn.live.config",
    "CameraConfig": "edgecnn.live.config",
    "OutputConfig": "edgecnn.live.config",
    "RunConfig": "edgecnn.live.config",
    "ViewConfig": "edgecnn.live.config",
    "Session": "edgecnn.live.session",
    "run": "edgecnn.live.session",
    "CameraSummary": "edgecnn.live.summary",
    "RunSummary": "edgecnn.live.summary",
}

__all__ = [
    "AnalyticsConfig",
    "CameraConfig",
    "CameraSummary",
    "OutputConfig",
    "RunConfig",
    "RunSummary",
    "Session",
    "ViewConfig",
    "run",
]

__getattr__, __dir__, _ = lazy_names(__name__, _PUBLIC)
