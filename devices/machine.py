"""The machine at hand as a ``Board``: what /proc and /sys, the engines and the cameras' drivers say."""

from __future__ import annotations

import platform
from datetime import datetime, timezone
from pathlib import Path

from edgecnn.cpus import affinity, cpu_quota, read_text
from edgecnn.devices import limits
from edgecnn.devices.boards.board import Board, OperatingSystem, UsableResources
from edgecnn.devices.engine_queries import engines
from edgecnn.devices.environment import os_name
from edgecnn.devices.known_board import known_board
from edgecnn.devices.probe import probe
from edgecnn.devices.topology import clusters
from edgecnn.devices.v4l2 import Ioctl, cameras

_SOURCE = "probe"


def probe_machine(root: Path = Path("/"), *, with_cameras: bool = True, ioctl: Ioctl | None = None) -> Board:
    """Describe this machine; takes some seconds, since each engine is asked in a process of its own."""
    profile = probe(root)
    found, accelerators = engines()
    given = ("arch", "cpu", "cores", "features", "memory_mib")
    return Board(
        profile=profile,
        known_as=known_board(profile, root),
        clusters=clusters(root),
        systems=(system(root),),
        accelerators=accelerators,
        cameras=cameras(root, ioctl) if with_cameras else (),
        engines=found,
        limits=usable_resources(root),
        sources={_SOURCE: f"edgecnn devices probe, {datetime.now(timezone.utc):%Y-%m-%d}, on this machine"},
        given_by=dict.fromkeys(given, _SOURCE),
    )


def system(root: Path = Path("/")) -> OperatingSystem:
    """The system, with the versions that decide which wheels can be installed."""
    return OperatingSystem(
        name=os_name(root),
        arch=platform.machine(),
        python=platform.python_version(),
        glibc=platform.libc_ver()[1],
        kernel=platform.release(),
        source=_SOURCE,
    )


def usable_resources(root: Path = Path("/")) -> UsableResources:
    """What affinity and container leave of the machine."""
    limit = limits.memory_limit(root)
    return UsableResources(
        affinity_cpus=affinity(),
        cpu_quota_cpus=cpu_quota(root),
        memory_limit_mib=limit // limits.MIB if limit and limit < 1 << 60 else None,
        swap_mib=swap_mib(root),
    )


def swap_mib(root: Path = Path("/")) -> int | None:
    """MiB of swap; None where the system does not say."""
    fields = (line.split() for line in read_text(root / "proc/meminfo").splitlines())
    return next((int(words[1]) // 1024 for words in fields if words[0] == "SwapTotal:"), None)
