"""Files appear whole or not at all: written into a hidden folder beside their place, then renamed."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from edgecnn.errors import InputError
from edgecnn.files import replace, write_error


@contextlib.contextmanager
def staging(out: Path) -> Iterator[Path]:
    """A hidden folder inside ``out``, gone afterwards; ``out`` too if it was made for this and stays empty.

    Raises ``InputError`` where ``out`` can't be written.
    """
    made = not out.exists()
    with refusals(out):
        out.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".edgecnn-", dir=out))
    try:
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        if made:
            with contextlib.suppress(OSError):
                out.rmdir()


@contextlib.contextmanager
def refusals(out: Path) -> Iterator[None]:
    """Turn what an operating system says while writing into one line; engines that hide a full disk are found out by a probe."""
    try:
        yield
    except OSError as error:
        raise _refusal(out, error) from error
    except RuntimeError as error:
        if not _has_room(out):
            raise _refusal(out, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))) from error
        raise


def _refusal(out: Path, error: OSError) -> InputError:
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

    Where one rename fails, those before it are taken back, so that a pair is never of two exports.
    """
    with refusals(out), contextlib.ExitStack() as undo:
        for name in names:
            target, backup = out / name, draft / f"{name}.before"
            if target.exists():
                _keep(target, backup)
                undo.callback(backup.replace, target)
            else:
                undo.callback(target.unlink, missing_ok=True)
            replace(draft / name, target)
        undo.pop_all()


def _keep(target: Path, backup: Path) -> None:
    """A second name for the old file, or a copy where the file system has no links: the target never is absent."""
    try:
        os.link(target, backup)
    except OSError:
        shutil.copy2(target, backup)
