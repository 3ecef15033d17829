"""Atomic writes: a file is written under a temporary name in its folder, synced to disk, then renamed over its target.

A reader sees the old file or the new one, never a partial file; after an error the old file remains and the temporary one is removed.
A target that is not a regular file (``/dev/stdout``, a named pipe) is written to directly.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Literal, TextIO, cast, overload

from edgecnn.errors import InputError
from edgecnn.system_errors import FULL

ANOTHER_PLACE = "name another place"
_NAME_LENGTH = 60  # with process, number and suffix below the 255 bytes of a file system, also in UTF-8
_numbers = itertools.count()  # two threads may write the same target


@overload
def atomic_write(path: Path | str, *, fix: str = ...) -> contextlib.AbstractContextManager[TextIO]: ...
@overload
def atomic_write(path: Path | str, *, binary: Literal[True], fix: str = ...) -> contextlib.AbstractContextManager[BinaryIO]: ...
def atomic_write(
    path: Path | str, *, binary: bool = False, fix: str = ANOTHER_PLACE
) -> contextlib.AbstractContextManager[TextIO] | contextlib.AbstractContextManager[BinaryIO]:
    """A stream, UTF-8 text or ``binary``, whose content replaces ``path`` when the block ends without an error.

    Raises ``InputError``, with ``fix`` as its advice, before the block where ``path`` can't be written, and after it for a full disk.
    """
    if binary:
        return cast("contextlib.AbstractContextManager[BinaryIO]", _stream(Path(path), "wb", fix))
    return cast("contextlib.AbstractContextManager[TextIO]", _stream(Path(path), "w", fix))


def write_file(path: Path | str, content: str | bytes, *, fix: str = ANOTHER_PLACE) -> None:
    """Write a whole file at once; raises ``InputError`` as ``atomic_write`` does."""
    data = content.encode() if isinstance(content, str) else content
    with atomic_write(path, binary=True, fix=fix) as stream:
        stream.write(data)


@contextlib.contextmanager
def atomic_path(path: Path | str, *, fix: str = ANOTHER_PLACE) -> Iterator[Path]:
    """A temporary path for a library to write to, with the suffix of ``path``; renamed to ``path`` when the block ends.

    Raises ``InputError`` as ``atomic_write`` does.
    """
    path = Path(path)
    with _refusals(path, fix):
        _check(path, fix)
        target = None if _is_special(path) else _target(path)
        draft = path if target is None else _new(temporary_path(target))
    try:
        with _refusals(path, fix, only=FULL):
            yield draft
        if target is not None:
            with _refusals(path, fix):
                replace(draft, target)
    finally:
        if target is not None:
            draft.unlink(missing_ok=True)


def check_writable(path: Path | str, *, in_place: bool = False, fix: str = ANOTHER_PLACE) -> None:
    """Raise ``InputError`` where no file can be written at ``path``; nothing there is changed and nothing left behind.

    ``in_place`` is for a file that is opened and added to: its folder need not take new files where it exists.
    """
    path = Path(path)
    with _refusals(path, fix):
        _check(path, fix)
        if not _is_special(path) and not (in_place and path.exists()):
            _new(temporary_path(_target(path))).unlink()


def check_reports(reports: Iterable[Path | None], inputs: Iterable[Path] = ()) -> None:
    """Raise ``InputError`` where a report can't be written, is a file that is read (``inputs``), or is named twice."""
    named, read = list[Path](), [path for path in inputs if path.is_file()]
    for path in filter(None, reports):
        check_writable(path)
        if path.is_file() and any(path.samefile(one) for one in read):
            raise InputError(f"can't write {path}: it is a file that is read", "name another file")
        if not _is_special(path) and path.resolve() in named:
            raise InputError(f"two reports can't be written to {path}", "name a file for each")
        named.append(path.resolve())


def replace(draft: Path, target: Path) -> None:
    """Rename a finished file to ``target``, which keeps its permissions; file and name are synced to disk. Raises ``OSError``."""
    if target.exists():
        draft.chmod(target.stat().st_mode & 0o7777)
    # content first, then the rename, then the folder: after a power failure the name never points at missing content
    sync(draft)
    draft.replace(target)
    sync(target.parent)


def stamp(path: Path) -> tuple[int, ...]:
    """What changes when a file is replaced or written, whatever time it is given: device, inode, size, times; () for a missing one."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def sync(path: Path) -> None:
    """fsync the content of a file, or the names in a folder. Raises ``OSError``."""
    handle = os.open(path, os.O_RDONLY)
    try:
        sync_descriptor(handle)
    finally:
        os.close(handle)


def sync_descriptor(handle: int) -> None:
    """fsync an open file or folder. Raises ``OSError``."""
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno != errno.EINVAL:  # pipes, and folders of some network file systems, can't be synced
            raise


def temporary_path(path: Path) -> Path:
    """A unique hidden name in the folder of ``path``, with the same suffix, because libraries choose a format by it."""
    return path.with_name(f".{path.stem[:_NAME_LENGTH]}.{os.getpid()}-{next(_numbers)}.part{path.suffix}")


def write_error(path: Path | str, error: OSError, fix: str = ANOTHER_PLACE) -> InputError:
    """The one-line error for a file that can't be written."""
    reason = (error.strerror or str(error)).lower()
    return InputError(f"can't write {path}: {reason}", f"free some space, or {fix}" if error.errno in FULL else fix)


@contextlib.contextmanager
def _stream(path: Path, mode: str, fix: str) -> Iterator[TextIO | BinaryIO]:
    with atomic_path(path, fix=fix) as draft:
        stream = cast("TextIO | BinaryIO", draft.open(mode, encoding=None if "b" in mode else "utf-8"))
        try:
            yield stream
            stream.close()  # flushes its buffer: a full disk must raise here, where atomic_path reports it
        finally:
            with contextlib.suppress(OSError):
                stream.close()


@contextlib.contextmanager
def _refusals(path: Path, fix: str, only: tuple[int, ...] = ()) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if only and error.errno not in only:  # an error of the caller's code, such as a missing input file
            raise
        raise write_error(path, error, fix) from error


def _check(path: Path, fix: str) -> None:
    if str(path) == "-":
        raise InputError("can't write -: standard output takes the text here", "name a file")
    if path.is_dir():
        raise InputError(f"can't write {path}: it is a folder", "name a file in it")
    if not path.parent.is_dir():
        raise InputError(f"can't write {path}: the folder {path.parent} does not exist", f"create it, or {fix}")
    if path.exists() and not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def _new(path: Path) -> Path:
    path.touch(exist_ok=False)  # permissions 0666 less the umask, where tempfile would give 0600
    return path


def _target(path: Path) -> Path:
    """The target of a symbolic link, so that writing replaces the target and not the link."""
    return path.resolve() if path.is_symlink() else path


def _is_special(path: Path) -> bool:
    """Whether ``path`` is a device or pipe; checked before resolving links: /dev/stdout resolves to names such as /proc/1/fd/pipe:[2]."""
    return path.exists() and not path.is_file()
