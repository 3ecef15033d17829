"""Divides the frames once, and keeps what was decided: a frame that was held out stays held out when more frames come."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from edgecnn.adapt.claim import ANOTHER, discard
from edgecnn.adapt.config import AdaptFolder, Say
from edgecnn.adapt.time_split import TimeSplit, split_by_time
from edgecnn.errors import InputError
from edgecnn.files import write_file
from edgecnn.json_text import dump_json
from edgecnn.schema import SchemaError, items, parse_json, record, text

_NAMES = items(text(1, 200), most=1 << 20)
_SPLIT = record({"train": _NAMES, "held_out": _NAMES, "between": _NAMES})


def divide(folder: AdaptFolder, at_s: Mapping[str, float], say: Say) -> TimeSplit:
    """The parts of the frames that were seen at ``at_s``; labels, training and files of fewer frames are discarded.

    Raises ``InputError`` where there are too few frames.
    """
    before = _read(folder.split)
    split = split_by_time(at_s, before)
    if split != before:
        if discard(folder, "labels"):
            say("there are other frames than before: labels, training and files are made again")
        write_file(folder.split, dump_json(dataclasses.asdict(split), indent=1))
    return split


def _read(path: Path) -> TimeSplit | None:
    if not path.exists():
        return None
    try:
        found = _SPLIT(parse_json(path.read_text(errors="replace")), "")
    except (SchemaError, OSError) as error:
        raise InputError(f"{path} is damaged ({error})", ANOTHER) from error
    return TimeSplit(**{name: tuple(names) for name, names in found.items()})
