"""The DeviceProfile of this machine, from /proc and /sys alone."""

from __future__ import annotations

import os
import platform
from importlib.util import find_spec
from pathlib import Path

from edgecnn.cpus import read_text, usable_cpus
from edgecnn.devices import limits
from edgecnn.devices.profile import DeviceProfile

# Kernel name of a feature (x86 "flags", Arm "Features" of /proc/cpuinfo) -> common name, in the order of the report.
FEATURES = {
    "sse4_2": "sse4.2",
    "avx": "avx",
    "f16c": "f16c",
    "fma": "fma",
    "avx2": "avx2",
    "avx512f": "avx512f",
    "avx_vnni": "avx-vnni",
    "avx512_vnni": "avx512-vnni",
    "avx512_bf16": "avx512-bf16",
    "avx512_fp16": "avx512-fp16",
    "amx_tile": "amx",
    "amx_int8": "amx-int8",
    "amx_bf16": "amx-bf16",
    "neon": "neon",
    "asimd": "neon",
    "asimdhp": "fp16",
    "asimddp": "dotprod",
    "i8mm": "i8mm",
    "bf16": "bf16",
    "sve": "sve",
    "sve2": "sve2",
    "sme": "sme",
}

# Arm cores identify themselves by number only: "CPU part" of /proc/cpuinfo (util-linux lscpu-arm.c keeps the full list).
ARM_PARTS = {
    "0xd03": "Cortex-A53",
    "0xd04": "Cortex-A35",
    "0xd05": "Cortex-A55",
    "0xd07": "Cortex-A57",
    "0xd08": "Cortex-A72",
    "0xd09": "Cortex-A73",
    "0xd0a": "Cortex-A75",
    "0xd0b": "Cortex-A76",
    "0xd0c": "Neoverse-N1",
    "0xd0d": "Cortex-A77",
    "0xd40": "Neoverse-V1",
    "0xd41": "Cortex-A78",
    "0xd42": "Cortex-A78AE",
    "0xd49": "Neoverse-N2",
    "0xd4f": "Neoverse-V2",
}

# Packages that can load a format; one of them is enough.
ENGINES = {
    "onnx": ("onnxruntime",),
    "openvino": ("openvino",),
    "tflite": ("ai_edge_litert", "tflite_runtime"),
    "executorch": ("executorch",),
    "torch": ("torch",),
}


def probe(root: Path = Path("/")) -> DeviceProfile:
    """The profile of this machine; ``root`` is where /proc and /sys are found."""
    info = cpu_info(root)
    cores = os.cpu_count() or 1
    cpu = cpu_name(info)
    return DeviceProfile(
        name=board_name(root) or cpu,
        arch=platform.machine(),
        cpu=cpu,
        cores=cores,
        usable_cpus=usable_cpus(root),
        features=features(info),
        memory_mib=limits.memory_mib(root),
        formats=installed_formats(),
        # CPUID leaf 1, ECX bit 31: reserved for hypervisors, always 0 on real hardware
        virtual="hypervisor" in info.get("flags", "").split(),
    )


def cpu_info(root: Path) -> dict[str, str]:
    """/proc/cpuinfo as one mapping: the first core's value of each field, but the Arm part numbers of all cores (big.LITTLE)."""
    fields: dict[str, str] = {}
    for line in read_text(root / "proc/cpuinfo").splitlines():
        key, separator, value = (part.strip() for part in line.partition(":"))
        # cores of a big.LITTLE processor differ: each part number is kept once
        if separator and key == "CPU part" and value not in fields.get(key, ""):
            fields[key] = f"{fields.get(key, '')} {value}".strip()
        elif separator:
            fields.setdefault(key, value)
    return of_program(fields, platform.machine()) if root == Path("/") else fields


def of_program(info: dict[str, str], machine: str) -> dict[str, str]:
    """What ``info`` says of the processor that this program sees: nothing, where an Arm program reads the file of an x86 machine.

    That is so in an emulated container (docker --platform linux/arm64), as qemu-user passes the file through before version 8.1.
    """
    if not machine.startswith(("aarch64", "arm")) or "CPU part" in info or "flags" not in info:
        return info
    return {"model name": f"{machine} emulated on {cpu_name(info)}", "flags": "hypervisor"}


def cpu_name(info: dict[str, str]) -> str:
    """The processor's name; with family and model where the name is only a brand, as on cloud machines."""
    parts = info.get("CPU part", "").split()
    if parts:
        return " + ".join(ARM_PARTS.get(part, f"Arm part {part}") for part in parts)
    name = info.get("model name") or platform.processor() or platform.machine()
    name = name.replace("(R)", "").replace("(TM)", "").strip()
    if any(letter.isdigit() for letter in name) or "model" not in info:
        return name
    return f"{name} (family {info.get('cpu family', '?')} model {info['model']})"


def board_name(root: Path) -> str:
    """The board's name from the device tree, "" without one, as on a PC."""
    return read_text(root / "proc/device-tree/model").strip("\0 \n")


def features(info: dict[str, str]) -> tuple[str, ...]:
    """The instruction sets of FEATURES that the processor reports."""
    reported = set(info.get("flags", info.get("Features", "")).split())
    return tuple(dict.fromkeys(name for flag, name in FEATURES.items() if flag in reported))


def installed_formats() -> tuple[str, ...]:
    """The formats whose engine is installed, found without importing any."""
    return tuple(name for name, packages in ENGINES.items() if any(find_spec(package) for package in packages))
