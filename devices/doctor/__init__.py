"""What is missing or slow on a machine, with the line that mends it: one file for each group of checks."""

from __future__ import annotations

from pathlib import Path

from edgecnn.devices.doctor import accelerators, container, packages, processor, system
from edgecnn.devices.doctor.finding import DeviceFinding, Level, Machine

__all__ = ["DeviceFinding", "Level", "Machine", "examine"]

_CHECKS = (system.check, processor.check, container.check, packages.check, accelerators.check)
_ORDER: tuple[Level, ...] = ("problem", "slow", "note")


def examine(machine: Machine | None = None) -> tuple[DeviceFinding, ...]:
    """All findings on this machine, the most serious first; takes some seconds, since the engines are asked."""
    machine = machine or Machine.here(Path("/"))
    found = [finding for check in _CHECKS for finding in check(machine)]
    return tuple(sorted(found, key=lambda one: _ORDER.index(one.level)))
