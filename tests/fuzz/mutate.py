"""Damages files: bytes, text, JSON and archives, each by a random generator, so that a seed gives the same damage again."""

from __future__ import annotations

import copy
import io
import json
import zipfile
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

Files = dict[str, bytes]
"""The files of one input: their content by their path inside a folder."""
Mutator = Callable[[Random, bytes], bytes]

NUMBERS = (
    "0",
    "-1",
    "1",
    "-0.0",
    "1e400",
    "nan",
    "-inf",
    "65536",
    "2147483648",
    "4294967295",
    "9223372036854775808",
    "0x10",
    "1_0",
)
NUMBERS += ("9" * 400, "1e-320", "٣", "½", "1,5", "0.999999999999", "-32768")
TEXTS = (
    "",
    " ",
    "\x00",
    "\ufeff",
    "\ud7ff",
    "é" * 10,
    "a" * 5000,
    "../../etc/passwd",
    "/dev/null",
    "%s%n",
    "${HOME}",
    "\r\n",
    "\u2028",
)
TEXTS += (
    "null",
    "true",
    "[]",
    "{}",
    "---",
    "&a [*a]",
    "!!python/object:os.system",
    "<!DOCTYPE a>",
    "&amp;",
    "\x1b[2J",
    "con",
    "🙂",
)
VALUES: tuple[Any, ...] = (None, True, False, 0, -1, 1, 0.5, 1e308, -1e-320, float("nan"), float("inf"), 2**31, 2**63, 10**400)
VALUES += (
    "",
    "a",
    "\ud800",
    "\x00",
    "é",
    "7",
    "x" * 70_000,
    [],
    {},
    [[]],
    [None],
    {"a": 1},
    {"": {}},
    [1, "a"],
    list(range(300)),
)
EDGES = (
    b"\x00",
    b"\xff",
    b"\x7f\xff\xff\xff",
    b"\x80\x00\x00\x00",
    b"\xff\xff\xff\xff",
    b"\xff\xff\xff\x7f",
    b"\x00\x00\x00\x80",
)
EDGES += (b"\xff" * 8, b"\x00" * 16, b"\xc3\x28", b"\xef\xbb\xbf", b"\xff\xfe", b"\xff\xff\xff\xff\x0f", b"\n" * 3, b"PK\x05\x06")


def in_bytes(rng: Random, data: bytes) -> bytes:
    """One to eight damages: flipped bits, overwritten, inserted, removed, repeated, swapped or cut bytes."""
    found = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        _damage(rng, found)
    return bytes(found)


def _damage(rng: Random, found: bytearray) -> None:
    size = len(found)
    # half of the damages are near the beginning, where headers are
    place = rng.randrange(min(size, 256) if rng.random() < 0.5 and size else size + 1)
    length = rng.choice((1, 2, 4, 8, 32, 200))
    kind = rng.randrange(8)
    if kind == 0 and place < size:
        found[place] ^= 1 << rng.randrange(8)
    elif kind == 1:
        found[place : place + length] = rng.randbytes(min(length, size - place))
    elif kind == 2:
        edge = rng.choice(EDGES)
        found[place : place + len(edge)] = edge
    elif kind == 3:
        found[place:place] = rng.choice((rng.randbytes(length), rng.choice(EDGES)))
    elif kind == 4:
        del found[place : place + length]
    elif kind == 5:
        found[place:place] = found[place : place + length] * rng.choice((1, 2, 50))
    elif kind == 6:
        other = rng.randrange(size + 1)
        found[place : place + length], found[other : other + length] = (
            found[other : other + length],
            found[place : place + length],
        )
    else:
        del found[rng.choice((0, place, size // 2, max(size - length, 0))) :]


def in_text(rng: Random, data: bytes) -> bytes:
    """Damages of lines, words and numbers, and other encodings; a few damages of bytes."""
    if rng.random() < 0.15:
        return in_bytes(rng, data)
    lines = data.decode("utf-8", "replace").split("\n")
    for _ in range(rng.choice((1, 1, 2, 4))):
        _damage_lines(rng, lines)
    text = "\n".join(lines)[: 1 << 20].encode("utf-8", "replace").decode("utf-8", "replace")
    if rng.random() < 0.1:
        return text.encode(rng.choice(("utf-16", "utf-16-le", "utf-8-sig", "latin-1", "utf-32")), "replace")
    return text.replace("\n", "\r\n").encode() if rng.random() < 0.05 else text.encode()


def _damage_lines(rng: Random, lines: list[str]) -> None:
    place = rng.randrange(len(lines))
    kind = rng.randrange(7)
    if kind == 0:
        lines.insert(place, rng.choice((*TEXTS, lines[rng.randrange(len(lines))])))
    elif kind == 1 and len(lines) > 1:
        del lines[place]
    elif kind == 2:
        lines[place] = lines[place][: 1 << 16] * rng.choice((2, 100))
    elif kind == 3:
        lines[place] = lines[place][: rng.randrange(len(lines[place]) + 1)]
    else:
        lines[place] = _other_word(rng, lines[place])


def _other_word(rng: Random, line: str) -> str:
    starts = [index for index, letter in enumerate(line) if letter.isalnum() and (not index or not line[index - 1].isalnum())]
    if not starts:
        return line + rng.choice(TEXTS)
    start = rng.choice(starts)
    end = next((index for index in range(start, len(line)) if not line[index].isalnum()), len(line))
    return line[:start] + rng.choice((*NUMBERS, *TEXTS)) + line[end:]


def in_json(rng: Random, data: bytes) -> bytes:
    """Damages of the values in a JSON text: another type, a missing or a doubled key, a deeper nesting; a few damages of the text."""
    if rng.random() < 0.1:
        return in_text(rng, data)
    if rng.random() < 0.02:
        return b"[" * 100_000
    return in_values(rng, data)


def in_values(rng: Random, data: bytes) -> bytes:
    """Damages of the values in a JSON text, which stays JSON."""
    record = json.loads(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        record = other_value(rng, record)
    return json.dumps(record, ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass")


def other_value(rng: Random, record: Any) -> Any:
    """A copy of ``record`` with one part changed."""
    record = copy.deepcopy(record)
    places: list[tuple[Any, Any]] = []
    _collect(record, places)
    if not places:
        return rng.choice(VALUES)
    parent, key = rng.choice(places)
    value = parent[key]
    kind = rng.randrange(8)
    if kind == 0:
        del parent[key]
    elif kind == 1:
        parent[key] = [value] if rng.random() < 0.5 else {"a": value}
    elif kind == 2 and isinstance(parent, dict):
        parent[rng.choice(("extra", "", "\ud800", "version", key * 2))] = value
    elif kind == 3 and isinstance(value, list):
        parent[key] = rng.choice((value * 2, value[:-1], value[::-1], [*value, rng.choice(VALUES)]))
    elif kind == 4 and isinstance(value, int | float) and abs(value) < 1e300:
        parent[key] = rng.choice((-value, value + 1, value * 1e6, str(value), value + 0.5))
    else:
        parent[key] = rng.choice(VALUES)
    return record


def _collect(record: Any, places: list[tuple[Any, Any]]) -> None:
    pairs = record.items() if isinstance(record, dict) else enumerate(record) if isinstance(record, list) else ()
    for key, value in pairs:
        places.append((record, key))
        _collect(value, places)


def in_zip(inner: Mutator) -> Mutator:
    """Damages an entry of a ZIP by ``inner``, its name or its packing, or the bytes of the whole archive."""

    def mutate(rng: Random, data: bytes) -> bytes:
        if rng.random() < 0.3 or not zipfile.is_zipfile(io.BytesIO(data)):
            return in_bytes(rng, data)
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = [(name, archive.read(name)) for name in archive.namelist()]
        chosen = rng.randrange(len(entries))
        name, content = entries[chosen]
        kind = rng.randrange(20)
        if kind == 0:
            del entries[chosen]
        elif kind == 1:
            entries[chosen] = (name + rng.choice(("x", "/", "é")), content)
        elif kind == 2:
            entries.append(("bomb", bytes(1 << 27)))
        else:
            entries[chosen] = (name, inner(rng, content))
        file = io.BytesIO()
        packing = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
        with zipfile.ZipFile(file, "w") as archive:
            for name, content in entries:
                # a fixed time: the same seed gives the same bytes
                archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED if name == "bomb" else packing)
        return file.getvalue()

    return mutate


def in_one_of(mutators: Sequence[tuple[str, Mutator]]) -> Callable[[Random, Files], Files]:
    """Damages one file whose path ends as named, by its mutator; sometimes a file is missing, empty, doubled or a folder."""

    def mutate(rng: Random, files: Files) -> Files:
        changed = dict(files)
        pairs = [(path, mutator) for path in files for end, mutator in mutators if path.endswith(end)]
        path, mutator = rng.choice(pairs)
        kind = rng.randrange(40)
        if kind == 0 and len(files) > 1:
            del changed[rng.choice(list(files))]
        elif kind == 1:
            changed[path] = b""
        elif kind == 2:
            del changed[path]
            changed[f"{path}/inside.txt"] = b"a folder with the name of a file"
        elif kind == 3 and len(files) > 1:
            changed[path] = changed[rng.choice(list(files))]
        else:
            changed[path] = mutator(rng, files[path])
        return changed

    return mutate
