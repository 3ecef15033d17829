"""Which files are images, which are damaged or too large, and that sizes by the header are those of the pixels."""

from __future__ import annotations

import random
import struct
import tracemalloc
import zlib
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgecnn.data.image_files import image_size, read_image
from edgecnn.errors import InputError
from edgecnn.images.header import UnreadableImage
from edgecnn.images.kinds import SUFFIXES, is_image
from edgecnn.images.reader import decode_image, pixel_limit, read_header
from edgecnn.runtime.sources.images import read_image as read_for_run
from tests.images import made_images as made

SUFFIX_OF = {"JPEG": ".jpg", "PNG": ".png", "WebP": ".webp", "TIFF": ".tif", "BMP": ".bmp", "GIF": ".gif", "PNM": ".ppm"}
KINDS = {kind: made.encode(suffix) for kind, suffix in SUFFIX_OF.items()}
KINDS["JPEG 2000"] = made.encode(".jp2")
KINDS |= {"AVIF": made.encode(".avif")} if made.has_avif() else {}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_known_by_its_content(kind: str) -> None:
    header = read_header(BytesIO(KINDS[kind]))
    assert (header.kind, header.size) == (kind, (made.WIDTH, made.HEIGHT))
    assert np.abs(decode_image(KINDS[kind]).astype(int) - made.quarters()).mean() < 12


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "JPEG 2000"])  # OpenJPEG writes none so small
@pytest.mark.parametrize("size", [(1, 1), (1, 77), (77, 1), (3, 2)])
def test_sizes_of_tiny_images(kind: str, size: tuple[int, int]) -> None:
    image = np.full((size[1], size[0], 3), 90, np.uint8)
    suffix = {**SUFFIX_OF, "AVIF": ".avif"}[kind]
    data = made.encode(suffix, image)
    assert read_header(BytesIO(data)).size == size
    assert decode_image(data).shape == image.shape


@pytest.mark.parametrize(
    "name", ["a.jpg", "A.JPG", "a.jpe", "a.jfif", "a.ppm", "a.PGM", "a.pnm", "a.gif", "a.avif", "a.jp2", "a.dib"]
)
def test_names_of_images(name: str) -> None:
    assert is_image(Path(name))


@pytest.mark.parametrize("name", ["a.heic", "a.txt", "a", "._a.jpg", "a.mp4"])
def test_names_of_other_files(name: str) -> None:
    assert not is_image(Path(name))


def test_grey_16_bit_and_transparent_images_become_bgr() -> None:
    rows = made.quarters()[..., 1]
    for image in (rows, rows.astype(np.uint16) * 257, np.dstack([made.quarters(), rows])):
        assert decode_image(made.encode(".png", image)).shape == (made.HEIGHT, made.WIDTH, 3)
    assert decode_image(made.encode(".pgm", rows))[..., 1].tolist() == rows.tolist()


WHOLE_JPEG, WHOLE_PNG = made.encode(".jpg"), made.encode(".png")
FILM = b"\0\0\0\x18ftypmp42" + b"\0" * 12 + bytes(range(200)) * 400
THUMBNAIL = b"\xff\xe1" + (2 + len(WHOLE_JPEG)).to_bytes(2, "big") + WHOLE_JPEG


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(WHOLE_JPEG + FILM, id="motion photo"),
        pytest.param(WHOLE_JPEG + b"\0" * 200_000, id="padding"),
        pytest.param(WHOLE_JPEG[:2] + b"\xff" * 9 + WHOLE_JPEG[3:], id="fill bytes"),
        pytest.param(made.encode(".jpg", None, cv2.IMWRITE_JPEG_PROGRESSIVE, 1) + b"\0" * 99, id="progressive"),
        pytest.param(WHOLE_JPEG[:2] + THUMBNAIL + WHOLE_JPEG[2:] + WHOLE_JPEG, id="two images"),
        pytest.param(WHOLE_PNG + b"\0" * 5000, id="PNG with padding"),
    ],
)
def test_bytes_after_the_end_do_no_harm(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(data)
    assert image_size(path) == (made.WIDTH, made.HEIGHT)
    assert read_image(path).shape == (made.HEIGHT, made.WIDTH, 3)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(WHOLE_JPEG[:-2], "a JPEG that is cut off", id="no end marker"),
        pytest.param(WHOLE_JPEG[:-40], "a JPEG that is cut off", id="JPEG"),
        pytest.param(WHOLE_JPEG[:2] + THUMBNAIL + WHOLE_JPEG[2:-2], "a JPEG that is cut off", id="JPEG with a thumbnail"),
        pytest.param(WHOLE_JPEG[:30], "a JPEG that is cut off", id="JPEG in its header"),
        pytest.param(WHOLE_PNG[:-12], "a PNG that is cut off", id="no end chunk"),
        pytest.param(WHOLE_PNG[:-30], "a PNG that is cut off", id="PNG"),
        pytest.param(KINDS["WebP"][:-3], "a WebP that is cut off", id="WebP"),
        pytest.param(KINDS["BMP"][:-60], "a BMP that is damaged, or of a form that OpenCV can't read", id="BMP"),
        pytest.param(KINDS["TIFF"][:-60], "a TIFF that is damaged, or of a form that OpenCV can't read", id="TIFF"),
        pytest.param(b"BM", "a file that is no image or is damaged", id="only a signature"),
        pytest.param(b"", "an empty file", id="empty"),
        pytest.param(b"a text, no image", "a file that is no image or is damaged", id="text"),
    ],
)
def test_run_and_datasets_refuse_the_same_files(tmp_path: Path, data: bytes, reason: str) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(data)
    assert read_for_run(path) == reason
    for read in (read_image, image_size):
        with pytest.raises(InputError) as caught:
            read(path)
        assert str(caught.value).startswith(f"can't read the image {path}: {reason}; ")


def bomb(kind: str, width: int = 30_000, height: int = 30_000) -> bytes:
    """A small file whose header says that the image is large."""
    whole = KINDS[kind]
    if kind == "JPEG":
        at = whole.index(b"\xff\xc0") + 5
        return whole[:at] + struct.pack(">HH", height, width) + whole[at + 4 :]
    if kind == "PNG":
        head = b"IHDR" + struct.pack(">II", width, height) + whole[24:29]
        return whole[:12] + head + struct.pack(">I", zlib.crc32(head)) + whole[33:]
    if kind == "PNM":
        return b"P6\n%d %d\n255\n" % (width, height)
    if kind == "GIF":
        return whole[:6] + struct.pack("<HH", width, height) + whole[10:]
    if kind == "BMP":
        return whole[:18] + struct.pack("<ii", width, -height) + whole[26:]
    return made.tiff(1).replace(struct.pack("<HHIHH", 256, 3, 1, made.WIDTH, 0), struct.pack("<HHII", 256, 4, 1, width * height))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "PNM", "GIF", "BMP", "TIFF"])
def test_a_too_large_image_is_refused_before_it_is_decoded(kind: str) -> None:
    data = bomb(kind)
    tracemalloc.start()
    try:
        with pytest.raises(UnreadableImage, match=r"pixels are more than the limit of 120,000,000 \(--max-image-pixels"):
            decode_image(data)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_the_limit_is_an_option_and_a_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(WHOLE_PNG)
    pixels = made.WIDTH * made.HEIGHT
    assert decode_image(WHOLE_PNG, pixels).shape[:2] == (made.HEIGHT, made.WIDTH)
    with pytest.raises(UnreadableImage, match=r"^48 x 32 pixels are more than the limit of 1,535 "):
        decode_image(WHOLE_PNG, pixels - 1)
    monkeypatch.setenv("EDGECNN_MAX_IMAGE_PIXELS", str(pixels - 1))
    with pytest.raises(InputError, match="48 x 32 pixels are more than the limit"):
        read_image(path)
    assert isinstance(read_for_run(path), str)
    assert not isinstance(read_for_run(path, pixels), str)
    monkeypatch.setenv("EDGECNN_MAX_IMAGE_PIXELS", "many")
    with pytest.raises(InputError, match=r"EDGECNN_MAX_IMAGE_PIXELS=many is not a number of pixels; set it to a whole number"):
        pixel_limit()


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_files_are_refused_with_a_reason_or_read(kind: str) -> None:
    """Neither any other exception, nor an image of another size than the header says."""
    rng = random.Random(kind)
    whole = KINDS[kind] if kind != "TIFF" else made.tiff(6, packet=made.xmp(3))
    for _ in range(150):
        data = bytearray(whole)
        for _ in range(rng.randint(1, 8)):
            data[rng.randrange(min(len(data), 400))] = rng.choice((0, 1, 0xFF, 0x7F, 0x80, rng.randrange(256)))
        damaged = bytes(data[: rng.randint(1, len(data))]) if rng.random() < 0.3 else bytes(data)
        with suppress(UnreadableImage):
            image = decode_image(damaged, 1_000_000)
            assert image.shape[1::-1] == read_header(BytesIO(damaged)).size


def test_every_suffix_is_lower_case() -> None:
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in SUFFIXES)


def test_a_png_that_ends_in_its_first_chunk_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "short.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + (0).to_bytes(4, "big") + b"IHDR" + bytes(4))  # a chunk of no bytes and its checksum
    with pytest.raises(InputError, match="a PNG that is cut off"):
        image_size(path)
