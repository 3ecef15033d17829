"""Reads text files that people and other programs wrote: UTF-8 or UTF-16, with or without a byte order mark."""

from __future__ import annotations

import codecs
from pathlib import Path

from edgecnn.errors import InputError

MOST_BYTES = 256 << 20  # the names of ten million images
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)  # as PowerShell and Notepad write it


def decode_text(data: bytes, errors: str = "strict") -> str:
    """The text of ``data`` without its byte order mark: UTF-16 where such a mark says so, else UTF-8.

    Raises ``UnicodeDecodeError`` where it is neither, unless ``errors`` is another handler of ``bytes.decode``.
    """
    encoding = "utf-16" if data.startswith(_UTF16) else "utf-8-sig"
    return data.decode(encoding, errors)


def read_text(path: Path, what: str = "", fix: str = "save it as UTF-8") -> str:
    """The text of a file, see ``decode_text``.

    Raises ``InputError``, which calls the file ``what`` (its path if not given), where it can't be read or is too large, and with
    ``fix`` as its advice where it is not text.
    """
    what = what or str(path)
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InputError(f"{what} is larger than {MOST_BYTES >> 20} MiB", "divide it")
        text = decode_text(path.read_bytes())
    except UnicodeDecodeError as error:
        raise InputError(f"{what} is not UTF-8 text", fix) from error
    except (OSError, ValueError) as error:
        raise unreadable(what, error) from error
    if "\0" in text:
        raise InputError(f"{what} is not text: it contains zero bytes", fix)
    return text


def read_lines(path: Path, what: str = "", fix: str = "save it as UTF-8") -> dict[int, str]:
    """The lines of a text file that are not blank, by number from 1; raises as ``read_text`` does."""
    lines = enumerate(read_text(path, what, fix).splitlines(), 1)
    return {number: line.strip() for number, line in lines if line.strip()}


def unreadable(what: object, error: Exception) -> InputError:
    """The error for a file that can't be opened or read."""
    reason = getattr(error, "strerror", None) or str(error)
    return InputError(f"can't read {what}: {reason.lower()}", "check the path")
