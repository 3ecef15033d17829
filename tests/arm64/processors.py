"""What Linux says of an Arm processor that qemu emulates: /proc/cpuinfo and the files of /sys that engines choose their kernels by.

qemu-user 7.2 passes the files of the machine it runs on through to the program, which then reads the features of an x86 processor.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

CORES = 2
V8_0 = ("fp", "asimd", "aes", "pmull", "sha1", "sha2", "crc32", "cpuid")
V8_2 = ("atomics", "fphp", "asimdhp", "asimdrdm", "lrcpc", "dcpop", "asimddp")


@dataclass(frozen=True)
class Processor:
    """``midr`` is the register MIDR_EL1 of qemu's model; ``features`` are what its AT_HWCAP reports, by the kernel's names."""

    name: str
    midr: int
    features: tuple[str, ...]

    @property
    def part(self) -> str:
        """The part number as /proc/cpuinfo has it."""
        return f"0x{self.midr >> 4 & 0xFFF:03x}"

    def cpuinfo(self, cores: int = CORES) -> str:
        """The text of /proc/cpuinfo (arch/arm64/kernel/cpuinfo.c)."""
        fields = {
            "BogoMIPS": "108.00",
            "Features": " ".join(self.features),
            "CPU implementer": f"0x{self.midr >> 24 & 0xFF:02x}",
            "CPU architecture": "8",
            "CPU variant": f"0x{self.midr >> 20 & 0xF:x}",
            "CPU part": self.part,
            "CPU revision": str(self.midr & 0xF),
        }
        lines = "".join(f"{key}\t: {value}\n" for key, value in fields.items())
        return "".join(f"processor\t: {number}\n{lines}\n" for number in range(cores))

    def write_sys(self, root: Path, cores: int = CORES) -> None:
        """Write the files below ``root``/sys/devices/system/cpu."""
        base = root / "sys/devices/system/cpu"
        base.mkdir(parents=True, exist_ok=True)
        for name in ("possible", "present", "online"):
            (base / name).write_text(f"0-{cores - 1}\n" if cores > 1 else "0\n")
        for number in range(cores):
            folder = base / f"cpu{number}/regs/identification"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "midr_el1").write_text(f"0x{self.midr:016x}\n")


# Boards: Raspberry Pi 3 and Zero 2 W, Raspberry Pi 4, Raspberry Pi 5. Only the last has the dot products of int8 (asimddp).
PROCESSORS = {
    each.name: each
    for each in (
        Processor("cortex-a53", 0x410FD034, V8_0),
        Processor("cortex-a72", 0x410FD083, V8_0),
        Processor("cortex-a76", 0x414FD0B1, (*V8_0, *V8_2)),
    )
}
