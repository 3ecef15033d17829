"""Energy from a made-up /sys: which source is taken, and what it adds up to."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from edgecnn.devices.energy import EnergyMeter
from edgecnn.devices.energy_source import EnergySource, find_energy

Tree = Callable[[Mapping[str, str]], Path]
RAPL = "sys/class/powercap/intel-rapl:{}"


def package(number: int, joules: float, name: str = "") -> dict[str, str]:
    folder = RAPL.format(number)
    return {
        f"{folder}/name": name or f"package-{number}",
        f"{folder}/energy_uj": str(int(joules * 1e6)),
        f"{folder}/max_energy_range_uj": "100000000",
    }


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def joules(source: EnergySource, change: Callable[[], object], seconds: float = 2.0) -> float | None:
    """The energy between two samples, with a change of the files between them."""
    clock = Clock()
    meter = EnergyMeter(source, clock)
    meter.sample()
    change()
    clock.now += seconds
    meter.sample()
    return meter.joules


def test_packages_are_added_and_their_parts_are_not(tree: Tree) -> None:
    part = {"sys/class/powercap/intel-rapl:0:0/name": "core", "sys/class/powercap/intel-rapl:0:0/energy_uj": "7"}
    source = find_energy(tree({**package(0, 10), **package(1, 20), **part}))
    assert source.name == "RAPL processor"
    assert joules(source, lambda: tree({**package(0, 13), **package(1, 24)})) == pytest.approx(7)


def test_the_whole_system_is_taken_where_it_is_counted(tree: Tree) -> None:
    source = find_energy(tree({**package(0, 10), **package(1, 20, "psys")}))
    assert source.name == "RAPL system"
    assert joules(source, lambda: tree({**package(0, 90), **package(1, 25, "psys")})) == pytest.approx(5)


def test_a_counter_that_starts_again_is_continued(tree: Tree) -> None:
    source = find_energy(tree(package(0, 98)))
    assert joules(source, lambda: tree(package(0, 1))) == pytest.approx(3)


def test_a_counter_for_root_only_is_said_with_its_remedy(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tree(package(0, 10))
    monkeypatch.setattr(os, "access", lambda *_: False)
    found = find_energy(root)
    assert not found.readings
    assert "root only: sudo chmod a+r /sys/class/powercap/intel-rapl:0/energy_uj" in found.problem


def test_power_is_integrated_by_trapezia(tree: Tree) -> None:
    power = "sys/class/hwmon/hwmon2/power1_input"
    source = find_energy(tree({power: "2000000", "sys/class/hwmon/hwmon2/name": "ina226"}))
    assert source.name == "ina226"
    assert joules(source, lambda: tree({power: "4000000"}), seconds=3) == pytest.approx(9)


def test_an_energy_counter_is_preferred_to_power(tree: Tree) -> None:
    energy = "sys/class/hwmon/hwmon1/energy1_input"
    source = find_energy(tree({energy: "1000000", "sys/class/hwmon/hwmon1/power1_input": "9"}))
    assert joules(source, lambda: tree({energy: "3500000"})) == pytest.approx(2.5)


def test_of_a_jetson_only_the_whole_board_is_read(tree: Tree) -> None:
    folder = "sys/class/hwmon/hwmon3"
    channels = {f"{folder}/in{i}_input": "5000" for i in (1, 2)} | {f"{folder}/curr{i}_input": "800" for i in (1, 2)}
    labels = {f"{folder}/in1_label": "VDD_IN", f"{folder}/in2_label": "VDD_CPU_GPU_CV", f"{folder}/name": "ina3221"}
    source = find_energy(tree({**channels, **labels}))
    assert source.name == "ina3221 VDD_IN"
    assert joules(source, lambda: None) == pytest.approx(2 * 4.0)


def test_a_discharging_battery_is_read_and_a_charging_one_is_explained(tree: Tree) -> None:
    folder = "sys/class/power_supply/BAT0"
    root = tree({f"{folder}/type": "Battery", f"{folder}/status": "Charging", f"{folder}/power_now": "7000000"})
    assert "unplug" in find_energy(root).problem
    tree({f"{folder}/status": "Discharging"})
    assert joules(find_energy(root), lambda: None) == pytest.approx(14)


def test_a_battery_without_power_gives_current_times_voltage(tree: Tree) -> None:
    folder = "sys/class/power_supply/BAT1"
    values = {"type": "Battery", "status": "Discharging", "current_now": "-500000", "voltage_now": "12000000"}
    source = find_energy(tree({f"{folder}/{name}": value for name, value in values.items()}))
    assert joules(source, lambda: None) == pytest.approx(12)


def test_a_machine_without_sensors_has_no_energy(tmp_path: Path) -> None:
    source = find_energy(tmp_path)
    assert source.problem == "this machine has no readable energy counter or power sensor"
    with EnergyMeter(source) as meter:
        pass
    assert (meter.joules, meter.watts) == (None, None)


def test_a_part_that_ends_to_answer_leaves_no_number(tree: Tree) -> None:
    root = tree({**package(0, 10), **package(1, 20)})
    source = find_energy(root)
    (root / RAPL.format(1) / "energy_uj").unlink()
    assert joules(source, lambda: tree(package(0, 12))) is None


def test_the_block_measures_from_its_start_to_its_end(tree: Tree) -> None:
    clock = Clock()
    with EnergyMeter(find_energy(tree(package(0, 1))), clock) as meter:
        tree(package(0, 9))
        clock.now = 4.0
    assert (meter.joules, meter.watts) == (pytest.approx(8), pytest.approx(2))
