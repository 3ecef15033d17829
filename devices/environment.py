"""The conditions of a measurement: software versions, CPU frequency, load and limits."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

import edgecnn
from edgecnn.cpus import affinity, cpu_quota, read_int, read_text
from edgecnn.devices import limits

PACKAGES = (
    "numpy",
    "opencv-python-headless",
    "opencv-python",
    "onnxruntime",
    "openvino",
    "ai-edge-litert",
    "tflite-runtime",
    "executorch",
    "torch",
)


@dataclass(frozen=True, slots=True)
class Environment:
    """Conditions at one moment. ``cpu_mhz``: (lowest, highest) current frequency of the cores; ``temperature_c``: the hottest sensor.

    ``commit``: git revision of edgecnn in a checkout, with ``+changes`` for a modified one. ``load_average``: over one minute.
    ``affinity_cpus``, ``cpu_quota_cpus``: processors that affinity and container quota grant. Unknown values are None or "".
    """

    edgecnn: str
    commit: str
    python: str
    os: str
    kernel: str
    packages: dict[str, str] = field(default_factory=dict)
    cpu_governor: str = ""
    cpu_mhz: tuple[int, int] | None = None
    load_average: float = 0.0
    affinity_cpus: int = 1
    cpu_quota_cpus: float | None = None
    memory_limit_mib: int | None = None
    temperature_c: float | None = None


def environment(root: Path = Path("/")) -> Environment:
    """The environment now; takes a few milliseconds and imports no engine."""
    limit = limits.memory_limit(root)
    return Environment(
        edgecnn=edgecnn.__version__,
        commit=commit(Path(edgecnn.__file__).parents[1]),
        python=f"{platform.python_implementation()} {platform.python_version()}",
        os=os_name(root),
        kernel=f"{platform.system()} {platform.release()}",
        packages=packages(),
        cpu_governor=read_text(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        cpu_mhz=frequencies(root),
        load_average=round(os.getloadavg()[0], 2),
        affinity_cpus=affinity(),
        cpu_quota_cpus=cpu_quota(root),
        # without a limit, cgroup v1 reports the largest page-aligned 64-bit number
        memory_limit_mib=limit // limits.MIB if limit and limit < 1 << 60 else None,
        temperature_c=temperature(root),
    )


def packages() -> dict[str, str]:
    """Versions of the installed packages that affect latency."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def os_name(root: Path = Path("/")) -> str:
    """PRETTY_NAME of /etc/os-release, else Python's platform name."""
    lines = read_text(root / "etc/os-release").splitlines()
    names = [line.partition("=")[2].strip('"') for line in lines if line.startswith("PRETTY_NAME=")]
    return names[0] if names else sys.platform


def frequencies(root: Path = Path("/")) -> tuple[int, int] | None:
    """Lowest and highest current frequency of the cores in MHz; None where the machine does not report it."""
    files = (root / "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_cur_freq")
    mhz = [khz / 1000 for khz in map(read_int, files) if khz]
    lines = read_text(root / "proc/cpuinfo").splitlines()
    mhz = mhz or [float(line.partition(":")[2]) for line in lines if line.startswith("cpu MHz")]
    return (round(min(mhz)), round(max(mhz))) if mhz else None


def temperature(root: Path = Path("/")) -> float | None:
    """The hottest thermal zone in degrees Celsius; None where there is none."""
    values = [read_int(path) for path in (root / "sys/class/thermal").glob("thermal_zone*/temp")]
    return max((value / 1000 for value in values if value is not None), default=None)


def commit(checkout: Path) -> str:
    """The git revision of ``checkout``, "" where edgecnn does not run from a checkout or git is absent."""
    return revision(checkout) if (checkout / ".git").exists() else ""


def revision(folder: Path) -> str:
    """The git revision of the repository that holds ``folder``, with ``+changes`` for a modified one; "" where there is none."""
    found = _git(folder, "rev-parse", "--short=12", "HEAD")
    changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return f"{found}+changes" if found and changed else found


def _git(folder: Path, *words: str) -> str:
    try:
        done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
