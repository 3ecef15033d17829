"""Memory that this process may use: the machine's, or the container's limit."""

from __future__ import annotations

from pathlib import Path

from edgecnn.cpus import control_groups, read_int, read_text

MIB = 1 << 20


def memory_limit(root: Path = Path("/")) -> int | None:
    """Bytes that the container may use (memory.max, memory.limit_in_bytes), None where it is unlimited."""
    files = [folder / "memory.max" for folder in control_groups(root)] + [root / "sys/fs/cgroup/memory/memory.limit_in_bytes"]
    granted = [value for value in map(read_int, files) if value is not None]
    return min(granted, default=None)


def memory_mib(root: Path = Path("/")) -> int:
    """MiB that this process may use: the machine's memory or the container's limit, whichever is less."""
    fields = (line.split() for line in read_text(root / "proc/meminfo").splitlines())
    total = next((int(words[1]) * 1024 for words in fields if words[0] == "MemTotal:"), 0)
    limit = memory_limit(root)
    return (min(total, limit) if limit and total else total) // MIB
