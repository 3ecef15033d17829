"""A finding, and the machine that is examined: everything that a check asks, so that a test can give other answers."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Literal

from edgecnn.devices.boards.board import Accelerator, EngineFound
from edgecnn.devices.engine_queries import engines
from edgecnn.devices.profile import DeviceProfile

Level = Literal["problem", "slow", "note"]


@dataclass(frozen=True, slots=True)
class DeviceFinding:
    """``level``: "problem" for what does not work, "slow" for what costs time, "note" for what need not be mended.

    ``name`` identifies the check, ``fix`` is a command line or a sentence, "" where nothing mends it.
    """

    level: Level
    name: str
    text: str
    fix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What is examined: ``root`` holds /proc, /sys and /dev; ``packages`` are versions by their names in the registry."""

    root: Path
    profile: DeviceProfile
    packages: Mapping[str, str]
    engines: tuple[EngineFound, ...] = ()
    accelerators: tuple[Accelerator, ...] = ()
    opencv: str = ""
    environ: Mapping[str, str] = field(default_factory=dict)
    arch: str = ""
    bits: int = 64
    glibc: str = ""
    may_use: Callable[[Path], bool] = lambda path: os.access(path, os.R_OK | os.W_OK)

    @classmethod
    def here(cls, root: Path) -> Machine:
        """This machine; asks the engines."""
        from edgecnn.devices.probe import probe

        found, accelerators = engines()
        return cls(
            root=root,
            profile=probe(root),
            packages=installed_packages(),
            engines=found,
            accelerators=accelerators,
            opencv=opencv_build(),
            environ=os.environ,
            arch=platform.machine(),
            bits=64 if sys.maxsize > 1 << 32 else 32,
            glibc=platform.libc_ver()[1],
        )


def installed_packages() -> dict[str, str]:
    """Versions of all installed packages by their names in lower case."""
    found = ((one.metadata["Name"], one.version) for one in metadata.distributions())
    return {name.lower().replace("_", "-"): version for name, version in found if name}


def opencv_build() -> str:
    """OpenCV's description of itself; "" where it is not installed or can't be loaded."""
    try:
        import cv2

        return str(cv2.getBuildInformation())
    except (ImportError, AttributeError):
        return ""
