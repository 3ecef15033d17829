"""Each form in which an orientation is stored turns the image as the EXIF standard says; sizes by the header agree."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest

from edgecnn.images.reader import decode_image, read_header
from edgecnn.types import Image
from tests.images import made_images as made

_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_PNG_XMP = b"XML:com.adobe.xmp\0\0\0\0\0"
# EXIF 2.32, 4.6.4: where row 0 and column 0 of the stored image are shown
UPRIGHT: dict[int, Callable[[Image], Image]] = {
    1: lambda image: image,
    2: lambda image: image[:, ::-1],
    3: lambda image: image[::-1, ::-1],
    4: lambda image: image[::-1],
    5: lambda image: image.transpose(1, 0, 2),
    6: lambda image: image.transpose(1, 0, 2)[:, ::-1],
    7: lambda image: image.transpose(1, 0, 2)[::-1, ::-1],
    8: lambda image: image.transpose(1, 0, 2)[::-1],
}
FORMS: dict[str, Callable[[int], bytes]] = {
    "JPEG": lambda value: made.jpeg(b"Exif\0\0" + made.exif(value)),
    "JPEG, big-endian": lambda value: made.jpeg(b"Exif\0\0" + made.exif(value, ">")),
    "JPEG, header twice": lambda value: made.jpeg(b"Exif\0\0Exif\0\0" + made.exif(value)),
    "JPEG, LONG": lambda value: made.jpeg(b"Exif\0\0" + made.exif(value, ">", 4)),
    "JPEG, two values": lambda value: made.jpeg(b"Exif\0\0" + made.exif(value, "<", 3, 2)),
    "JPEG, XMP": lambda value: made.jpeg(_XMP + made.xmp(value)),
    "JPEG, XMP element": lambda value: made.jpeg(_XMP + made.xmp(value, attribute=False)),
    "JPEG, EXIF before XMP": lambda value: made.jpeg(_XMP + made.xmp(value % 8 + 1), b"Exif\0\0" + made.exif(value)),
    "PNG": lambda value: made.png((b"eXIf", made.exif(value))),
    "PNG, after the pixels": lambda value: made.png((b"eXIf", made.exif(value, ">")), late=True),
    "PNG, ImageMagick": lambda value: made.png((b"tEXt", b"Raw profile type exif\0" + made.raw_profile(value))),
    "PNG, compressed": lambda value: made.png((b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(made.raw_profile(value)))),
    "PNG, XMP": lambda value: made.png((b"iTXt", _PNG_XMP + made.xmp(value))),
    "WebP": lambda value: made.webp(8, (b"EXIF", made.exif(value))),
    "WebP with header": lambda value: made.webp(8, (b"EXIF", b"Exif\0\0" + made.exif(value, ">"))),
    "WebP, XMP": lambda value: made.webp(4, (b"XMP ", made.xmp(value))),
    "TIFF": made.tiff,
    "TIFF, big-endian": lambda value: made.tiff(value, ">"),
    "TIFF, XMP": lambda value: made.tiff(None, packet=made.xmp(value)),
}


def shown(data: bytes) -> Image:
    image = decode_image(data)
    assert read_header(BytesIO(data)).size == image.shape[1::-1]
    return image


def assert_equal(image: Image, expected: Image, tolerance: int) -> None:
    assert image.shape == expected.shape
    # JPEG blurs the borders of the quarters
    assert np.abs(image.astype(int) - expected).mean() <= tolerance


@pytest.mark.parametrize("form", FORMS)
def test_the_image_is_upright_for_each_orientation(form: str) -> None:
    for value, upright in UPRIGHT.items():
        assert_equal(shown(FORMS[form](value)), upright(made.quarters()), 4 if form.startswith("JPEG") else 0)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(made.jpeg(b"Exif\0\0" + made.exif(0)), id="0"),
        pytest.param(made.jpeg(b"Exif\0\0" + made.exif(9)), id="9"),
        pytest.param(made.jpeg(b"Exif\0\0" + made.exif(6, type_=1)), id="a byte"),
        pytest.param(made.jpeg(b"Exif\0\0" + made.exif(6)[:15]), id="cut off"),
        pytest.param(made.jpeg(b"Exif\0\0no TIFF data"), id="no TIFF data"),
        pytest.param(made.jpeg(b"Exif\0\0" + made.exif(1), _XMP + made.xmp(6)), id="EXIF says upright"),
        pytest.param(made.png((b"tEXt", b"Raw profile type exif\0\nexif\n 4\nzz")), id="no hexadecimal digits"),
        pytest.param(made.png((b"zTXt", b"Raw profile type exif\0\0zz")), id="not compressed"),
        pytest.param(made.webp(0, (b"EXIF", made.exif(6))), id="not announced"),
        pytest.param(made.tiff(9), id="9 in a TIFF"),
    ],
)
def test_what_is_no_orientation_turns_nothing(data: bytes) -> None:
    assert shown(data).shape == (made.HEIGHT, made.WIDTH, 3)


@pytest.mark.skipif(not made.has_avif(), reason="this OpenCV writes no AVIF")
@pytest.mark.parametrize(
    ("turn", "mirror", "value"),
    [(0, None, 1), (1, None, 8), (2, None, 3), (3, None, 6), (0, 0, 4), (1, 0, 5), (0, 1, 2), (1, 1, 7), (3, 1, 5)],
)
def test_an_avif_is_turned_by_its_properties(turn: int, mirror: int | None, value: int) -> None:
    assert_equal(shown(made.avif(turn, mirror)), UPRIGHT[value](made.quarters()), 4)
