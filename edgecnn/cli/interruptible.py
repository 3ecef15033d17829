"""Measurements that an interrupt ends in order."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgecnn.benchmarks.measure.progress import ProgressLine


@contextlib.contextmanager
def interruptible(problem: str, fix: str = "run it again") -> Iterator[ProgressLine]:
    """The progress line of a measurement.

    SIGTERM raises ``KeyboardInterrupt`` inside as SIGINT does, so that processes and temporary files are removed. Raises ``InputError``
    with ``problem`` after it.
    """
    from edgecnn.benchmarks.measure.progress import ProgressLine
    from edgecnn.errors import InputError

    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with ProgressLine() as progress:
            yield progress
    except KeyboardInterrupt:
        raise InputError(problem, fix) from None
    finally:
        signal.signal(signal.SIGTERM, before)
