from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from edgecnn.devices import limits

Tree = Callable[[Mapping[str, str]], Path]
V2 = {"proc/self/cgroup": "0::/job/inner\n"}


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        pytest.param({}, None, id="no-container"),
        pytest.param({**V2, "sys/fs/cgroup/job/inner/cpu.max": "max 100000"}, None, id="v2-unlimited"),
        pytest.param({**V2, "sys/fs/cgroup/job/inner/cpu.max": "150000 100000"}, 1.5, id="v2-own-group"),
        pytest.param({**V2, "sys/fs/cgroup/job/cpu.max": "50000 100000"}, 0.5, id="v2-group-above"),
        pytest.param({"sys/fs/cgroup/cpu.max": "200000 100000"}, 2.0, id="v2-namespace-root"),
        pytest.param(
            {"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "1000"}, None, id="v1-unlimited"
        ),
        pytest.param({"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "3000", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "1000"}, 3.0, id="v1"),
    ],
)
def test_cpu_quota_of_the_container(tree: Tree, tmp_path: Path, files: dict[str, str], quota: float | None) -> None:
    tree(files)
    assert limits.cpu_quota(tmp_path) == quota


def test_a_quota_below_one_leaves_one_thread(tree: Tree) -> None:
    assert limits.usable_threads(tree({"sys/fs/cgroup/cpu.max": "10000 100000"})) == 1


def test_the_smaller_of_memory_and_limit_counts(tree: Tree) -> None:
    root = tree({"proc/meminfo": "MemTotal:  4194304 kB\n", "sys/fs/cgroup/memory.max": str(512 << 20)})
    assert limits.memory_mib(root) == 512


def test_an_unlimited_container_has_the_machine_s_memory(tree: Tree) -> None:
    root = tree({"proc/meminfo": "MemTotal:  4194304 kB\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": str(2**63 - 4096)})
    assert limits.memory_mib(root) == 4096
