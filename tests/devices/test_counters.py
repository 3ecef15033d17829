from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from edgecnn.devices.counters import Counters, between, read_counters

Tree = Callable[[Mapping[str, str]], Path]


def stat(pid: int, user: int, system: int) -> dict[str, str]:
    return {f"proc/{pid}/stat": f"{pid} (a name) with) S 1 1 1 0 -1 0 0 0 0 0 {user} {system} 0 0 20 0"}


def test_own_time_is_not_other_load(tree: Tree) -> None:
    own = os.getpid()
    before = read_counters([7], tree({"proc/stat": "cpu 100 0 100 800 0 0 0 0\ncpu0 1", **stat(own, 50, 50), **stat(7, 10, 0)}))
    after = read_counters([7], tree({"proc/stat": "cpu 180 0 120 880 0 0 0 20\ncpu0 1", **stat(own, 90, 60), **stat(7, 20, 0)}))
    found = between(before, after)
    assert found.steal_share == pytest.approx(0.1)
    assert found.other_load_share == pytest.approx((80 + 20 - 60) / 200)


def test_heat_and_quota_events_are_counted_from_the_first_reading(tree: Tree) -> None:
    heat = "sys/devices/system/cpu/cpu{}/thermal_throttle/core_throttle_count"
    quota = "sys/fs/cgroup/cpu.stat"
    before = read_counters((), tree({heat.format(0): "3", heat.format(1): "4", quota: "usage_usec 1\nnr_throttled 2"}))
    after = read_counters((), tree({heat.format(0): "5", quota: "usage_usec 1\nnr_throttled 9"}))
    assert (between(before, after).thermal_throttle_events, between(before, after).quota_throttle_events) == (2, 7)


def test_a_raspberry_pi_s_new_flags_are_named() -> None:
    assert between(Counters(pi_flags=1 << 16), Counters(pi_flags=0b101 << 16)).flags == ("throttled",)


def test_a_tree_without_anything_tells_of_no_disturbance(tmp_path: Path) -> None:
    found = between(read_counters((), tmp_path), read_counters((), tmp_path))
    assert (found.other_load_share, found.steal_share, found.thermal_throttle_events, found.flags) == (0.0, 0.0, 0, ())


def test_this_process_s_work_is_found_on_this_machine() -> None:
    before = read_counters()
    until = time.process_time() + 0.1
    while time.process_time() < until:
        pass
    assert read_counters().own > before.own
