"""JPEG pictures cut out of a stream of bytes, whatever lies between them and however they arrive."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecnn.runtime.sources.mjpeg_parser import JpegParser, decode


def jpeg(shade: int, size: int = 48) -> bytes:
    noise = np.random.default_rng(shade).integers(0, 60, (size, size, 3), np.uint8)
    return cv2.imencode(".jpg", noise + np.uint8(shade))[1].tobytes()


PICTURES = [jpeg(shade) for shade in (10, 90, 170)]


@given(st.lists(st.integers(1, 4000), max_size=30), st.binary(max_size=200).filter(lambda junk: b"\xff\xd8" not in junk))
def test_pictures_come_whole_however_the_bytes_arrive(cuts: list[int], junk: bytes) -> None:
    stream = junk.rstrip(b"\xff").join([b"", *PICTURES, b""])
    cutter, found = JpegParser(), []
    for cut in [*cuts, len(stream)]:
        found += cutter.feed(stream[:cut])
        stream = stream[cut:]
    assert found == PICTURES
    assert cutter.broken == 0


def test_a_picture_that_is_cut_off_is_counted_and_the_next_one_is_whole() -> None:
    cutter = JpegParser()
    assert cutter.feed(PICTURES[0][:600] + PICTURES[1] + PICTURES[2]) == PICTURES[1:]
    assert cutter.broken == 1


def test_a_thumbnail_does_not_end_its_picture() -> None:
    thumbnail = b"\xff\xe1" + (2 + len(PICTURES[1])).to_bytes(2, "big") + PICTURES[1]
    whole = PICTURES[0][:2] + thumbnail + PICTURES[0][2:]
    assert JpegParser().feed(whole) == [whole]


def test_garbage_takes_no_memory() -> None:
    cutter = JpegParser()
    rng = np.random.default_rng(0)
    for _ in range(50):
        assert all(isinstance(decode(found), str) for found in cutter.feed(rng.bytes(100_000)))
    assert cutter.skipped > 1_000_000
    assert len(cutter.feed(b"\xff\xd9" + PICTURES[0])) >= 1


@pytest.mark.parametrize(
    "endless",
    [
        pytest.param(b"\xff\xe1\xff\xfd" + b"\0" * 65_531, id="segments"),
        pytest.param(b"\xff" * 65_536, id="fill bytes"),
        pytest.param(b"\xff\xda\0\x02" + b"\1" * 65_532, id="pixels"),
    ],
)
def test_an_image_that_does_not_end_takes_no_more_than_the_limit(endless: bytes) -> None:
    parser = JpegParser(most_bytes=1 << 20)
    parser.feed(b"\xff\xd8\xff\xe0\0\x02")
    for _ in range(80):
        assert parser.feed(endless) == []
        assert len(parser._buffer) <= (1 << 20) + len(endless)
    assert parser.broken >= 1
    assert parser.feed(b"\xff\xd9" + PICTURES[0] + PICTURES[1])[-1:] == PICTURES[1:2]


def test_a_too_large_image_is_not_decoded() -> None:
    at = PICTURES[0].index(b"\xff\xc0") + 5
    large = PICTURES[0][:at] + (32_000).to_bytes(2, "big") * 2 + PICTURES[0][at + 4 :]
    assert JpegParser().feed(large) == [large]
    assert decode(large) == (
        "32,000 x 32,000 pixels are more than the limit of 120,000,000 (--max-image-pixels, EDGECNN_MAX_IMAGE_PIXELS)"
    )


@pytest.mark.parametrize("data", [b"", b"\xff\xd8\xff\xd9", PICTURES[0][:300], b"no picture"], ids=len)
def test_what_is_no_picture_has_a_reason(data: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    assert isinstance(decode(data), str)
    assert capfd.readouterr().err == ""


def test_a_picture_decodes() -> None:
    image = decode(PICTURES[1])
    assert not isinstance(image, str)
    assert image.shape == (48, 48, 3)
