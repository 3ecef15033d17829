"""Removes what nobody has used for long: environments (also half-made ones), code, model files, cut copies, runs that were left."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from edgecnn.remote.agent.files import read_json

MARK = ".complete"  # the last file of an installation; its time is that of the last use
UNUSED_S = 30 * 86400.0
LEFT_S = 7 * 86400.0


def tidy(root: Path) -> None:
    """Remove it below ``root``; what a release of a service uses stays."""
    records = [read_json(path) or {} for path in root.glob("services/*/releases/*/release.json")]
    held = {record.get(name) for record in records for name in ("environment", "code")}
    for folder in [*root.glob("envs/*"), *root.glob("code/*")]:
        unused_s, most = (_age(folder / MARK), UNUSED_S) if (folder / MARK).exists() else (_age(folder), LEFT_S)
        if folder.name not in held and unused_s > most:
            shutil.rmtree(folder, ignore_errors=True)
    for pattern, most in (("files/*", UNUSED_S), ("wheels/*", LEFT_S), ("jobs/*", LEFT_S)):
        for folder in root.glob(pattern):
            if min((_age(path) for path in [folder, *folder.glob("*")]), default=0.0) > most:
                shutil.rmtree(folder, ignore_errors=True)


def _age(path: Path) -> float:
    """Seconds since the last change; 0 for what is absent, which is never removed for its age."""
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0.0
