"""From a frame to an input tensor: the only copy, used by training, calibration, export and runtime alike."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from edgecnn.card import Preprocess
from edgecnn.types import Array, Detections, Float32, Image, TensorSpec


@dataclass(frozen=True, slots=True)
class Geometry:
    """Where the source image sits in the model input: input = source * scale + offset, in pixels; width and height of the source."""

    scale_x: float
    scale_y: float
    offset_x: float
    offset_y: float
    width: int
    height: int

    def to_source(self, detections: Detections) -> Detections:
        """Boxes from model-input pixels to source pixels, clipped to the image."""
        offset = np.array([self.offset_x, self.offset_y] * 2, np.float32)
        scale = np.array([self.scale_x, self.scale_y] * 2, np.float32)
        limit = np.array([self.width, self.height] * 2, np.float32)
        xyxy = np.clip((detections.xyxy - offset) / scale, 0, limit)
        return Detections(xyxy, detections.score, detections.class_id, detections.track_id)

    def to_input(self, xyxy: Float32) -> Float32:
        """Boxes (n, 4) from source pixels to model-input pixels."""
        offset = np.array([self.offset_x, self.offset_y] * 2, np.float32)
        scale = np.array([self.scale_x, self.scale_y] * 2, np.float32)
        return xyxy * scale + offset


def geometry(preprocess: Preprocess, width: int, height: int) -> Geometry:
    """Where a source image of ``width`` x ``height`` pixels lands in the model input under the card's resize rule."""
    in_h, in_w = preprocess.size
    if preprocess.resize == "stretch":
        return Geometry(in_w / width, in_h / height, 0.0, 0.0, width, height)
    choose = min if preprocess.resize == "letterbox" else max
    ratio = choose(in_w / width, in_h / height)
    new_w, new_h = max(round(width * ratio), 1), max(round(height * ratio), 1)
    centred = preprocess.resize == "crop" or preprocess.align == "center"
    offset_x, offset_y = ((in_w - new_w) // 2, (in_h - new_h) // 2) if centred else (0, 0)
    return Geometry(new_w / width, new_h / height, float(offset_x), float(offset_y), width, height)


def resize_into(image: Image, preprocess: Preprocess, out: Image) -> Geometry:
    """Resize ``image`` (H, W, 3) BGR by the card's rule into ``out`` (h, w, 3 or 1) uint8, colour order of the card.

    Raises ``ValueError`` where ``out`` has another size. ``out`` may be a view of a backend's input buffer.
    """
    if out.shape != (*preprocess.size, preprocess.channels) or out.dtype != np.uint8:
        raise ValueError(
            f"wanted a uint8 buffer of {(*preprocess.size, preprocess.channels)}, found {out.dtype} {out.shape}: allocate it by the card"
        )
    height, width = image.shape[:2]
    place = geometry(preprocess, width, height)
    new_w, new_h = round(width * place.scale_x), round(height * place.scale_y)
    x, y = int(place.offset_x), int(place.offset_y)
    if preprocess.color == "gray":
        image = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)  # type: ignore[assignment]
    if preprocess.resize == "crop":
        _cover(image, new_w, new_h, -x, -y, out)
    else:
        _fill_border(out, x, y, new_w, new_h, preprocess.pad_value)
        _scale(image, out[y : y + new_h, x : x + new_w])
    if preprocess.color == "rgb":
        cv2.cvtColor(out, cv2.COLOR_BGR2RGB, dst=out)
    return place


def _scale(image: Array, target: Array) -> None:
    """Bilinear without antialiasing, the rule that the field's detectors were trained with."""
    height, width = target.shape[:2]
    if image.shape[:2] == (height, width):
        target[...] = image.reshape(target.shape)
        return
    if target.ndim == 3 and target.shape[2] == 1:
        target[..., 0] = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    else:
        cv2.resize(image, (width, height), dst=target, interpolation=cv2.INTER_LINEAR)


def _cover(image: Array, new_w: int, new_h: int, left: int, top: int, out: Array) -> None:
    height, width = out.shape[:2]
    whole = np.empty((new_h, new_w, out.shape[2]), np.uint8)
    _scale(image, whole)
    out[...] = whole[top : top + height, left : left + width]


def _fill_border(out: Array, x: int, y: int, width: int, height: int, value: int) -> None:
    out[:y] = out[y + height :] = value
    out[y : y + height, :x] = out[y : y + height, x + width :] = value


def tensor_shape(preprocess: Preprocess, spec: TensorSpec) -> tuple[int, ...]:
    """The shape of the tensor for one image: a batch of one in the layout of ``spec``."""
    size, channels = preprocess.size, preprocess.channels
    return (1, channels, *size) if spec.layout == "NCHW" else (1, *size, channels)


def to_tensor(pixels: Image, preprocess: Preprocess, spec: TensorSpec) -> Array:
    """Resized pixels (h, w, c) uint8 to a batch of one in the dtype and layout of ``spec``.

    Raw uint8 NHWC pixels come back as a view, without a copy. A float input gets ``(pixel - mean) / std``; a quantized input with
    mean and std is quantized by the scale and zero-point of ``spec``.
    """
    lookup = _Lookup(preprocess, spec)
    if lookup.is_raw:
        return pixels[None]
    out = np.empty(tensor_shape(preprocess, spec), spec.dtype)
    lookup(pixels, out)
    return out


class _Lookup:
    """A pixel has 256 values, so any mean, std and quantization is a table of 256 entries for each channel: one quick exact pass.

    ``is_raw``: the pixels are the tensor as they are.
    """

    def __init__(self, preprocess: Preprocess, spec: TensorSpec) -> None:
        self._planes = spec.layout == "NCHW"
        table = _table(preprocess, spec)
        self._is_identity = spec.dtype == "uint8" and bool((table == np.arange(256)).all())
        self.is_raw = self._is_identity and not self._planes
        self._table = (
            table if table.dtype in (np.float32, np.uint8, np.int8) else table.astype(np.float32)
        )  # what OpenCV can write

    def __call__(self, pixels: Image, out: Array) -> None:
        """Write ``pixels`` (h, w, c) into ``out``, a batch of one."""
        if self._is_identity:
            np.copyto(out[0], pixels.transpose(2, 0, 1) if self._planes else pixels)
        elif out.dtype != self._table.dtype:
            whole = np.empty(out.shape, self._table.dtype)
            self._look_up(pixels, whole)
            np.copyto(out, whole, casting="unsafe")
        else:
            self._look_up(pixels, out)

    def _look_up(self, pixels: Image, out: Array) -> None:
        height, width, channels = pixels.shape
        if self._planes or channels == 1:
            for channel, target in enumerate(out.reshape(channels, height, width)):
                cv2.LUT(cv2.extractChannel(pixels, channel), self._table[channel].reshape(1, 256), dst=target)
        else:
            cv2.LUT(pixels, np.ascontiguousarray(self._table.T).reshape(1, 256, channels), dst=out[0])


def _table(preprocess: Preprocess, spec: TensorSpec) -> Array:
    """What each pixel value becomes, (channels, 256)."""
    values = np.arange(256, dtype=np.float32)
    if preprocess.is_raw and spec.dtype == "uint8":
        return np.tile(values.astype(np.uint8), (preprocess.channels, 1))
    mean, std = (
        np.broadcast_to(np.asarray(numbers, np.float32)[:, None], (preprocess.channels, 1))
        for numbers in (preprocess.mean, preprocess.std)
    )
    return _as_dtype((values - mean) / std, spec)


def _as_dtype(real: Float32, spec: TensorSpec) -> Array:
    if spec.dtype not in ("int8", "uint8"):
        return real.astype(spec.dtype)
    limits = np.iinfo(spec.dtype)
    if spec.scale is not None:
        real = real / np.float32(spec.scale) + np.float32(spec.zero_point or 0)
    return np.clip(np.rint(real), limits.min, limits.max).astype(spec.dtype)


class Preprocessor:
    """Turns frames into the feed of one model input, in a buffer that is used again for every frame: one per thread.

    ``out`` is that buffer where an engine has one of its own, else it is made here. Raw pixels are resized straight into it.
    """

    def __init__(self, preprocess: Preprocess, spec: TensorSpec, out: Array | None = None) -> None:
        self.preprocess, self.spec = preprocess, spec
        self._lookup = _Lookup(preprocess, spec)
        self.out: Array = np.empty(tensor_shape(preprocess, spec), spec.dtype) if out is None else out
        self._pixels: Image = self.out[0] if self._lookup.is_raw else np.empty((*preprocess.size, preprocess.channels), np.uint8)

    def __call__(self, image: Image) -> tuple[dict[str, Array], Geometry]:
        """The feed for ``image`` (H, W, 3) BGR and where the image sits in it; valid until the next call."""
        place = resize_into(image, self.preprocess, self._pixels)
        if not self._lookup.is_raw:
            self._lookup(self._pixels, self.out)
        return {self.spec.name: self.out}, place
