"""Devices: the profile of a machine or a known board, its state now, and disturbances of a measurement."""

from __future__ import annotations

from edgecnn.devices.environment import Environment, environment
from edgecnn.devices.probe import probe
from edgecnn.devices.profile import DeviceProfile

__all__ = ["DeviceProfile", "Environment", "environment", "probe"]
