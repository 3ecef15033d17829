from __future__ import annotations

from dataclasses import astuple
from typing import Any

import cv2
import numpy as np
import pytest

from edgecnn.card import Preprocess
from edgecnn.preprocess import Geometry, Preprocessor, geometry, resize_into, tensor_shape, to_tensor
from edgecnn.types import Detections, TensorSpec


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    small = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def resized(image: np.ndarray, preprocess: Preprocess) -> np.ndarray:
    out = np.full((*preprocess.size, preprocess.channels), 7, np.uint8)
    resize_into(image, preprocess, out)
    return out


def test_letterbox_keeps_the_aspect_and_fills_the_rest() -> None:
    image = picture(30, 90)
    out = resized(image, Preprocess((60, 60), pad_value=114, color="bgr"))
    inner = cv2.resize(image, (60, 20), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_array_equal(out[20:40], inner)
    assert (out[:20] == 114).all()
    assert (out[40:] == 114).all()


def test_letterbox_in_the_corner() -> None:
    image = picture(90, 30)
    out = resized(image, Preprocess((60, 60), align="corner", pad_value=0, color="bgr"))
    np.testing.assert_array_equal(out[:, :20], cv2.resize(image, (20, 60), interpolation=cv2.INTER_LINEAR))
    assert not out[:, 20:].any()


def test_letterbox_in_the_corner_of_a_tall_input() -> None:
    image = picture(20, 60)
    out = resized(image, Preprocess((90, 60), align="corner", pad_value=9, color="bgr"))
    np.testing.assert_array_equal(out[:20], image)
    assert (out[20:] == 9).all()


def test_gray_letterbox() -> None:
    image = picture(30, 90)
    out = resized(image, Preprocess((60, 60), pad_value=114, color="gray"))
    gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    np.testing.assert_array_equal(out[20:40, :, 0], cv2.resize(gray, (60, 20), interpolation=cv2.INTER_LINEAR))
    assert (out[:20] == 114).all()
    assert (out[40:] == 114).all()


@pytest.mark.parametrize(
    ("size", "shape", "rows", "columns"),
    [
        pytest.param((20, 20), (15, 20), (2, 17), (0, 20), id="vertical"),
        pytest.param((20, 20), (20, 15), (0, 20), (2, 17), id="horizontal"),
    ],
)
def test_odd_padding_puts_the_smaller_half_first(
    size: tuple[int, int], shape: tuple[int, int], rows: tuple[int, int], columns: tuple[int, int]
) -> None:
    preprocess = Preprocess(size, color="bgr", pad_value=0)
    out = resized(np.full((*shape, 3), 255, np.uint8), preprocess)
    filled = np.argwhere(out.all(axis=2))
    assert filled.min(axis=0).tolist() == [rows[0], columns[0]]
    assert (filled.max(axis=0) + 1).tolist() == [rows[1], columns[1]]
    place = geometry(preprocess, shape[1], shape[0])
    assert (place.offset_x, place.offset_y) == (columns[0], rows[0])


@pytest.mark.parametrize(
    ("resize", "align", "width", "height", "expected"),
    [
        pytest.param("letterbox", "center", 300, 200, Geometry(0.32, 0.32, 0, 0, 300, 200), id="same-aspect"),
        pytest.param("letterbox", "center", 100, 40, Geometry(0.96, 0.95, 0, 13, 100, 40), id="wide"),
        pytest.param("letterbox", "center", 40, 128, Geometry(0.5, 0.5, 38, 0, 40, 128), id="tall"),
        pytest.param("letterbox", "corner", 40, 128, Geometry(0.5, 0.5, 0, 0, 40, 128), id="corner"),
        pytest.param("letterbox", "center", 1, 500, Geometry(1.0, 0.128, 47, 0, 1, 500), id="one-column"),
        pytest.param("letterbox", "center", 500, 1, Geometry(0.192, 1.0, 0, 31, 500, 1), id="one-row"),
        pytest.param("stretch", "center", 300, 100, Geometry(0.32, 0.64, 0, 0, 300, 100), id="stretch"),
        pytest.param("crop", "center", 96, 96, Geometry(1.0, 1.0, 0, -16, 96, 96), id="crop-of-rows"),
        pytest.param("crop", "corner", 200, 64, Geometry(1.0, 1.0, -52, 0, 200, 64), id="crop-is-central-whatever-align-says"),
    ],
)
def test_geometry(resize: Any, align: Any, width: int, height: int, expected: Geometry) -> None:
    found = geometry(Preprocess((64, 96), resize=resize, align=align), width, height)
    np.testing.assert_allclose(astuple(found), astuple(expected), rtol=1e-12)


def test_stretch_ignores_the_aspect() -> None:
    image = picture(30, 90)
    out = resized(image, Preprocess((40, 50), resize="stretch", color="bgr"))
    np.testing.assert_array_equal(out, cv2.resize(image, (50, 40), interpolation=cv2.INTER_LINEAR))


def test_crop_cuts_the_centre() -> None:
    image = picture(40, 120)
    out = resized(image, Preprocess((20, 20), resize="crop", color="bgr"))
    np.testing.assert_array_equal(out, cv2.resize(image, (60, 20), interpolation=cv2.INTER_LINEAR)[:, 20:40])


def test_crop_cuts_the_centre_of_a_tall_image() -> None:
    image = picture(120, 40)
    out = resized(image, Preprocess((20, 20), resize="crop", color="bgr"))
    np.testing.assert_array_equal(out, cv2.resize(image, (20, 60), interpolation=cv2.INTER_LINEAR)[20:40])


def test_an_image_of_the_right_size_is_not_touched() -> None:
    image = picture(32, 48)
    np.testing.assert_array_equal(resized(image, Preprocess((32, 48), color="bgr")), image)


def test_rgb_and_gray() -> None:
    image = picture(16, 16)
    np.testing.assert_array_equal(resized(image, Preprocess((16, 16), color="rgb")), image[..., ::-1])
    gray = resized(image, Preprocess((16, 16), color="gray"))
    np.testing.assert_array_equal(gray[..., 0], cv2.cvtColor(image, cv2.COLOR_BGR2GRAY))


@pytest.mark.parametrize("resize", ["letterbox", "stretch", "crop"])
@pytest.mark.parametrize("shape", [(480, 640), (101, 33), (1, 500), (500, 1), (7, 7)], ids=str)
@pytest.mark.parametrize("color", ["rgb", "gray"])
def test_any_shape_fills_the_whole_buffer(resize: Any, shape: tuple[int, int], color: Any) -> None:
    preprocess = Preprocess((24, 40), resize=resize, color=color, pad_value=200)
    for start in (0, 255):
        out = np.full((24, 40, preprocess.channels), start, np.uint8)
        resize_into(np.full((*shape, 3), 200, np.uint8), preprocess, out)
        assert (out == 200).all()


@pytest.mark.parametrize("resize", ["letterbox", "stretch", "crop"])
@pytest.mark.parametrize("align", ["center", "corner"])
def test_boxes_go_there_and_back(resize: Any, align: Any) -> None:
    place = geometry(Preprocess((64, 96), resize=resize, align=align), 200, 300)
    boxes = np.array([[10, 20, 110, 220], [0, 0, 200, 300]], np.float32)
    there = Detections(place.to_input(boxes), np.ones(2, np.float32), np.zeros(2, np.int64))
    np.testing.assert_allclose(place.to_source(there).xyxy, boxes, atol=1e-3)


def test_boxes_are_clipped_to_the_image() -> None:
    place = geometry(Preprocess((64, 64)), 100, 50)
    outside = Detections(np.array([[-50, -50, 900, 900]], np.float32), np.ones(1, np.float32), np.zeros(1, np.int64))
    assert place.to_source(outside).xyxy.tolist() == [[0, 0, 100, 50]]


def test_boxes_keep_what_belongs_to_them() -> None:
    boxes = Detections(np.zeros((2, 4), np.float32), np.float32([0.5, 0.25]), np.array([3, 1]), np.array([7, 9]))
    moved = geometry(Preprocess((64, 64)), 100, 50).to_source(boxes)
    assert moved.score.tolist() == [0.5, 0.25]
    assert moved.class_id.tolist() == [3, 1]
    assert moved.track_id is not None
    assert moved.track_id.tolist() == [7, 9]


def test_a_mark_is_found_where_the_geometry_says() -> None:
    image = np.zeros((200, 300, 3), np.uint8)
    image[50:100, 120:180] = 255
    preprocess = Preprocess((96, 96), color="bgr", pad_value=0)
    out = np.empty((96, 96, 3), np.uint8)
    place = resize_into(image, preprocess, out)
    rows, columns = np.nonzero(out[..., 0] > 127)
    found = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    np.testing.assert_allclose(found, place.to_input(np.array([[120, 50, 180, 100]], np.float32))[0], atol=1)


def test_a_buffer_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match=r"must be a uint8 buffer of shape \(8, 8, 3\), got uint8 of shape \(8, 9, 3\)"):
        resize_into(picture(8, 8), Preprocess((8, 8)), np.empty((8, 9, 3), np.uint8))
    with pytest.raises(ValueError, match=r"got float32 of shape \(8, 8, 3\)"):
        resize_into(picture(8, 8), Preprocess((8, 8)), np.empty((8, 8, 3), np.float32))


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize(
    ("color", "mean", "std"),
    [
        pytest.param("rgb", (0.0,), (255.0,), id="scale"),
        pytest.param("bgr", (103.53, 116.28, 123.675), (57.375, 57.12, 58.395), id="imagenet"),
        pytest.param("gray", (72.9,), (90.0,), id="gray"),
    ],
)
def test_float_input_is_exactly_pixel_less_mean_over_std(
    layout: str, dtype: str, color: Any, mean: tuple[float, ...], std: tuple[float, ...]
) -> None:
    preprocess = Preprocess((16, 24), color=color, mean=mean, std=std)
    pixels = np.random.default_rng(0).integers(0, 256, (16, 24, preprocess.channels), np.uint8)
    found = to_tensor(pixels, preprocess, TensorSpec("x", (), dtype, layout))
    exact = ((pixels.astype(np.float32) - np.float32(mean)) / np.float32(std)).astype(dtype)[None]
    np.testing.assert_array_equal(found, exact.transpose(0, 3, 1, 2) if layout == "NCHW" else exact)
    assert found.flags.c_contiguous
    assert found.dtype == dtype


def test_raw_pixels_are_a_view() -> None:
    pixels = picture(16, 16)
    found = to_tensor(pixels, Preprocess((16, 16), color="bgr"), TensorSpec("x", (1, 16, 16, 3), "uint8", "NHWC"))
    assert np.shares_memory(found, pixels)
    planes = to_tensor(pixels, Preprocess((16, 16), color="bgr"), TensorSpec("x", (1, 3, 16, 16), "uint8", "NCHW"))
    np.testing.assert_array_equal(planes, pixels.transpose(2, 0, 1)[None])


@pytest.mark.parametrize(
    ("dtype", "scale", "zero_point", "mean", "std"),
    [
        pytest.param("uint8", 1 / 128, 128, 128.0, 128.0, id="uint8-centred"),
        pytest.param("int8", 1.0, -128, 0.0, 1.0, id="int8-pixels"),
        pytest.param("int8", 1 / 255, -128, 0.0, 255.0, id="int8-fraction"),
    ],
)
def test_quantized_input_counts_pixels(dtype: str, scale: float, zero_point: int, mean: float, std: float) -> None:
    preprocess = Preprocess((16, 16), resize="stretch", mean=(mean,), std=(std,))
    spec = TensorSpec("x", (1, 16, 16, 3), dtype, "NHWC", scale, zero_point)
    pixels = np.arange(768, dtype=np.uint16).reshape(16, 16, 3).astype(np.uint8)
    found = to_tensor(pixels, preprocess, spec)
    np.testing.assert_array_equal(found[0].astype(int), pixels.astype(int) + np.iinfo(dtype).min)


@pytest.mark.parametrize(
    ("dtype", "scale", "zero_point", "expected"),
    [
        pytest.param("uint8", 0.01, None, [0, 50, 100, 150, 200, 255], id="uint8-without-zero-point"),
        pytest.param("uint8", 0.01, 100, [100, 150, 200, 250, 255, 255], id="uint8-above-255"),
        pytest.param("int8", 0.01, -100, [-100, -50, 0, 50, 100, 127], id="int8-above-127"),
        pytest.param("int8", 0.01, -150, [-128, -100, -50, 0, 50, 105], id="int8-below-minus-128"),
        pytest.param("int8", None, None, [0, 0, 1, 2, 2, 3], id="int8-without-scale"),
    ],
)
def test_quantized_input_saturates(dtype: str, scale: float | None, zero_point: int | None, expected: list[int]) -> None:
    pixels = np.array([0, 50, 100, 150, 200, 255], np.uint8).reshape(1, 6, 1)
    spec = TensorSpec("x", (1, 1, 6, 1), dtype, "NHWC", scale, zero_point)
    found = to_tensor(pixels, Preprocess((1, 6), color="gray", std=(100.0,)), spec)
    assert found.dtype == dtype
    assert found.ravel().tolist() == expected


def test_raw_uint8_pixels_ignore_the_scale_of_the_input() -> None:
    pixels = picture(16, 16)
    spec = TensorSpec("x", (1, 16, 16, 3), "uint8", "NHWC", 0.5, 3)
    np.testing.assert_array_equal(to_tensor(pixels, Preprocess((16, 16)), spec)[0], pixels)


@pytest.mark.parametrize(
    ("std", "dtype", "layout"),
    [
        pytest.param(1.0, "uint8", "NHWC", id="raw"),
        pytest.param(1.0, "uint8", "NCHW", id="planes"),
        pytest.param(255.0, "float32", "NHWC", id="float"),
    ],
)
def test_the_preprocessor_writes_into_the_buffer_of_the_engine(std: float, dtype: str, layout: str) -> None:
    preprocess = Preprocess((16, 16), std=(std,), color="bgr")
    spec = TensorSpec("input", (), dtype, layout)
    buffer = np.zeros(tensor_shape(preprocess, spec), dtype)
    image = picture(16, 16)
    feed, _ = Preprocessor(preprocess, spec, buffer)(image)
    assert feed["input"] is buffer
    np.testing.assert_array_equal(buffer, to_tensor(image, preprocess, spec))


def test_the_preprocessor_uses_its_buffers_again() -> None:
    prepare = Preprocessor(Preprocess((16, 16), std=(255.0,)), TensorSpec("x", (1, 3, 16, 16), "float32", "NCHW"))
    first, _ = prepare(picture(20, 30, 1))
    kept = first["x"].copy()
    second, place = prepare(picture(50, 40, 2))
    assert np.shares_memory(first["x"], second["x"])
    assert not np.array_equal(kept, second["x"])
    assert (place.width, place.height) == (40, 50)
    again, _ = prepare(picture(20, 30, 1))
    np.testing.assert_array_equal(again["x"], kept)
