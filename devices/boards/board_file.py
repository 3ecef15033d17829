"""Reads and writes boards as TOML: the fields of ``DeviceProfile`` at the top, then the tables of ``Board`` by their names."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from edgecnn.devices.boards.board import (
    Accelerator,
    Advice,
    Board,
    Camera,
    CameraMode,
    Cluster,
    EngineFound,
    InstallLine,
    Measured,
    Note,
    OperatingSystem,
    UsableResources,
)
from edgecnn.devices.probe import ENGINES, FEATURES
from edgecnn.devices.profile import DeviceProfile
from edgecnn.errors import InputError
from edgecnn.json_text import dump_json
from edgecnn.schema import Check, SchemaError, flag, integer, items, mapping, number, one_of, record, text
from edgecnn.text_files import read_text

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_MOST = 1000
_word, _line, _count = text(1, 200), text(0, 2000), integer(0, 1 << 24)
_words = items(_word, most=_MOST)
_PROFILE: Mapping[str, Check] = {
    "usable_cpus": integer(1, 4096),
    "features": items(one_of(*dict.fromkeys(FEATURES.values())), most=_MOST),
    "memory_mib": _count,
    "formats": items(one_of(*ENGINES), most=_MOST),
    "virtual": flag,
}
_mode = record({"format": _word, "width": _count, "height": _count}, {"fps": items(number(0, 1e6), most=_MOST)})
# Each table of a board: the class of its rows, and what they hold.
_TABLES: Mapping[str, tuple[type[Any], Check]] = {
    "clusters": (
        Cluster,
        record(
            {"cpu": _word, "cores": integer(1, 4096)},
            {"cpus": _word, "min_mhz": _count, "max_mhz": _count, "governor": _line, "source": _word},
        ),
    ),
    "systems": (
        OperatingSystem,
        record({"name": _word}, {"arch": _word, "python": _word, "glibc": _word, "kernel": _word, "source": _word}),
    ),
    "accelerators": (
        Accelerator,
        record({"kind": one_of("gpu", "npu", "tpu"), "name": _word}, {"device": _line, "text": _line, "source": _word}),
    ),
    "advice": (Advice, record({"format": _word, "precision": _word, "text": _line}, {"source": _word})),
    "install": (InstallLine, record({"text": _line, "line": _line}, {"checked": _line, "source": _word})),
    "notes": (
        Note,
        record(
            {"topic": one_of("limit", "memory", "heat", "power", "camera", "system", "engine"), "text": _line}, {"source": _word}
        ),
    ),
    "measured": (Measured, record({"text": _line, "by": _line, "command": _line}, {"record": _line})),
    "cameras": (
        Camera,
        record(
            {"path": _word}, {"name": _line, "driver": _line, "bus": _line, "problem": _line, "modes": items(_mode, most=_MOST)}
        ),
    ),
    "engines": (
        EngineFound,
        record({"name": _word, "version": _line}, {"formats": _words, "devices": _words, "text": _line}),
    ),
}
_PLAIN = ("is_family", "summary", "memory_sizes_mib", "identified_by", "known_as")
_limits = record(
    {},
    {"affinity_cpus": _count, "cpu_quota_cpus": number(0, 4096), "memory_limit_mib": _count, "swap_mib": _count},
)
_board = record(
    {"name": _word, "arch": _word, "cpu": _word, "cores": integer(1, 4096)},
    {
        **_PROFILE,
        "is_family": flag,
        "summary": _line,
        "memory_sizes_mib": items(_count, most=_MOST),
        "identified_by": _words,
        "known_as": _line,
        **{name: items(check, most=_MOST) for name, (_, check) in _TABLES.items()},
        "limits": _limits,
        "sources": mapping(_line, most=_MOST),
        "given_by": mapping(_word, most=_MOST),
    },
)


def read_board(path: Path) -> Board:
    """The board that a TOML file describes. Raises ``InputError`` for a file that can't be read or does not fit the schema."""
    try:
        table = _board(tomllib.loads(read_text(path)), "")
        return _built(table)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path.name} is not valid TOML: {error}", "correct the file") from error
    except (SchemaError, ValueError) as error:
        raise InputError(f"{path.name}: {error}", "correct the file") from error


def _built(table: Mapping[str, Any]) -> Board:
    fields = {one.name for one in dataclasses.fields(DeviceProfile)}
    profile = DeviceProfile(**{"usable_cpus": table["cores"], **{name: table[name] for name in table if name in fields}})
    sources, given_by = table.get("sources", {}), table.get("given_by", {})
    rows: dict[str, Any] = {name: tuple(_row(kind, one) for one in table.get(name, ())) for name, (kind, _) in _TABLES.items()}
    named = [*given_by.values(), *(getattr(one, "source", "") for part in rows.values() for one in part)]
    unknown = next((key for key in named if key and key not in sources), None)
    if unknown is not None:
        raise SchemaError(f"the source {unknown} is not listed in [sources]")
    limits = UsableResources(**table["limits"]) if "limits" in table else None
    plain: dict[str, Any] = {name: table[name] for name in _PLAIN if name in table}
    return Board(profile, limits=limits, sources=sources, given_by=given_by, **plain, **rows)


def _row(kind: type[Any], values: Mapping[str, Any]) -> Any:
    if "modes" in values:
        values = {**values, "modes": tuple(CameraMode(**mode) for mode in values["modes"])}
    return kind(**values)


def board_toml(board: Board) -> str:
    """The TOML text of a board; what is empty is left out."""
    rows = _document(board)
    lines = [f"{name} = {_value(value)}" for name, value in rows.items() if not _is_table(value)]
    for name, value in rows.items():
        if isinstance(value, dict):
            lines += ["", f"[{name}]", *_pairs(value)]
        elif _is_table(value):
            for one in value:
                lines += ["", f"[[{name}]]", *_pairs(one)]
    return "\n".join(lines) + "\n"


def _document(board: Board) -> dict[str, Any]:
    """Fields of the profile first, then those of the board, without what is empty."""
    document = dataclasses.asdict(board)
    profile = document.pop("profile")
    document["limits"] = {name: value for name, value in (document["limits"] or {}).items() if value is not None}
    return {name: value for name, value in {**profile, **document}.items() if value not in ("", 0, False, (), {}, None)}


def _is_table(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, tuple | list) and bool(value) and isinstance(value[0], dict))


def _pairs(table: Mapping[str, Any]) -> Iterator[str]:
    for name, value in table.items():
        if value not in ("", None, (), {}):
            yield f"{name if name.replace('_', '').replace('-', '').isalnum() else _value(name)} = {_value(value)}"


def _value(value: Any) -> str:
    """A TOML value. JSON's strings, numbers and booleans are TOML's, with letters as they are."""
    if isinstance(value, dict):
        return "{ " + ", ".join(_pairs(value)) + " }"
    if isinstance(value, tuple | list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return dump_json(value, ensure_ascii=False).replace("\x7f", "\\u007f")
