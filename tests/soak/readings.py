"""Reads what a process holds, and plots it over the time of a soak test."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any


def read_process(pid: int) -> dict[str, float]:
    """Resident memory in MiB, all and without parts of files, open files, sockets and threads of a process; {} where it has ended."""
    try:
        status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text("ascii").splitlines())
        links = []
        for path in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):  # closed meanwhile
                links.append(str(path.readlink()))
        return {
            "mib": round(int(status["VmRSS"].split()[0]) / 1024, 2),
            "anonymous_mib": round(int(status["RssAnon"].split()[0]) / 1024, 2),
            "files": len(links),
            "sockets": sum(link.startswith("socket:") for link in links),
            "threads": int(status["Threads"]),
        }
    except (OSError, KeyError):
        return {}


def plot(readings: Sequence[dict[str, Any]], path: Path) -> None:
    """Memory, files and threads, and the frame age of each camera over the hours of the run, as PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 8), layout="constrained")
    memory, counts, ages = figure.subplots(3, 1, sharex=True)
    hours = [one["s"] / 3600 for one in readings]
    memory.plot(hours, [one.get("mib") for one in readings], label="all")
    memory.plot(hours, [one.get("anonymous_mib") for one in readings], label="without parts of files")
    memory.legend(loc="lower right")
    memory.set_ylabel("resident memory, MiB")
    for name in ("files", "sockets", "threads"):
        counts.plot(hours, [one.get(name) for one in readings], label=name)
    counts.set_ylabel("count")
    counts.legend(loc="upper left")
    for camera in readings[-1].get("age_ms", {}) if readings else ():
        ages.plot(hours, [one.get("age_ms", {}).get(camera) for one in readings], label=camera, linewidth=0.8)
    ages.set_ylabel("p99 frame age of 10 s, ms")
    ages.set_yscale("log")
    ages.set_xlabel("hours")
    ages.legend(loc="upper left", ncols=4)
    figure.savefig(path, dpi=100)
