"""Checks of the processor: clock, cores that are off, heat and voltage, instructions for int8."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from edgecnn.cpus import read_int, read_text
from edgecnn.devices.counters import PI_FLAGS, pi_flags, read_counters
from edgecnn.devices.doctor.finding import DeviceFinding, Machine
from edgecnn.devices.doctor.system import device_tree
from edgecnn.devices.environment import temperature
from edgecnn.devices.topology import cpu_list, listed

HOT_C = 80
GOVERNORS = "/sys/devices/system/cpu/cpu*/cpufreq/scaling_governor"
# Drivers whose "powersave" raises the clock with the load (Documentation/admin-guide/pm/intel_pstate.rst, amd-pstate.rst).
_SCALE_IN_POWERSAVE = ("intel_pstate", "amd-pstate", "amd-pstate-epp")
_SUPPLY = "use the official power supply and a short cable, and take USB devices off"
_COOLING = "add a heat sink or a fan; measure sustained latency"


def check(machine: Machine) -> Iterator[DeviceFinding]:
    """Findings about the processor."""
    yield from _governor(machine)
    yield from _capped_clock(machine)
    yield from _cores_off(machine)
    yield from _raspberry_pi(machine)
    yield from _heat(machine)
    yield from _int8(machine)


def _governor(machine: Machine) -> Iterator[DeviceFinding]:
    for governor, numbers in _grouped(machine.root, "scaling_governor").items():
        drivers = {read_text(_frequency(machine.root, number) / "scaling_driver") for number in numbers}
        fix = f"echo performance | sudo tee {GOVERNORS}"
        if governor == "powersave" and not drivers & set(_SCALE_IN_POWERSAVE):
            yield DeviceFinding(
                "slow", "governor", f"the governor powersave keeps cpu {listed(numbers)} at the lowest clock", fix
            )
        elif governor not in ("performance", ""):
            text = f"the governor {governor} changes the clock of cpu {listed(numbers)} with the load: short measurements vary"
            yield DeviceFinding("note", "governor", text, fix)


def _capped_clock(machine: Machine) -> Iterator[DeviceFinding]:
    for number in _online(machine.root):
        folder = _frequency(machine.root, number)
        allowed, possible = (read_int(folder / name) for name in ("scaling_max_freq", "cpuinfo_max_freq"))
        if allowed and possible and allowed < possible:
            text = f"the clock is limited to {allowed // 1000} of {possible // 1000} MHz"
            fix = f"echo {possible} | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_max_freq"
            yield DeviceFinding("slow", "clock limit", text, fix)
            return


def _cores_off(machine: Machine) -> Iterator[DeviceFinding]:
    present = cpu_list(read_text(machine.root / "sys/devices/system/cpu/present"))
    off = sorted(set(present) - set(_online(machine.root)))
    if off:
        is_jetson = "jetson" in device_tree(machine.root).lower()
        line = f"for n in {' '.join(map(str, off))}; do echo 1 | sudo tee /sys/devices/system/cpu/cpu$n/online; done"
        yield DeviceFinding(
            "slow", "cores off", f"cpu {listed(off)} of {len(present)} is off", "sudo nvpmodel -m 0" if is_jetson else line
        )


def _raspberry_pi(machine: Machine) -> Iterator[DeviceFinding]:
    flags = pi_flags(machine.root)
    for bit, name in PI_FLAGS.items():
        now, before = flags >> (bit - 16) & 1, flags >> bit & 1
        if now or before:
            when = "now" if now else "since the start"
            fix = _SUPPLY if "voltage" in name else _COOLING
            yield DeviceFinding("slow", "Raspberry Pi", f"the firmware reports {when}: {name}", fix)


def _heat(machine: Machine) -> Iterator[DeviceFinding]:
    hottest = temperature(machine.root)
    if hottest is not None and hottest >= HOT_C:
        yield DeviceFinding(
            "slow", "heat", f"{hottest:.0f} °C: the clock is lowered at about {HOT_C} to 85 °C on most boards", _COOLING
        )
    events = read_counters((), machine.root).thermal
    if events:
        yield DeviceFinding(
            "note", "heat", f"the processor lowered its clock {events} times since the start because of heat", _COOLING
        )


def _int8(machine: Machine) -> Iterator[DeviceFinding]:
    if machine.profile.int8_path != "none":
        return
    name = "dot product instruction (dotprod, i8mm)" if machine.profile.arch.startswith(("aarch", "arm")) else "VNNI"
    text = f"the processor has no {name}: int8 files may not be faster than fp32"
    yield DeviceFinding("note", "int8", text, "edgecnn benchmark MODEL-fp32.onnx MODEL-int8.onnx")


def _grouped(root: Path, name: str) -> dict[str, list[int]]:
    groups: dict[str, list[int]] = {}
    for number in _online(root):
        groups.setdefault(read_text(_frequency(root, number) / name), []).append(number)
    return groups


def _online(root: Path) -> list[int]:
    return cpu_list(read_text(root / "sys/devices/system/cpu/online"))


def _frequency(root: Path, number: int) -> Path:
    return root / f"sys/devices/system/cpu/cpu{number}/cpufreq"
