from __future__ import annotations

import numpy as np
import pytest

from edgecnn.errors import InputError
from edgecnn.images.reader import decode_image
from edgecnn.images.writer import encode_image


def test_what_is_written_is_read() -> None:
    image = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    assert decode_image(encode_image(image, ".png")).tolist() == image.tolist()


@pytest.mark.parametrize(("suffix", "side"), [(".jpg", 65_501), (".webp", 16_384)])
def test_an_image_that_a_kind_can_not_hold_is_one_line(suffix: str, side: int, capfd: pytest.CaptureFixture[str]) -> None:
    assert encode_image(np.zeros((1, side - 1, 3), np.uint8), suffix)
    with pytest.raises(InputError, match=rf"1 x {side:,} pixels can't be written as {suffix}; use \.png"):
        encode_image(np.zeros((side, 1, 3), np.uint8), suffix)
    assert capfd.readouterr().err == ""
