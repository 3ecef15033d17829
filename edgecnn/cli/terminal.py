"""Standard output and error of the command: text that the terminal can't encode, streams that are closed or full, errors as one line."""

from __future__ import annotations

import codecs
import os
import sys
import threading
from contextlib import suppress
from typing import Any

import click

from edgecnn.errors import EdgeCnnError
from edgecnn.system_errors import explain, limit_met

ESCAPE = "edgecnn.escape"


def prepare_streams() -> None:
    """Before a command: letters that a stream can't encode are written as \\uXXXX, and a closed stream discards what is written."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:  # closed: else the next file that is opened would be taken for the stream
            os.open(os.devnull, os.O_RDWR)
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "r" if number == 0 else "w", encoding="utf-8", closefd=False))  # noqa: SIM115
    codecs.register_error(ESCAPE, _escape)
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError, OSError):  # a test's or another program's stream
            stream.reconfigure(errors=ESCAPE)  # type: ignore[union-attr]
    threading.excepthook = _thread_failed


def fail(error: EdgeCnnError) -> int:
    """Print an error as one line, naming the limit that was met if that caused it; the exit code."""
    shown = limit_met(error) or error
    _say(f"error: {shown}")
    return error.exit_code


def finish_output(after: BaseException | None = None) -> int | None:
    """Write what is buffered; the exit code where standard output does not take it, after that was told.

    ``after`` is an error that ended the command: one of standard output has no file name, and whether it was that shows a line break.
    """
    try:
        if isinstance(after, OSError) and after.filename is None:
            sys.stdout.write("\n")
        sys.stdout.flush()
    except BrokenPipeError:  # `edgecnn ... | head`
        discard_output()
        return 1
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        discard_output()
        _say(f"error: can't write to standard output: {reason}; free some space, or name another place for it")
        return 2
    return None


def discard_output() -> None:
    """From now on, what is written to standard output is lost: the interpreter would print a traceback when it flushes at its end."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.stdout.flush()


def _say(line: str) -> None:
    with suppress(OSError, ValueError):  # standard error may be full, too
        click.echo(line, err=True)


def _escape(error: UnicodeError) -> tuple[str, int]:
    """The letters as JSON escapes them, so that JSON lines stay JSON."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2)), error.end


def _thread_failed(failed: Any) -> None:
    known = explain(failed.exc_value) if failed.exc_value is not None else None
    if known is None:
        threading.__excepthook__(failed)
    else:
        _say(f"error: {known}")
