"""What the tests of pipelines share."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from edgecnn.errors import BackendError
from edgecnn.runtime.pipeline.ledger import FrameCounts
from edgecnn.runtime.testing import one_box
from edgecnn.types import Event, Image, Prediction, Result

LATE = 10.0


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.perf_counter() + LATE
    while not condition():
        assert time.perf_counter() < deadline, "waited in vain"
        time.sleep(0.002)


def brightness(image: Image) -> int:
    return int(image[0, 0, 0])


def by_camera(results: list[Result]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for result in results:
        found.setdefault(result.camera, []).append(result.frame.index)
    return found


def balances(counts: FrameCounts) -> bool:
    return counts.captured == counts.processed + counts.dropped + counts.failed + counts.skipped


def failing_at(*places: int) -> Callable[[Image], Prediction]:
    def predict(image: Image) -> Prediction:
        if brightness(image) in places:
            raise BackendError("the engine is broken", "mend it")
        return one_box(image)

    return predict


@dataclass
class Numbered:
    """A step that notes the order of what it sees, and can be told to fail."""

    stage: str = "track"
    fails_at: int | None = None
    seen: list[int] = field(default_factory=list)
    threads: set[int] = field(default_factory=set)

    def __call__(self, result: Result) -> Result:
        self.seen.append(result.frame.index)
        self.threads.add(threading.get_ident())
        if result.frame.index == self.fails_at:
            raise ZeroDivisionError("a step")
        return replace(result, events=(Event("seen", 0.0, result.camera, {"index": result.frame.index}),))
