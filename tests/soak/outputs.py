"""Opens everything that a run left: nothing may be broken, whatever happened around it."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import av


def check_outputs(folder: Path, cameras: list[str]) -> dict[str, bool]:
    """What must hold of the outputs, by name."""
    results = _json_lines(folder, "results*.jsonl*")
    events = _json_lines(folder, "events*.jsonl*")
    videos = [path for path in folder.glob("*.mp4") if path.is_file()]
    clips = list((folder / "clips").rglob("*.mp4"))
    stats = json.loads((folder / "stats.json").read_text()) if (folder / "stats.json").exists() else {}
    return {
        "every line of the JSON files is complete": results is not None and events is not None,
        "every camera has results": {line["camera"] for line in results or []} >= set(cameras),
        "every row of the CSV files is complete": _rows_are_complete(folder),
        "every video plays to its end": bool(videos) and all(map(_plays, videos)),
        "every clip plays to its end": all(map(_plays, clips)),
        "the ledger of every camera balances": _balances(stats, cameras),
        "no temporary file is left": not [
            path for path in folder.rglob("*") if path.name.startswith(".") or path.suffix == ".tmp"
        ],
    }


def _json_lines(folder: Path, pattern: str) -> list[dict[str, Any]] | None:
    try:
        return [json.loads(line) for path in folder.glob(pattern) for line in path.read_text("utf-8").splitlines()]
    except ValueError:
        return None


def _rows_are_complete(folder: Path) -> bool:
    for path in folder.glob("boxes*.csv*"):
        with path.open(newline="") as file:
            if len({len(row) for row in csv.reader(file)}) > 1:
                return False
    return True


def _plays(path: Path) -> bool:
    try:
        with av.open(str(path)) as video:
            return sum(1 for _ in video.decode(video=0)) > 0
    except (av.FFmpegError, IndexError):
        return False


def _balances(stats: dict[str, Any], cameras: list[str]) -> bool:
    ledgers = {one["camera"]: one["ledger"] for one in stats.get("cameras", [])}
    return set(ledgers) == set(cameras) and all(
        one["captured"] == one["processed"] + one["dropped"] + one["failed"] + one["skipped"] for one in ledgers.values()
    )
