"""Where a machine says how much energy it uses: counters and sensors of the kernel, found without any driver library.

RAPL: docs.kernel.org/power/powercap; hwmon: docs.kernel.org/hwmon/sysfs-interface; batteries: Documentation/ABI/testing/sysfs-class-power.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edgecnn.cpus import read_int, read_text

Kind = Literal["joules", "watts"]


@dataclass(frozen=True, slots=True)
class EnergyReading:
    """One value to read. ``kind``: a counter of ``joules``, which starts again at ``wraps_at``, or the ``watts`` at this moment."""

    kind: Kind
    read: Callable[[], float | None]
    wraps_at: float | None = None


@dataclass(frozen=True, slots=True)
class EnergySource:
    """What the machine can say. ``name`` tells what is measured, "" where nothing is readable; then ``problem`` says why.

    The ``readings`` are of separate parts and are added.
    """

    name: str = ""
    readings: tuple[EnergyReading, ...] = ()
    problem: str = ""


def find_energy(root: Path = Path("/")) -> EnergySource:
    """The best source of this machine: RAPL, then hwmon (counters, power, current x voltage), then a battery that is discharging."""
    problems: list[str] = []
    finders = (_rapl, _hwmon_energy, _hwmon_power, _hwmon_current, _battery)
    for find in finders:
        found = find(root)
        if found.readings:
            return found
        problems += [found.problem] if found.problem else []
    return EnergySource(problem=problems[0] if problems else "this machine has no readable energy counter or power sensor")


def _rapl(root: Path) -> EnergySource:
    """Processor packages, or the whole system (psys) where the processor counts it; core and uncore are parts of a package."""
    zones = [zone for zone in sorted((root / "sys/class/powercap").glob("*rapl*:*")) if zone.name.count(":") == 1]
    # intel-rapl-mmio counts the same package again
    zones = [zone for zone in zones if not zone.name.startswith("intel-rapl-mmio")]
    system = [zone for zone in zones if read_text(zone / "name") == "psys"]
    chosen = system[:1] or [zone for zone in zones if read_text(zone / "name").startswith("package")]
    if not chosen:
        return EnergySource()
    closed = [zone for zone in chosen if not os.access(zone / "energy_uj", os.R_OK)]
    if closed:
        path = f"/sys/class/powercap/{closed[0].name}/energy_uj"
        return EnergySource(problem=f"the energy counter {path} may be read by root only: sudo chmod a+r {path}")
    readings = tuple(
        EnergyReading("joules", _scaled(zone / "energy_uj", 1e-6), (read_int(zone / "max_energy_range_uj") or 0) * 1e-6 or None)
        for zone in chosen
    )
    return EnergySource(f"RAPL {'system' if system else 'processor'}", readings)


def _hwmon_energy(root: Path) -> EnergySource:
    """Energy counters in microjoules."""
    files = _inputs(root, "energy")
    return EnergySource(_chips(files), tuple(EnergyReading("joules", _scaled(path, 1e-6)) for path in files))


def _hwmon_power(root: Path) -> EnergySource:
    """Power in microwatts: INA226 and others; PoE and USB-C chargers; only the whole input where the board labels one."""
    files = _inputs(root, "power")
    return EnergySource(_chips(files), tuple(EnergyReading("watts", _scaled(path, 1e-6)) for path in files))


def _hwmon_current(root: Path) -> EnergySource:
    """Current in milliamperes times voltage in millivolts of the same channel: INA3221 of NVIDIA's boards."""
    pairs = [(path, path.with_name(path.name.replace("curr", "in"))) for path in _inputs(root, "curr")]
    pairs = [(current, voltage) for current, voltage in pairs if read_int(voltage) is not None]
    readings = tuple(EnergyReading("watts", _product(current, voltage, 1e-6)) for current, voltage in pairs)
    return EnergySource(_chips([current for current, _ in pairs]), readings)


def _battery(root: Path) -> EnergySource:
    """A discharging battery: power in microwatts, or current in microamperes times voltage in microvolts."""
    for folder in sorted((root / "sys/class/power_supply").glob("*")):
        if read_text(folder / "type") != "Battery" or read_int(folder / "present") == 0:
            continue
        if read_text(folder / "status") != "Discharging":
            return EnergySource(problem="the battery is not discharging: unplug the charger to read the power from it")
        if read_int(folder / "power_now") is not None:
            return EnergySource(f"battery {folder.name}", (EnergyReading("watts", _scaled(folder / "power_now", 1e-6)),))
        if read_int(folder / "current_now") is not None and read_int(folder / "voltage_now") is not None:
            watts = _product(folder / "current_now", folder / "voltage_now", 1e-12)
            return EnergySource(f"battery {folder.name}", (EnergyReading("watts", watts),))
    return EnergySource()


TOTALS = ("VDD_IN", "POM_5V_IN", "VIN_SYS_5V0", "total", "input")  # whole-board channels of Jetson and of power monitors


def _inputs(root: Path, quantity: str) -> list[Path]:
    """The hwmon files of a quantity in which a number is; only the channel of the whole board where one has such a label."""
    files = sorted((root / "sys/class/hwmon").glob(f"hwmon*/{quantity}[0-9]*_input"))
    files = [path for path in files if read_int(path) is not None]
    labelled = [path for path in files if _label(path) in TOTALS]
    return labelled[:1] or files


def _label(path: Path) -> str:
    """The label of a channel; that of a voltage channel names the current of the same number, too."""
    own = path.with_name(path.name.replace("_input", "_label"))
    return read_text(own) or read_text(own.with_name(own.name.replace("curr", "in")))


def _chips(files: Sequence[Path]) -> str:
    """The names of the chips that were read, "" without any."""
    names = [" ".join(filter(None, (read_text(path.parent / "name") or path.parent.name, _label(path)))) for path in files]
    return ", ".join(dict.fromkeys(names))


def _scaled(path: Path, factor: float) -> Callable[[], float | None]:
    def read() -> float | None:
        value = read_int(path)
        return None if value is None else abs(value) * factor  # some batteries count discharge as negative

    return read


def _product(first: Path, second: Path, factor: float) -> Callable[[], float | None]:
    def read() -> float | None:
        one, other = read_int(first), read_int(second)
        return None if one is None or other is None else abs(one * other) * factor

    return read
