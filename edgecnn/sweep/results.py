"""Records of cells on disk: each is written at once when it is measured, and read again by the next run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgecnn.files import write_file
from edgecnn.json_text import dump_json
from edgecnn.sweep.cells import SweepCell

SCHEMA, VERSION = "edgecnn.sweep_cell", 1


@dataclass(frozen=True, slots=True)
class CellResult:
    """A cell with its benchmark document, or with the error that ended it. ``seconds``: time it took."""

    cell: SweepCell
    key: str
    document: Mapping[str, Any] | None = None
    error: str = ""
    seconds: float = 0.0
    is_new: bool = False


def write_result(folder: Path, result: CellResult) -> None:
    """Write the record of a cell, complete or not at all. Raises ``InputError``."""
    content = {
        "schema": SCHEMA,
        "version": VERSION,
        "key": result.key,
        "cell": {**asdict(result.cell), "model": result.cell.model_name},
        "seconds": round(result.seconds, 3),
        "error": result.error or None,
        "document": result.document,
    }
    write_file(folder / result.cell.file_name, dump_json(content, ensure_ascii=False) + "\n")


def read_result(folder: Path, cell: SweepCell, key: str) -> CellResult | None:
    """The record of a cell that was measured with the same ``key``; None without one. A failed cell counts as not measured."""
    try:
        found = json.loads((folder / cell.file_name).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(found, dict) or found.get("version") != VERSION or found.get("key") != key or not found.get("document"):
        return None
    return CellResult(cell, key, found["document"], seconds=float(found.get("seconds", 0.0)))
