"""Kernel counters that show disturbances of a measurement: throttling, container quota, other processes, a busy host."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from edgecnn.cpus import read_int, read_text

# get_throttled of a Raspberry Pi: bits 16 to 19 are sticky since boot (firmware documentation of vcgencmd).
# soc on a Raspberry Pi 4, soc@107c000000 on a Raspberry Pi 5
PI_THROTTLED = "sys/devices/platform/soc*/soc*:firmware/get_throttled"
PI_FLAGS = {16: "under-voltage", 17: "frequency capped", 18: "throttled", 19: "soft temperature limit"}
BUSY = ("user", "nice", "system", "irq", "softirq", "steal")
# Columns of the first line of /proc/stat, proc(5).
ORDER = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")


@dataclass(frozen=True, slots=True)
class Counters:
    """Kernel counters at one moment, all monotonic. Times are clock ticks over all processors; ``own`` are those of our processes."""

    total: int = 0
    busy: int = 0
    steal: int = 0
    own: int = 0
    thermal: int = 0
    quota: int = 0
    pi_flags: int = 0


@dataclass(frozen=True, slots=True)
class Disturbance:
    """Disturbances of the machine between two ``Counters``.

    ``other_load_share``: share (0..1) of the machine's processor time that other processes used; ``steal_share``: that the
    hypervisor gave to other guests. ``thermal_throttle_events``, ``quota_throttle_events``: throttling by temperature and by the
    container's quota. ``flags``: throttling flags of a Raspberry Pi that were set.
    """

    other_load_share: float = 0.0
    steal_share: float = 0.0
    thermal_throttle_events: int = 0
    quota_throttle_events: int = 0
    flags: tuple[str, ...] = field(default_factory=tuple)


def read_counters(own: Iterable[int] = (), root: Path = Path("/")) -> Counters:
    """The counters now; ``own`` are the ids of other processes that belong to the measurement, in addition to this one."""
    ticks = _stat_line(root)
    return Counters(
        total=sum(ticks.values()),
        busy=sum(ticks.get(name, 0) for name in BUSY),
        steal=ticks.get("steal", 0),
        own=sum(_process_ticks(pid, root) for pid in {os.getpid(), *own}),
        thermal=_thermal_throttles(root),
        quota=_quota_throttles(root),
        pi_flags=pi_flags(root),
    )


def pi_flags(root: Path = Path("/")) -> int:
    """The throttling flags of a Raspberry Pi's firmware, 0 on other machines: bits 0 to 3 hold now, 16 to 19 since the start."""
    text = next(map(read_text, root.glob(PI_THROTTLED)), "")
    try:
        return int(text, 16) if text else 0
    except ValueError:
        return 0


def between(before: Counters, after: Counters) -> Disturbance:
    """The disturbance from ``before`` to ``after``."""
    total = max(after.total - before.total, 1)
    steal = after.steal - before.steal
    # steal is counted separately: it is time used by the host, not by programs of this machine
    other = after.busy - before.busy - steal - (after.own - before.own)
    # bits that were set before the measurement are sticky, so they are not counted
    new = after.pi_flags & ~before.pi_flags
    return Disturbance(
        other_load_share=max(other, 0) / total,
        steal_share=max(steal, 0) / total,
        thermal_throttle_events=after.thermal - before.thermal,
        quota_throttle_events=after.quota - before.quota,
        flags=tuple(name for bit, name in PI_FLAGS.items() if new >> bit & 1),
    )


def _stat_line(root: Path) -> dict[str, int]:
    words = read_text(root / "proc/stat").partition("\n")[0].split()[1:]
    return {name: int(word) for name, word in zip(ORDER, words, strict=False)}


def _process_ticks(pid: int, root: Path) -> int:
    """User and system time of a process with all its threads and its ended children."""
    # proc(5): fields 14 to 17 are utime, stime, cutime, cstime; field 2, the name in brackets, may itself hold spaces and brackets
    words = read_text(root / f"proc/{pid}/stat").rpartition(")")[2].split()
    return sum(int(word) for word in words[11:15])


def _thermal_throttles(root: Path) -> int:
    """Throttling events of Intel processors, summed over the cores; other makers do not count them."""
    files = (root / "sys/devices/system/cpu").glob("cpu[0-9]*/thermal_throttle/*_throttle_count")
    return sum(read_int(path) or 0 for path in files)


def _quota_throttles(root: Path) -> int:
    """Periods in which the container ran out of its quota."""
    files = [folder / "cpu.stat" for folder in (root / "sys/fs/cgroup", root / "sys/fs/cgroup/cpu")]
    lines = (line.split() for path in files for line in read_text(path).splitlines())
    return sum(int(words[1]) for words in lines if words[0] == "nr_throttled")
