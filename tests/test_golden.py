"""Goldens: small, exact enough, the same on every machine, and refused when broken."""

from __future__ import annotations

import base64
import io
import json
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest

from edgecnn.errors import ArtifactError
from edgecnn.golden import Golden, decode, encode, sample_output, shrink_to_budget
from edgecnn.synthetic_inputs import PATTERNS, pattern
from edgecnn.types import Classes, Detections, Values


def golden(kind: str = "real") -> Golden:
    image = pattern("gradient" if kind == "real" else kind, 24, 32)
    boxes = np.random.default_rng(0).normal(size=(1, 40, 4)).astype(np.float32)
    found = Detections(np.array([[1, 2, 3, 4]], np.float32), np.array([0.5], np.float32), np.array([2]))
    return Golden(kind, image, {"boxes": sample_output(boxes, 5.0, 64)}, found, 1.5)


@pytest.mark.parametrize("kind", [pytest.param("real", id="real"), pytest.param("noise", id="stress")])
def test_what_is_encoded_comes_back(kind: str) -> None:
    before = golden(kind)
    (after,) = decode(encode([before]))
    assert (after.kind, after.tolerance_factor) == (kind, 1.5)
    np.testing.assert_array_equal(after.image, before.image)
    np.testing.assert_array_equal(after.outputs["boxes"].codes, before.outputs["boxes"].codes)
    assert isinstance(after.prediction, Detections)
    np.testing.assert_array_equal(after.prediction.xyxy, [[1, 2, 3, 4]])


def test_class_scores_and_gray_images_come_back() -> None:
    image = pattern("gradient", 8, 8, 1)
    before = Golden("real", image, {}, Classes(np.array([0.25, 0.75], np.float32)))
    (after,) = decode(encode([before]))
    np.testing.assert_array_equal(after.image, image)
    assert isinstance(after.prediction, Classes)
    np.testing.assert_array_equal(after.prediction.score, [0.25, 0.75])


def test_values_come_back() -> None:
    (after,) = decode(encode([Golden("black", pattern("black", 8, 8), {}, Values(np.array([21.5], np.float32)))]))
    assert isinstance(after.prediction, Values)
    assert after.prediction.value.tolist() == [21.5]


def test_values_kept_are_exact_to_a_hundred_thousandth_of_their_range() -> None:
    output = np.random.default_rng(1).normal(size=(1, 50, 4)).astype(np.float32)
    kept = sample_output(output, 1.0, 1000)
    assert np.abs(kept.values - kept.pick(output)).max() <= (output.max() - output.min()) * 1e-5


def test_a_constant_output_can_be_kept() -> None:
    kept = sample_output(np.full((1, 10), 3.0, np.float32), 3.0, 100)
    np.testing.assert_array_equal(kept.values, np.full(10, 3.0, np.float32))


def test_few_values_of_a_large_output_still_are_of_every_column() -> None:
    output = np.tile(np.arange(4, dtype=np.float32), (1, 1000, 1))
    kept = sample_output(output, 3.0, 500)
    assert len(kept.codes) <= 500
    assert set(kept.pick(output)) == {0, 1, 2, 3}


@pytest.mark.parametrize("size", [pytest.param((64, 64), id="of-whole-blocks"), pytest.param((61, 67), id="with-a-rest")])
def test_a_picture_shrinks_into_its_budget_and_comes_back(size: tuple[int, int]) -> None:
    image = pattern("noise", *size)
    small = shrink_to_budget(image, 2000)
    assert small.shape == image.shape
    np.testing.assert_array_equal(small[:4, :4], np.broadcast_to(np.rint(image[:4, :4].mean((0, 1))), (4, 4, 3)))
    np.testing.assert_array_equal(shrink_to_budget(image, 100_000), image)
    text = encode([Golden("real", small, {})])
    assert len(text) < 2000 * 1.4 + 1000
    np.testing.assert_array_equal(decode(text)[0].image, small)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("not base64!", id="not-base64"),
        pytest.param(base64.b64encode(b"not a zip").decode(), id="not-an-archive"),
        pytest.param(encode([golden()])[:-400], id="truncated"),
    ],
)
def test_broken_goldens_are_one_error(text: str) -> None:
    with pytest.raises(ArtifactError, match=r"goldens in x\.onnx"):
        decode(text, "x.onnx")


def rewritten(arrays: dict[str, Any] | None = None, **fields: Any) -> str:
    """Goldens of ``golden()`` with other fields of their record, or with other arrays."""
    with np.load(io.BytesIO(base64.b64decode(encode([golden()])))) as archive:
        kept = dict(archive)
    header = json.loads(kept["goldens"].tobytes())
    header["goldens"][0].update(fields)
    kept["goldens"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    file = io.BytesIO()
    np.savez_compressed(file, **{**kept, **(arrays or {})})
    return base64.b64encode(file.getvalue()).decode()


def with_shape_in_header(size: int) -> str:
    """Goldens whose array of codes says that it has ``size`` values."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(encode([golden()])))) as before, zipfile.ZipFile(file, "w") as after:
        for name in before.namelist():
            content = before.read(name)
            if name == "0.output.boxes.npy":
                npy = io.BytesIO()
                np.lib.format.write_array_header_1_0(npy, {"descr": "<u2", "fortran_order": False, "shape": (size,)})
                content = npy.getvalue() + content[-20:]
            after.writestr(name, content)
    return base64.b64encode(file.getvalue()).decode()


def png(height: int, width: int) -> Any:
    return np.frombuffer(cv2.imencode(".png", np.zeros((height, width, 3), np.uint8))[1].tobytes(), np.uint8)


def with_chunk_of(length: int) -> Any:
    """A PNG whose second chunk says that it has so many bytes."""
    found = bytearray(png(24, 32).tobytes())
    found[33:37] = length.to_bytes(4, "big")  # after the signature (8) and IHDR (25)
    return np.frombuffer(bytes(found), np.uint8)


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        pytest.param(lambda: rewritten(shape=[50000, 50000, 3]), "images have more than", id="large-image"),
        pytest.param(lambda: rewritten(kind="noise", shape=[1, 1, 4]), "an image of 1 x 1 x 4", id="four-channels"),
        pytest.param(lambda: rewritten(shape=[-1, 32, 3]), r"goldens\[0\]\.shape\[0\] is -1", id="negative"),
        pytest.param(lambda: rewritten(shape=7), r"goldens\[0\]\.shape is 7, not a list", id="no-shape"),
        pytest.param(lambda: rewritten(slack="1"), r"goldens\[0\]\.slack is '1'", id="slack-text"),
        pytest.param(lambda: rewritten(outputs={"a": {}}), r"goldens\[0\]\.outputs\.a\.step is missing", id="output-fields"),
        pytest.param(lambda: rewritten(block=0), "block is 0", id="block-zero"),
        pytest.param(lambda: rewritten(block=3), "size of its golden, 24 x 32 in blocks of 3", id="block-three"),
        pytest.param(lambda: rewritten({"0.png": png(99, 99)}), "does not have the size of its golden", id="other-png"),
        pytest.param(lambda: rewritten({"0.png": png(24, 32)[:40]}), "a PNG is broken", id="cut-png"),
        pytest.param(lambda: rewritten({"0.png": with_chunk_of(0xFFFFFFF0)}), "a PNG is broken", id="chunk-of-four-gibibytes"),
        pytest.param(lambda: rewritten({"0.boxes": np.zeros((1, 3), np.float32)}), "0.boxes is float32 of shape", id="columns"),
        pytest.param(lambda: rewritten({"0.boxes": np.full((1, 6), np.nan, np.float32)}), "not finite", id="nan"),
        pytest.param(lambda: rewritten({"0.output.boxes": np.float32(1)}), "0.output.boxes is float32", id="scalar"),
        pytest.param(lambda: rewritten({"goldens": np.array(["{}"])}), "the array 'goldens' is <U2", id="text-array"),
        pytest.param(lambda: rewritten({"bomb": np.zeros(1 << 27, np.uint8)}), "more than 67108864 bytes", id="bomb"),
        pytest.param(lambda: with_shape_in_header(2**43), "does not have the size of its shape", id="sixteen-tebibytes"),
    ],
)
def test_damaged_goldens_are_refused_before_memory_is_taken(make: Callable[[], str], problem: str) -> None:
    text = make()
    tracemalloc.start()
    try:
        with pytest.raises(ArtifactError, match=rf"^the goldens in x\.onnx can't be read: .*{problem}") as error:
            decode(text, "x.onnx")
        assert tracemalloc.get_traced_memory()[1] < 200_000_000
    finally:
        tracemalloc.stop()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("kind", PATTERNS)
def test_patterns_never_change(kind: str) -> None:
    """Files hold their names only: another pixel would fail every artifact that was exported before."""
    sums = {"black": 2962361072, "white": 2258791111, "noise": 1588473875, "gradient": 786428013}
    assert zlib.crc32(pattern(kind, 24, 32).tobytes()) == sums[kind]


def test_an_unknown_pattern_is_refused() -> None:
    with pytest.raises(ValueError, match="is not one of the patterns black, white, noise, gradient"):
        pattern("plaid", 4, 4)
