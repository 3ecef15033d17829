"""Which known board a machine is, from device trees and processors as the boards give them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from edgecnn.devices import boards
from edgecnn.devices.known_board import known_board
from edgecnn.devices.profile import DeviceProfile

AVX2 = ("sse4.2", "avx", "f16c", "fma", "avx2")


@pytest.mark.parametrize(
    ("compatible", "expected"),
    [
        (("raspberrypi,5-model-b", "brcm,bcm2712"), "raspberry-pi-5"),
        (("raspberrypi,500", "brcm,bcm2712"), "raspberry-pi-5"),
        (("raspberrypi,4-model-b", "brcm,bcm2711"), "raspberry-pi-4"),
        (("raspberrypi,3-model-b-plus", "brcm,bcm2837"), "raspberry-pi-3"),
        (("raspberrypi,model-zero-2-w", "brcm,bcm2837"), "raspberry-pi-zero-2-w"),
        (("nvidia,p3450-0000", "nvidia,tegra210"), "jetson-nano"),
        (("nvidia,p3541-0000", "nvidia,p3450-0000", "nvidia,tegra210"), "jetson-nano"),
        (("nvidia,p3768-0000+p3767-0005-super", "nvidia,tegra234"), "jetson-orin-nano"),
        (("nvidia,p3768-0000+p3767-0000", "nvidia,tegra234"), ""),  # Orin NX
        (("radxa,rock-5b", "rockchip,rk3588"), "rk3588"),
        (("xunlong,orangepi-5", "rockchip,rk3588s"), "rk3588"),
        (("google,imx8mq-phanbell", "fsl,imx8mq"), "coral"),
        (("hardkernel,odroid-n2", "amlogic,g12b"), ""),
    ],
)
def test_a_board_by_its_device_tree(tmp_path: Path, compatible: tuple[str, ...], expected: str) -> None:
    tree = tmp_path / "proc/device-tree"
    tree.mkdir(parents=True)
    (tree / "compatible").write_bytes(b"".join(one.encode() + b"\0" for one in compatible))
    profile = DeviceProfile("Some board", "aarch64", "Cortex-A76", 4, 4, ("neon", "dotprod"))
    assert known_board(profile, tmp_path) == expected


@pytest.mark.parametrize(
    ("cpu", "features", "expected"),
    [
        ("Intel(R) N100", (*AVX2, "avx-vnni"), "intel-n100"),
        ("Intel(R) Core(TM) Ultra 7 155H", (*AVX2, "avx-vnni"), "intel-core-ultra"),
        ("Intel(R) Core(TM) Ultra 7 258V", (*AVX2, "avx-vnni"), ""),
        ("AMD Ryzen 7 3700X 8-Core Processor", AVX2, "x86-avx2"),
        ("Intel(R) Xeon(R) Processor", (*AVX2, "avx512f"), "x86-avx2"),
        ("Intel(R) Xeon(R) Processor", (*AVX2, "avx512f", "avx512-vnni", "amx-int8"), "x86-avx512-vnni"),
        ("12th Gen Intel(R) Core(TM) i5-12400", (*AVX2, "avx-vnni"), ""),
        ("Intel(R) Atom(TM) CPU E3940", ("sse4.2",), ""),
    ],
)
def test_a_pc_by_its_processor(tmp_path: Path, cpu: str, features: tuple[str, ...], expected: str) -> None:
    assert known_board(DeviceProfile(cpu, "x86_64", cpu, 4, 4, features), tmp_path) == expected


def test_a_phone_says_that_it_is_android(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    profile = DeviceProfile("Phone", "aarch64", "Cortex-A78", 8, 8, ("neon",))
    assert known_board(profile, tmp_path) == ""
    monkeypatch.setattr(sys, "getandroidapilevel", lambda: 34, raising=False)
    assert known_board(profile, tmp_path) == "android-termux"


def test_each_board_can_be_found_in_one_way() -> None:
    known = {name: boards.board(name) for name in boards.names()}
    patterns = [pattern for board in known.values() for pattern in board.identified_by]
    assert len(patterns) == len(set(patterns))
    assert [name for name, board in known.items() if not board.identified_by and not board.is_family] == []
