"""Calls that must end: waiting for the end itself, not measuring how long it takes on a busy machine."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def finishes(call: Callable[[], T], seconds: float = 60.0) -> T:
    """What ``call`` returns or raises, in a thread of its own; fails where it is still running after ``seconds``.

    The limit only has to be shorter than what a call that hangs would take.
    """
    returned: list[T] = []
    raised: list[BaseException] = []

    def run() -> None:
        try:
            returned.append(call())
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    assert not thread.is_alive(), f"still running after {seconds:g} s"
    if raised:
        raise raised[0]
    return returned[0]
