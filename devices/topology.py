"""Cores of a machine by kind, with their frequencies, from /proc/cpuinfo and /sys."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from edgecnn.cpus import read_int, read_text
from edgecnn.devices.boards.board import Cluster
from edgecnn.devices.probe import ARM_PARTS, cpu_info, cpu_name

# Hybrid processors of Intel list their cores here (Linux 5.16 and later, Documentation/ABI/testing/sysfs-bus-event_source-devices).
HYBRID = {"cpu_core": "performance cores", "cpu_atom": "efficient cores"}


def clusters(root: Path = Path("/")) -> tuple[Cluster, ...]:
    """The cores that are online, those of one kind, frequency and governor together, in the kernel's order."""
    base = root / "sys/devices/system/cpu"
    hybrid = {number: name for unit, name in HYBRID.items() for number in cpu_list(read_text(root / f"sys/devices/{unit}/cpus"))}
    parts, common = _arm_parts(root), cpu_name(cpu_info(root))
    groups: dict[tuple[str, int | None, int | None, str], list[int]] = {}
    for number in cpu_list(read_text(base / "online")):
        frequency = base / f"cpu{number}" / "cpufreq"
        low, high = (_mhz(frequency / f"cpuinfo_{end}_freq") for end in ("min", "max"))
        name = parts.get(number) or (f"{common} {hybrid[number]}" if number in hybrid else common)
        groups.setdefault((name, low, high, read_text(frequency / "scaling_governor")), []).append(number)
    return tuple(
        Cluster(name, len(numbers), listed(numbers), low, high, governor)
        for (name, low, high, governor), numbers in groups.items()
    )


def cpu_list(text: str) -> list[int]:
    """The numbers in a list of the kernel such as ``0-3,8``."""
    numbers: list[int] = []
    for part in filter(None, text.strip().split(",")):
        first, _, last = part.partition("-")
        if first.isdigit() and (last or first).isdigit():
            numbers += range(int(first), int(last or first) + 1)
    return numbers


def listed(numbers: Iterable[int]) -> str:
    """Numbers as the kernel lists them, ``0-3,8``."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def _arm_parts(root: Path) -> dict[int, str]:
    """The name of each Arm core by its number; {} on other processors."""
    found, number = {}, -1
    for line in read_text(root / "proc/cpuinfo").splitlines():
        key, _, value = (part.strip() for part in line.partition(":"))
        if key == "processor" and value.isdigit():
            number = int(value)
        elif key == "CPU part":
            found[number] = ARM_PARTS.get(value, f"Arm part {value}")
    return found


def _mhz(path: Path) -> int | None:
    khz = read_int(path)
    return round(khz / 1000) if khz else None
