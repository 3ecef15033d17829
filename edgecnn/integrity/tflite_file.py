"""TFLite: the texts are the entries of a ZIP after the FlatBuffer, as TFLite stores associated files; the rest is the body.

A canonical ZIP has no compression, since compressors differ and leave bits that no reader looks at.
Format: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from edgecnn.integrity.sections import PREFIX, BrokenFileError, Sections, ordered, read_range, size_of

_MOST_BYTES = 1 << 26  # of an entry after decompression
_VERSION, _UTF8 = 20, 0x800
_DATE = (1 << 5) | 1  # 1 January 1980, the first date of ZIP: the same model gives the same bytes


def split(file: BinaryIO) -> Sections:
    """Take a file apart. Raises ``BrokenFileError``."""
    size = size_of(file)
    if not zipfile.is_zipfile(file):
        return Sections(((0, size),), {}, True)
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
            end = min((entry.header_offset for entry in entries), default=size)
            texts = {entry.filename: _read(archive, entry) for entry in entries if _is_readable(entry)}
    except BrokenFileError:
        raise
    except Exception as error:  # zipfile raises many kinds for a damaged directory
        raise BrokenFileError(f"its ZIP is damaged ({error})") from error
    canonical = bool(entries) and read_range(file, end, size) == _packed(ordered(texts), end)
    return Sections(((0, end),), texts, canonical)


def join(body: bytes, texts: Mapping[str, bytes]) -> bytes:
    """The bytes of a canonical file."""
    return body + (_packed(texts, len(body)) if texts else b"")


def prepared(body: bytes) -> bytes:
    """The same body: the texts follow it."""
    return body


def companions(path: Path, body: bytes | None) -> dict[str, Path]:
    """None: all weights are in the file."""
    del path, body
    return {}


def _is_readable(entry: zipfile.ZipInfo) -> bool:
    """Whether it is an entry of edgecnn or not encrypted: other tools may append what they like."""
    return entry.filename.startswith(PREFIX) or not entry.flag_bits & 1


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    if entry.file_size > _MOST_BYTES:
        raise BrokenFileError(f"an entry of its ZIP has {entry.file_size} bytes")
    return archive.read(entry)


def _packed(texts: Mapping[str, bytes], start: int) -> bytes:
    """A ZIP that begins at byte ``start`` of the file."""
    files, directory = bytearray(), bytearray()
    for key, text in texts.items():
        name = key.encode()
        flags = 0 if key.isascii() else _UTF8
        common = struct.pack("<HHHHHIIIHH", _VERSION, flags, 0, 0, _DATE, zlib.crc32(text), len(text), len(text), len(name), 0)
        offset = start + len(files)
        files += b"PK\x03\x04" + common + name + text
        directory += b"PK\x01\x02" + struct.pack("<H", _VERSION) + common + struct.pack("<HHHII", 0, 0, 0, 0, offset) + name
    end = struct.pack("<HHHHIIH", 0, 0, len(texts), len(texts), len(directory), start + len(files), 0)
    return bytes(files + directory) + b"PK\x05\x06" + end
