from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgecnn.data.image_files import image_size, read_image
from edgecnn.errors import InputError

Writer = Callable[..., Path]


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "webp", "tiff"])
def test_size_is_that_of_the_image_read(tmp_path: Path, write_image: Writer, suffix: str) -> None:
    path = write_image(tmp_path / f"a.{suffix}", width=33, height=21)
    assert image_size(path) == (33, 21)
    assert read_image(path).shape == (21, 33, 3)


def test_size_follows_the_rotation_in_exif(tmp_path: Path, write_image: Writer) -> None:
    path = write_image(tmp_path / "a.jpg", width=33, height=21)
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    data = path.read_bytes()
    path.write_bytes(data[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + data[2:])
    assert read_image(path).shape == (33, 21, 3)
    assert image_size(path) == (21, 33)


def test_gray_and_transparent_images_become_bgr(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "gray.png"), np.full((4, 5), 7, np.uint8))
    cv2.imwrite(str(tmp_path / "alpha.png"), np.full((4, 5, 4), 7, np.uint8))
    assert read_image(tmp_path / "gray.png").shape == read_image(tmp_path / "alpha.png").shape == (4, 5, 3)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(b"", "an empty file", id="empty"),
        pytest.param(b"hello", "no image or is damaged", id="text"),
        pytest.param(b"\x89PNG\r\n\x1a\n", "a PNG that is cut off", id="only a signature"),
    ],
)
def test_what_is_no_image_is_one_line(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(InputError, match=said):
        image_size(path)
    with pytest.raises(InputError, match=said):
        read_image(path)


def test_a_cut_jpeg_is_not_read_as_half_a_picture(tmp_path: Path, write_image: Writer) -> None:
    path = write_image(tmp_path / "a.jpg", width=200, height=200)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(InputError, match="a JPEG that is cut off"):
        read_image(path)


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        read_image(tmp_path / "none.png")
