"""The archive that is copied to a board and run there: ``edgecnn.remote.agent`` and the few modules it needs, standard library only."""

from __future__ import annotations

import hashlib
import io
import zipfile
from functools import lru_cache
from pathlib import Path

import edgecnn
from edgecnn.remote import agent

SHARED = ("errors.py", "system_errors.py", "files.py", "json_text.py")
MAIN = "import sys\nfrom edgecnn.remote.agent.main import main\nsys.exit(main())\n"


@lru_cache(maxsize=1)
def agent_archive() -> bytes:
    """A ZIP file that Python runs (zipapp); the same bytes for the same code."""
    package = Path(str(edgecnn.__file__)).parent
    own = sorted(Path(str(agent.__file__)).parent.glob("*.py"))
    texts = {"__main__.py": MAIN, "edgecnn/__init__.py": "", "edgecnn/remote/__init__.py": ""}
    texts |= {f"edgecnn/{name}": (package / name).read_text(encoding="utf-8") for name in SHARED}
    texts |= {f"edgecnn/remote/agent/{path.name}": path.read_text(encoding="utf-8") for path in own}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, text in texts.items():
            packed.writestr(zipfile.ZipInfo(name), text, zipfile.ZIP_DEFLATED)  # ZipInfo has the time 1980-01-01
    return out.getvalue()


def agent_name() -> str:
    """The name of the archive on the board."""
    return f"agent-{hashlib.sha256(agent_archive()).hexdigest()[:16]}.pyz"
