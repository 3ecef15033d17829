"""The one count of usable processors, on fake /proc and /sys files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from edgecnn.cpus import cpu_quota, usable_cpus

GROUP = {"proc/self/cgroup": "0::/job/inner\n"}


def write(root: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.fixture
def machine_of_16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 16)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)), raising=False)


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        pytest.param({}, None, id="no-container"),
        pytest.param({**GROUP, "sys/fs/cgroup/job/inner/cpu.max": "max 100000"}, None, id="v2-unlimited"),
        pytest.param({**GROUP, "sys/fs/cgroup/job/inner/cpu.max": "150000 100000"}, 1.5, id="v2-own-group"),
        pytest.param({**GROUP, "sys/fs/cgroup/job/cpu.max": "50000 100000"}, 0.5, id="v2-group-above"),
        pytest.param(
            {**GROUP, "sys/fs/cgroup/job/inner/cpu.max": "400000 100000", "sys/fs/cgroup/job/cpu.max": "200000 100000"},
            2.0,
            id="v2-tighter-group-above",
        ),
        pytest.param({"sys/fs/cgroup/cpu.max": "200000 100000"}, 2.0, id="v2-namespace-root"),
        pytest.param(
            {"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "1000"}, None, id="v1-unlimited"
        ),
        pytest.param({"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "3000", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "1000"}, 3.0, id="v1"),
    ],
)
def test_cpu_quota_of_the_container(tmp_path: Path, files: dict[str, str], quota: float | None) -> None:
    assert cpu_quota(write(tmp_path, files)) == quota


@pytest.mark.parametrize(
    ("quota", "count"),
    [
        pytest.param("200000 100000", 2, id="two-of-sixteen"),
        pytest.param("150000 100000", 2, id="a-part-counts-as-one"),
        pytest.param("10000 100000", 1, id="below-one"),
        pytest.param("max 100000", 16, id="unlimited"),
        pytest.param("6400000 100000", 16, id="more-than-the-machine"),
    ],
)
@pytest.mark.usefixtures("machine_of_16")
def test_a_container_quota_limits_the_count(tmp_path: Path, quota: str, count: int) -> None:
    assert usable_cpus(write(tmp_path, {"sys/fs/cgroup/cpu.max": quota})) == count


@pytest.mark.usefixtures("machine_of_16")
def test_affinity_limits_the_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 5, 7}, raising=False)
    assert usable_cpus(tmp_path) == 3


def test_a_system_without_affinity_masks_counts_its_processors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    assert usable_cpus(tmp_path) == 4
