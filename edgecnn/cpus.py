"""The number of processors that this process may use: the minimum of CPU affinity, container quota and machine."""

from __future__ import annotations

import math
import os
from pathlib import Path


def usable_cpus(root: Path = Path("/")) -> int:
    """Processors that this process can use in parallel, at least 1; ``root`` is the folder that contains proc and sys.

    A container with a quota still sees all processors of its host in ``os.cpu_count`` and in its affinity mask, and an engine that
    starts a thread on each of them is throttled by the kernel. A quota of 1.5 processors counts as 2.
    """
    quota = cpu_quota(root)
    counts = [affinity(), os.cpu_count() or 1]
    if quota is not None:
        counts.append(math.ceil(quota))
    return max(min(counts), 1)


def affinity() -> int:
    """Processors that the scheduler may place this process on; all where the system has no affinity masks (macOS)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cpu_quota(root: Path = Path("/")) -> float | None:
    """Processors that the container's quota grants, None where it is unlimited.

    cgroup v2: cpu.max holds "QUOTA PERIOD" in microseconds or "max PERIOD", and the tightest group from the process up to the root
    counts. cgroup v1: cpu.cfs_quota_us (-1 is unlimited) and cpu.cfs_period_us.
    """
    quotas = []
    for folder in control_groups(root):
        quota, _, period = read_text(folder / "cpu.max").partition(" ")
        if quota.isdigit() and period.isdigit():
            quotas.append(int(quota) / int(period))
    v1 = root / "sys/fs/cgroup/cpu"
    granted, each = read_int(v1 / "cpu.cfs_quota_us"), read_int(v1 / "cpu.cfs_period_us")
    if granted and each and granted > 0:
        quotas.append(granted / each)
    return min(quotas, default=None)


def control_groups(root: Path = Path("/")) -> list[Path]:
    """The folders of the cgroup v2 groups of this process, innermost first."""
    # /proc/self/cgroup has one line "0::/path" for v2; inside a cgroup namespace the path is "/".
    own = next((line[3:] for line in read_text(root / "proc/self/cgroup").splitlines() if line.startswith("0::")), "/")
    base = root / "sys/fs/cgroup"
    inner = base / own.strip("/")
    return [inner, *(parent for parent in inner.parents if parent == base or base in parent.parents)]


def threads_text(count: int) -> str:
    """A number of threads in words: "1 thread", "2 threads"."""
    return "1 thread" if count == 1 else f"{count} threads"


def read_text(path: Path) -> str:
    """A kernel file as text, "" where it is absent or not readable."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def read_int(path: Path) -> int | None:
    """A kernel file that holds one integer, None where it does not."""
    text = read_text(path)
    return int(text) if text.lstrip("-").isdigit() else None
