"""The machines it runs on: what a board is, what it is doing now, and what disturbed a measurement."""

from __future__ import annotations

from edgecnn.devices.environment import Environment, environment
from edgecnn.devices.probe import probe
from edgecnn.devices.profile import DeviceProfile

__all__ = ["DeviceProfile", "Environment", "environment", "probe"]
