from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from edgecnn.devices.boards.board import Cluster
from edgecnn.devices.topology import clusters, cpu_list, listed

Tree = Callable[[Mapping[str, str]], Path]


def frequency(number: int, low: int, high: int, governor: str = "ondemand") -> dict[str, str]:
    base = f"sys/devices/system/cpu/cpu{number}/cpufreq"
    return {
        f"{base}/cpuinfo_min_freq": f"{low}\n",
        f"{base}/cpuinfo_max_freq": f"{high}\n",
        f"{base}/scaling_governor": f"{governor}\n",
    }


def test_big_and_little_cores_are_told_apart(tree: Tree) -> None:
    parts = ["0xd05"] * 4 + ["0xd0b"] * 4
    cores = {
        key: text
        for n, part in enumerate(parts)
        for key, text in frequency(n, 408000, 1800000 if part == "0xd05" else 2400000).items()
    }
    info = "\n\n".join(f"processor\t: {n}\nFeatures\t: asimd\nCPU part\t: {part}" for n, part in enumerate(parts))
    root = tree({"proc/cpuinfo": info, "sys/devices/system/cpu/online": "0-7\n", **cores})
    assert clusters(root) == (
        Cluster("Cortex-A55", 4, "0-3", 408, 1800, "ondemand"),
        Cluster("Cortex-A76", 4, "4-7", 408, 2400, "ondemand"),
    )


def test_a_hybrid_intel_processor(tree: Tree) -> None:
    root = tree(
        {
            "proc/cpuinfo": "processor: 0\nmodel name\t: Intel(R) Core(TM) Ultra 7 155H\nmodel: 170\n",
            "sys/devices/system/cpu/online": "0-3\n",
            "sys/devices/cpu_core/cpus": "0-1\n",
            "sys/devices/cpu_atom/cpus": "2-3\n",
        }
    )
    assert [(one.cpu, one.cpus) for one in clusters(root)] == [
        ("Intel Core Ultra 7 155H performance cores", "0-1"),
        ("Intel Core Ultra 7 155H efficient cores", "2-3"),
    ]


def test_a_core_that_is_off_and_one_with_another_governor(tree: Tree) -> None:
    info = "\n\n".join(f"processor\t: {n}\nCPU part\t: 0xd08" for n in range(4))
    cores = {**frequency(0, 600000, 1500000), **frequency(1, 600000, 1500000), **frequency(3, 600000, 1500000, "powersave")}
    root = tree({"proc/cpuinfo": info, "sys/devices/system/cpu/online": "0-1,3", **cores})
    assert [(one.cpus, one.governor) for one in clusters(root)] == [("0-1", "ondemand"), ("3", "powersave")]


def test_a_machine_that_hides_its_cores_has_no_clusters(tmp_path: Path) -> None:
    assert clusters(tmp_path) == ()


@pytest.mark.parametrize(("text", "numbers"), [("0-3,8", [0, 1, 2, 3, 8]), ("0", [0]), ("", []), ("x-y", [])])
def test_lists_of_the_kernel(text: str, numbers: list[int]) -> None:
    assert cpu_list(text) == numbers
    assert text == "x-y" or listed(numbers) == text
