from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from edgecnn.devices import limits

Tree = Callable[[Mapping[str, str]], Path]


def test_the_smaller_of_memory_and_limit_counts(tree: Tree) -> None:
    root = tree({"proc/meminfo": "MemTotal:  4194304 kB\n", "sys/fs/cgroup/memory.max": str(512 << 20)})
    assert limits.memory_mib(root) == 512


def test_an_unlimited_container_has_the_machine_s_memory(tree: Tree) -> None:
    root = tree({"proc/meminfo": "MemTotal:  4194304 kB\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": str(2**63 - 4096)})
    assert limits.memory_mib(root) == 4096
