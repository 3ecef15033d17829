"""The command that runs a module of this installation in a Python process of its own."""

from __future__ import annotations

import sys
from pathlib import Path

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
