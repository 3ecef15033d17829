"""Checks of the system: userland, C library, memory, permissions, threads that the environment sets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from edgecnn.cpus import read_text
from edgecnn.devices.doctor.finding import DeviceFinding, Machine

SMALL_MIB = 1024  # with less, engine, frames and a desktop do not fit together
FREE_MIB = 200  # an engine, a small model and the frames of one camera
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
GLIBC_OF_WHEELS = (2, 28)  # manylinux_2_28: onnxruntime, opencv-python-headless, numpy
# Device files, their group, and who needs them.
_NODES = (
    ("video[0-9]*", "video", "cameras"),
    ("dri/renderD*", "render", "Intel and AMD GPUs"),
    ("accel/accel*", "render", "NPUs"),
)


def check(machine: Machine) -> Iterator[DeviceFinding]:
    """Findings about the system."""
    yield from _userland(machine)
    yield from _glibc(machine)
    yield from _memory(machine)
    yield from _permissions(machine)
    yield from _threads(machine)


def _userland(machine: Machine) -> Iterator[DeviceFinding]:
    if machine.bits == 32:
        kernel = "64-bit kernel" if machine.arch in ("aarch64", "x86_64") else f"{machine.arch} system"
        text = (
            f"Python is a 32-bit program on a {kernel}: there are no wheels of ONNX Runtime, OpenVINO and ai-edge-litert for it"
        )
        yield DeviceFinding(
            "problem", "32-bit", text, "install the 64-bit image of the system (Raspberry Pi OS 64-bit, arm64, amd64)"
        )


def _glibc(machine: Machine) -> Iterator[DeviceFinding]:
    digits = machine.glibc.split(".")[:2]
    if not all(part.isdigit() for part in digits) or len(digits) < 2 or (int(digits[0]), int(digits[1])) >= GLIBC_OF_WHEELS:
        return
    text = f"the C library is glibc {machine.glibc}; current wheels need {'.'.join(map(str, GLIBC_OF_WHEELS))}, so pip takes old ones"
    yield DeviceFinding("note", "glibc", text, "upgrade the system, or run edgecnn in a container (edgecnn service)")


def _memory(machine: Machine) -> Iterator[DeviceFinding]:
    lines = (line.split() for line in read_text(machine.root / "proc/meminfo").splitlines())
    mib = {words[0].rstrip(":"): int(words[1]) // 1024 for words in lines if len(words) > 1 and words[1].isdigit()}
    available, swap = mib.get("MemAvailable"), mib.get("SwapFree", 0)
    if available is not None and available + swap < FREE_MIB:
        text = f"{available} MiB of memory and {swap} MiB of swap are free: an engine may be killed while it loads a model"
        yield DeviceFinding("problem", "memory", text, "end other programs; ps aux --sort -rss | head shows the largest")
    if 0 < mib.get("MemTotal", 0) < SMALL_MIB and not mib.get("SwapTotal"):
        text = f"{mib['MemTotal']} MiB of memory without swap: installing packages and loading models may run out of it"
        fix = "sudo fallocate -l 1G /swapfile && sudo chmod 600 /swapfile && sudo mkswap /swapfile && sudo swapon /swapfile"
        yield DeviceFinding("slow", "swap", text, fix)


def _permissions(machine: Machine) -> Iterator[DeviceFinding]:
    for pattern, group, what in _NODES:
        closed = [path for path in sorted((machine.root / "dev").glob(pattern)) if not machine.may_use(path)]
        if closed:
            shown = ", ".join(f"/dev/{path.relative_to(machine.root / 'dev')}" for path in closed[:4])
            text = f"no permission to use {shown} ({what})"
            yield DeviceFinding("problem", f"group {group}", text, f"sudo usermod -aG {group} $USER, then log in again")


def _threads(machine: Machine) -> Iterator[DeviceFinding]:
    for name in THREADS:
        value = machine.environ.get(name, "")
        if value.isdigit() and int(value) < machine.profile.usable_cpus:
            text = f"{name}={value}: PyTorch and NumPy use {value} of {machine.profile.usable_cpus} processors"
            yield DeviceFinding("note", "threads", f"{text}; other engines do not heed it", f"unset {name}")


def device_tree(root: Path) -> str:
    """The name of the board in the device tree, "" without one."""
    return read_text(root / "proc/device-tree/model").strip("\0 \n")
