"""Every kind of event that a run emits is listed, so that options can name it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import edgecnn.runtime
import edgecnn.trust.drift
from edgecnn.runtime.event_kinds import EVENT_KINDS

RUNTIME = Path(edgecnn.runtime.__path__[0])
KIND = re.compile(r"(camera|size|inference|line|zone|class|drift)-[a-z]+|late")


def emitted() -> set[str]:
    """Text constants of that form in the modules that emit events."""
    files = [path for room in ("pipeline", "sources", "steps") for path in (RUNTIME / room).rglob("*.py")]
    files.append(Path(edgecnn.trust.drift.__path__[0]) / "step.py")
    nodes = (node for path in files for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    return {node.value for node in nodes if isinstance(node, ast.Constant) and KIND.fullmatch(str(node.value))}


def test_the_listed_kinds_are_those_that_are_emitted() -> None:
    assert emitted() == set(EVENT_KINDS)
