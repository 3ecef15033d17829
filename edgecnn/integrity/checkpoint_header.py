"""The header of a checkpoint (.safetensors), read and rewritten without torch or safetensors.

The format (https://github.com/huggingface/safetensors): the length of the header as a little-endian uint64; the header, JSON with
dtype, shape and byte range of each tensor and in ``__metadata__`` texts; then the bytes of all tensors.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgecnn.errors import ArtifactError
from edgecnn.json_text import dump_json

SUFFIX = ".safetensors"
_TEXTS = "__metadata__"
_ALIGNMENT = 8  # bytes: the tensors begin at a multiple of it


def read_header(path: Path, fix: str = "copy it again") -> Mapping[str, Any]:
    """The header of a checkpoint. Raises ``ArtifactError``, with ``fix`` as its advice, for a file that is broken."""
    return _read(path, fix)[0]


def texts(header: Mapping[str, Any]) -> Mapping[str, str]:
    """The texts of a header."""
    found: Mapping[str, str] = header.get(_TEXTS, {})
    return found


def with_text(path: Path, key: str, text: str) -> bytes:
    """The bytes of a checkpoint with another text; its tensors stay as they are. Raises ``ArtifactError`` for a broken file."""
    header, start = _read(path, "copy it again")
    changed = dump_json({**header, _TEXTS: {**texts(header), key: text}}, separators=(",", ":")).encode()
    changed += b" " * (-len(changed) % _ALIGNMENT)
    return struct.pack("<Q", len(changed)) + changed + path.read_bytes()[start:]


def _read(path: Path, fix: str) -> tuple[Mapping[str, Any], int]:
    """The header, and where it ends."""
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            content = file.read(length)
            if len(content) < length:
                raise ValueError("it ends within its header")
            header = json.loads(content)
            if not isinstance(header, dict):
                raise ValueError("its header is no object")
    except (OSError, struct.error, ValueError, OverflowError, MemoryError) as error:
        raise ArtifactError(f"{path} is broken ({error})", fix) from error
    return header, 8 + length
