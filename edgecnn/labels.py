"""Names of classes as users and other tools write them: lists with commas, files with one a line, a data.yaml."""

from __future__ import annotations

import re
from pathlib import Path

from edgecnn.errors import InputError


def parse_labels(text: str) -> tuple[str, ...]:
    """Names from a file with one a line, where ``text`` is the path of one, else from ``text`` itself with commas between."""
    path = Path(text)
    names = read_lines(path) if path.is_file() else tuple(name.strip() for name in text.split(","))
    if not names or "" in names:
        raise InputError("names of classes with commas between, or a file with one a line", repr(text), "give the names")
    return names


def read_lines(path: Path) -> tuple[str, ...]:
    """The lines of a file of names, empty ones left out."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"a text file with names of classes at {path}", str(error), "check the file") from error
    return tuple(line.strip() for line in lines if line.strip())


def read_yaml_names(path: Path) -> tuple[str, ...]:
    """The ``names:`` of a YOLO data.yaml: ``[a, b]``, a list of ``- a`` or a table of ``0: a``; () where there are none.

    Only this key is read, so that no YAML package is needed on a device.
    """
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    start = next((index for index, line in enumerate(lines) if line.startswith("names:")), None)
    if start is None:
        return ()
    rest = _without_comment(lines[start][len("names:") :])
    block = lines[start + 1 :]
    if rest.startswith(("[", "{")):
        end = "]" if rest.startswith("[") else "}"
        whole = " ".join([rest, *map(_without_comment, block)])
        return _ordered([part.strip() for part in _split_commas(whole[1 : whole.find(end)])])
    return _ordered(_block(block))


def _block(lines: list[str]) -> list[str]:
    items = []
    for line in map(_without_comment, lines):
        if not line:
            continue
        found = re.fullmatch(r"-\s+(.*)|(\d+\s*:.*)", line)
        if not found:
            break
        items.append(found[1] or found[2])
    return items


def _ordered(items: list[str]) -> tuple[str, ...]:
    """Items ``a`` in order, or ``2: a`` by their number."""
    keyed = [re.fullmatch(r"(\d+)\s*:\s*(.*)", item) for item in items]
    if items and all(keyed):
        items = [found[2] for found in sorted((found for found in keyed if found), key=lambda found: int(found[1]))]
    return tuple(item.strip().strip("'\"") for item in items if item.strip())


def _split_commas(text: str) -> list[str]:
    return re.findall(r"(?:[^,'\"]|'[^']*'|\"[^\"]*\")+", text)


def _without_comment(line: str) -> str:
    return re.sub(r"(^|\s)#.*$", "", line).strip()
