"""Takes one file out of a .zip or .tgz archive."""

from __future__ import annotations

import tarfile
import zipfile
import zlib
from pathlib import Path
from typing import IO

from edgecnn.errors import InputError
from edgecnn.files import write_file

MOST_BYTES = 1 << 30  # of an unpacked file: a small archive may unpack to anything
AGAIN = "remove it, and get the model again"


def unpack(archive: Path, member: str, target: Path) -> None:
    """Write the file ``member`` of ``archive`` to ``target``. Raises ``InputError`` where it is not there, damaged or too large."""
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as packed, packed.open(member) as stream:
                _copy(stream, archive, member, target)
            return
        with tarfile.open(archive) as tar:
            taken = tar.extractfile(member)
            if taken is None:
                raise KeyError(member)
            with taken:
                _copy(taken, archive, member, target)
    except KeyError as error:
        raise InputError(f"{archive.name} holds no {member}", "correct the register") from error
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise InputError(f"{archive} is damaged: {error}", AGAIN) from error


def _copy(stream: IO[bytes], archive: Path, member: str, target: Path) -> None:
    content = stream.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise InputError(f"{member} of {archive.name} is larger than {MOST_BYTES >> 30} GiB", AGAIN)
    write_file(target, content)
