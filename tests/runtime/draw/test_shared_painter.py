"""One drawing for all outputs of a result."""

from __future__ import annotations

import gc
import threading
import time

import numpy as np

from edgecnn.runtime.draw.shared_painter import SharedPainter
from edgecnn.types import Detections, Frame, Image, Result

BOX = Detections(np.array([[4, 10, 20, 30]], np.float32), np.array([0.87], np.float32), np.zeros(1, np.int64))


def result(index: int) -> Result:
    return Result(Frame(index, 0.0, np.zeros((32, 40, 3), np.uint8)), Detections.empty(), {}, 7.5)


class Slow:
    """Draws slowly and counts."""

    def __init__(self) -> None:
        self.drawn = 0

    def paint(self, result: Result) -> Image:
        time.sleep(0.05)
        self.drawn += 1
        return result.frame.image.copy()


def test_outputs_share_one_drawing() -> None:
    slow, one, other = Slow(), result(0), result(1)
    painter = SharedPainter(slow)
    images: list[Image] = []
    threads = [threading.Thread(target=lambda: images.append(painter.paint(one))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert slow.drawn == 1
    assert all(image is images[0] for image in images)
    painter.paint(other)
    painter.paint(one)
    assert slow.drawn == 2
    painter.paint(Result(one.frame, BOX, {}, 0.0))
    assert slow.drawn == 3


def test_a_drawing_lives_as_long_as_its_frame() -> None:
    painter = SharedPainter(Slow())
    for index in range(5):
        painter.paint(result(index))
    gc.collect()
    assert len(painter._drawn) <= 1
