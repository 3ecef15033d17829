"""Exports are all or nothing: written into a hidden staging folder in the output folder, then renamed."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from edgecnn.errors import InputError
from edgecnn.files import sync, write_error


@contextlib.contextmanager
def staging_folder(out: Path, within: Path | None = None) -> Iterator[Path]:
    """A temporary hidden folder inside ``out``, removed afterwards; ``out`` is removed too if it was created here and is empty.

    ``within`` is a staging folder of ``out`` that holds this one. Raises ``InputError`` where ``out`` can't be written.
    """
    made = not out.exists()
    with report_write_errors(out):
        out.mkdir(parents=True, exist_ok=True)
        # inside out, not in /tmp: renaming is atomic only within one file system
        draft = Path(tempfile.mkdtemp(prefix=".edgecnn-", dir=within or out))
    try:
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        if made:
            with contextlib.suppress(OSError):
                out.rmdir()


@contextlib.contextmanager
def report_write_errors(out: Path) -> Iterator[None]:
    """Turn errors of the operating system while writing into one ``InputError``.

    Some engines report a full disk as RuntimeError without a reason; a write test separates it from other errors.
    """
    try:
        yield
    except OSError as error:
        raise _input_error(out, error) from error
    except RuntimeError as error:
        if not _has_room(out):
            raise _input_error(out, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))) from error
        raise


def _input_error(out: Path, error: OSError) -> InputError:
    return write_error(out, error, "choose another folder with --out")


def _has_room(out: Path, size: int = 1 << 20) -> bool:
    try:
        with tempfile.TemporaryFile(dir=out) as probe:
            probe.write(bytes(size))
    except OSError:
        return False
    return True


def publish(draft: Path, out: Path, names: Sequence[str]) -> None:
    """Rename files from ``draft`` into ``out`` over those already there.

    If one rename fails, the earlier ones are undone: a pair of files (.xml and .bin) is never from two exports.
    """
    with report_write_errors(out), contextlib.ExitStack() as undo:
        # All content is on the disk before the first rename, so that the renames follow each other at once: a process that is killed
        # between them would leave a pair of two exports.
        for name in names:
            sync(draft / name)
        for name in names:
            target, backup = out / name, draft / f"{name}.before"
            if target.exists():
                _keep(target, backup)
                undo.callback(backup.replace, target)
                shutil.copymode(target, draft / name)
            else:
                undo.callback(target.unlink, missing_ok=True)
            (draft / name).replace(target)
        sync(out)
        undo.pop_all()  # all renames succeeded: forget how to undo them


def _keep(target: Path, backup: Path) -> None:
    """A hard link to the old file, or a copy where the file system has no links: the target always exists."""
    try:
        os.link(target, backup)
    except OSError:
        shutil.copy2(target, backup)
