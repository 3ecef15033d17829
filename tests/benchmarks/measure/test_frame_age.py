from __future__ import annotations

from itertools import islice

import numpy as np

from edgecnn.benchmarks.measure.frame_age import PacedImageSource
from edgecnn.types import Image

IMAGES: list[Image] = [np.full((4, 6, 3), value, np.uint8) for value in (10, 20, 30)]


def test_stored_frames_come_round_again_and_are_live() -> None:
    source = PacedImageSource(IMAGES, fps=500)
    frames = list(islice(source, 7))
    assert source.live
    assert [int(frame.image[0, 0, 0]) for frame in frames] == [IMAGES[frame.index % 3][0, 0, 0] for frame in frames]
    stamps = [frame.captured_at for frame in frames]
    assert stamps == sorted(stamps)


def test_the_source_ends_when_it_is_closed() -> None:
    source = PacedImageSource(IMAGES, fps=500)
    seen = 0
    for _ in source:
        seen += 1
        source.close()
    assert seen == 1
