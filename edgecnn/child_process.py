"""Processes of our own: the command that runs a module of this installation, and limits that such a process sets itself."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Any

# The process imports what this one imports, and nothing from the working folder, which `python -m` would search first.
_START = "import sys; words = int(sys.argv[2]); sys.path[:] = sys.argv[3 + words:]; del sys.argv[3 + words:]; del sys.argv[2]"
_RUN = "name = sys.argv.pop(1); import runpy; runpy.run_module(name, run_name='__main__')"


def can_start() -> bool:
    """Whether ``sys.executable`` is a Python interpreter; a frozen application, or the host of an embedded Python, is none."""
    name = Path(sys.executable or "").name.lower()
    return name.startswith(("python", "pypy")) and not getattr(sys, "frozen", False)


def module_command(module: str, *words: str) -> list[str]:
    """The command line that runs ``module`` as ``__main__`` with ``words`` as ``sys.argv[1:]`` and the module search path of here."""
    return [sys.executable, "-c", f"{_START}; {_RUN}", module, str(len(words)), *words, *sys.path]


def limit_resource(name: str, value: int) -> None:
    """Set a limit of this process, such as RLIMIT_DATA, where the system has it and allows it."""
    resource: Any
    try:
        import resource
    except ImportError:  # Windows
        return
    with contextlib.suppress(ValueError, OSError, AttributeError):
        kind = getattr(resource, name)
        _, hard = resource.getrlimit(kind)
        resource.setrlimit(kind, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


def data_bytes() -> int:
    """The private writable memory of this process, which RLIMIT_DATA limits."""
    with contextlib.suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmData")).split()[1]) * 1024
    return 1 << 30
