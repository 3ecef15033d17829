"""Records the provenance of weights: revision of the code and versions of the packages."""

from __future__ import annotations

import platform
import subprocess
from pathlib import Path
from typing import Any

import torch

import edgecnn

ROOT = Path(edgecnn.__file__).parents[1]


def source_commit() -> str:
    """The git revision of this checkout, "" where edgecnn is not run from one."""
    if not (ROOT / ".git").exists():
        return ""
    try:
        done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def versions() -> dict[str, Any]:
    """Versions of edgecnn, torch and Python."""
    return {"edgecnn": edgecnn.__version__, "torch": torch.__version__, "python": platform.python_version()}
