"""Reads text files that people and other programs wrote: UTF-8 or UTF-16, with or without a byte order mark."""

from __future__ import annotations

import codecs
from pathlib import Path

from edgecnn.errors import InputError

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)  # as PowerShell and Notepad write it


def decode_text(data: bytes, errors: str = "strict") -> str:
    """The text of ``data`` without its byte order mark: UTF-16 where such a mark says so, else UTF-8.

    Raises ``UnicodeDecodeError`` where it is neither, unless ``errors`` is another handler of ``bytes.decode``.
    """
    encoding = "utf-16" if data.startswith(_UTF16) else "utf-8-sig"
    return data.decode(encoding, errors)


def read_text(path: Path, fix: str = "save it as UTF-8") -> str:
    """The text of a file, see ``decode_text``; raises ``InputError``, with ``fix`` as its advice where it is no such text."""
    try:
        return decode_text(path.read_bytes())
    except OSError as error:
        raise unreadable(path, error) from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text", fix) from error


def unreadable(path: Path, error: OSError) -> InputError:
    """The error for a file that can't be opened or read."""
    return InputError(f"can't read {path}: {(error.strerror or str(error)).lower()}", "check the path")
