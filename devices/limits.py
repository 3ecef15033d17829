"""What this process may use of the machine: affinity, container quota, memory."""

from __future__ import annotations

import math
import os
from pathlib import Path

MIB = 1 << 20


def read(path: Path) -> str:
    """A small kernel file as text, "" where it is absent or closed to us."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def number(path: Path) -> int | None:
    """A kernel file that holds one integer, None where it does not."""
    text = read(path)
    return int(text) if text.lstrip("-").isdigit() else None


def affinity() -> int:
    """How many processors this process may be scheduled on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cpu_quota(root: Path = Path("/")) -> float | None:
    """Processors that the container's quota grants (cgroup v2 cpu.max, v1 cpu.cfs_quota_us), None where it is unlimited."""
    for folder in _cgroups(root):
        quota, _, period = read(folder / "cpu.max").partition(" ")
        if quota.isdigit() and period.isdigit():
            return int(quota) / int(period)
    v1 = root / "sys/fs/cgroup/cpu"
    granted, each = number(v1 / "cpu.cfs_quota_us"), number(v1 / "cpu.cfs_period_us")
    return granted / each if granted and each and granted > 0 else None


def usable_threads(root: Path = Path("/")) -> int:
    """Threads that can really run at once: affinity, and the container's quota rounded up."""
    quota = cpu_quota(root)
    return max(min(affinity(), math.ceil(quota) if quota else affinity()), 1)


def memory_limit(root: Path = Path("/")) -> int | None:
    """Bytes that the container may use (memory.max, memory.limit_in_bytes), None where it is unlimited."""
    files = [folder / "memory.max" for folder in _cgroups(root)] + [root / "sys/fs/cgroup/memory/memory.limit_in_bytes"]
    granted = [value for value in map(number, files) if value is not None]
    return min(granted, default=None)


def memory_mib(root: Path = Path("/")) -> int:
    """MiB that this process may use: the machine's memory or the container's limit, whichever is less."""
    fields = (line.split() for line in read(root / "proc/meminfo").splitlines())
    total = next((int(words[1]) * 1024 for words in fields if words[0] == "MemTotal:"), 0)
    limit = memory_limit(root)
    return (min(total, limit) if limit and total else total) // MIB


def _cgroups(root: Path) -> list[Path]:
    """The v2 control groups of this process, innermost first."""
    own = next((line[3:] for line in read(root / "proc/self/cgroup").splitlines() if line.startswith("0::")), "/")
    base = root / "sys/fs/cgroup"
    inner = base / own.strip("/")
    return [inner, *(parent for parent in inner.parents if parent == base or base in parent.parents)]
