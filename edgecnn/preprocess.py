"""Preprocesses frames into input tensors; training, calibration, export and runtime share this implementation."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from edgecnn.card import Preprocess
from edgecnn.rotated import moved
from edgecnn.tensor_pack import unpack
from edgecnn.types import Array, Detections, Float32, Image, TensorSpec


@dataclass(frozen=True, slots=True)
class Geometry:
    """The transform from source to model input, in pixels: input = source * scale + offset; ``width`` and ``height`` of the source."""

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
        xywhr = detections.xywhr
        if xywhr is not None:  # not clipped: half a rotated box is none
            xywhr = moved(xywhr, lambda points: (points - offset[:2]) / scale[:2])
        return dataclasses.replace(detections, xyxy=xyxy, xywhr=xywhr)

    def to_input(self, xyxy: Float32) -> Float32:
        """Boxes (n, 4) from source pixels to model-input pixels."""
        offset = np.array([self.offset_x, self.offset_y] * 2, np.float32)
        scale = np.array([self.scale_x, self.scale_y] * 2, np.float32)
        return xyxy * scale + offset


def geometry(preprocess: Preprocess, width: int, height: int) -> Geometry:
    """The transform of a source image of ``width`` x ``height`` pixels into the model input by the card's resize rule.

    An odd padding puts the smaller half on the left and on the top.
    """
    in_h, in_w = preprocess.size
    if preprocess.resize == "stretch":
        return Geometry(in_w / width, in_h / height, 0.0, 0.0, width, height)
    # letterbox fits the whole image into the input, crop fills the input and cuts off the rest
    choose = min if preprocess.resize == "letterbox" else max
    ratio = choose(in_w / width, in_h / height)
    new_w, new_h = max(round(width * ratio), 1), max(round(height * ratio), 1)  # a thin image keeps at least one pixel
    centred = preprocess.resize == "crop" or preprocess.align == "center"
    offset_x, offset_y = ((in_w - new_w) // 2, (in_h - new_h) // 2) if centred else (0, 0)
    # the scale of the rounded size, not ``ratio``: boxes map back exactly
    return Geometry(new_w / width, new_h / height, float(offset_x), float(offset_y), width, height)


def resize_into(image: Image, preprocess: Preprocess, out: Image) -> Geometry:
    """Resize ``image`` (H, W, 3) BGR by the card's rule into ``out`` (h, w, 3 or 1) uint8, in the colour order of the card.

    ``out`` may be a view of a backend's input buffer. Raises ``ValueError`` for an ``out`` of another shape or dtype.
    """
    if out.shape != (*preprocess.size, preprocess.channels) or out.dtype != np.uint8:
        raise ValueError(
            f"out must be a uint8 buffer of shape {(*preprocess.size, preprocess.channels)}, got {out.dtype} of shape {out.shape}"
        )
    height, width = image.shape[:2]
    place = geometry(preprocess, width, height)
    new_w, new_h = round(width * place.scale_x), round(height * place.scale_y)
    x, y = int(place.offset_x), int(place.offset_y)
    if preprocess.color == "gray":
        image = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)  # type: ignore[assignment]
    if preprocess.resize == "crop":
        # offsets are negative here: the resized image is larger than the input
        _resize_and_crop(image, new_w, new_h, -x, -y, out)
    else:
        _fill_padding(out, x, y, new_w, new_h, preprocess.pad_value)
        _resize(image, out[y : y + new_h, x : x + new_w])
    if preprocess.color == "rgb":
        cv2.cvtColor(out, cv2.COLOR_BGR2RGB, dst=out)
    return place


def _resize(image: Array, target: Array) -> None:
    """Bilinear interpolation without antialiasing, as YOLO, SSD and most other detectors are trained with."""
    height, width = target.shape[:2]
    if image.shape[:2] == (height, width):
        target[...] = image.reshape(target.shape)
        return
    if target.ndim == 3 and target.shape[2] == 1:  # resize drops a channel axis of 1
        target[..., 0] = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    else:
        cv2.resize(image, (width, height), dst=target, interpolation=cv2.INTER_LINEAR)


def _resize_and_crop(image: Array, new_w: int, new_h: int, left: int, top: int, out: Array) -> None:
    height, width = out.shape[:2]
    resized = np.empty((new_h, new_w, out.shape[2]), np.uint8)
    _resize(image, resized)
    out[...] = resized[top : top + height, left : left + width]


def _fill_padding(out: Array, x: int, y: int, width: int, height: int, value: int) -> None:
    out[:y] = out[y + height :] = value
    out[y : y + height, :x] = out[y : y + height, x + width :] = value


def tensor_shape(preprocess: Preprocess, spec: TensorSpec) -> tuple[int, ...]:
    """The shape of the input tensor for a batch of one in the layout of ``spec``."""
    size, channels = preprocess.size, preprocess.channels
    return (1, channels, *size) if spec.layout == "NCHW" else (1, *size, channels)


def to_tensor(pixels: Image, preprocess: Preprocess, spec: TensorSpec) -> Array:
    """Resized pixels (h, w, c) uint8 to a batch of one in the dtype and layout of ``spec``.

    Raw uint8 NHWC pixels come back as a view, without a copy. A float input gets ``(pixel - mean) / std``; a quantized input with
    mean and std is quantized by the scale and zero-point of ``spec``.
    """
    lookup = _LookupTable(preprocess, spec)
    if lookup.is_raw:
        return pixels[None]
    out = np.empty(tensor_shape(preprocess, spec), spec.dtype)
    lookup(pixels, out)
    return out


class _LookupTable:
    """Normalization and quantization as a lookup table: a uint8 pixel has 256 values, so 256 entries a channel give the exact result.

    ``is_raw``: the tensor is the pixels without any change.
    """

    def __init__(self, preprocess: Preprocess, spec: TensorSpec) -> None:
        self._planes = spec.layout == "NCHW"
        table = _table(preprocess, spec)
        self._is_identity = spec.dtype == "uint8" and bool((table == np.arange(256)).all())
        self.is_raw = self._is_identity and not self._planes
        # cv2.LUT of OpenCV 4 cannot write float16: it goes through float32
        self._table = table if table.dtype in (np.float32, np.uint8, np.int8) else table.astype(np.float32)

    def __call__(self, pixels: Image, out: Array) -> None:
        """Write ``pixels`` (h, w, c) into ``out``, a batch of one."""
        if self._is_identity:
            np.copyto(out[0], pixels.transpose(2, 0, 1))  # NHWC never comes here: it is raw
        elif out.dtype != self._table.dtype:
            values = np.empty(out.shape, self._table.dtype)
            self._look_up(pixels, values)
            np.copyto(out, values, casting="unsafe")
        else:
            self._look_up(pixels, out)

    def _look_up(self, pixels: Image, out: Array) -> None:
        height, width, channels = pixels.shape
        if self._planes or channels == 1:
            for channel, target in enumerate(out.reshape(channels, height, width)):
                cv2.LUT(cv2.extractChannel(pixels, channel), self._table[channel].reshape(1, 256), dst=target)
        else:  # OpenCV expects the channels of a multi-channel table interleaved
            cv2.LUT(pixels, np.ascontiguousarray(self._table.T).reshape(1, 256, channels), dst=out[0])


def _table(preprocess: Preprocess, spec: TensorSpec) -> Array:
    """The tensor value of each pixel value, (channels, 256)."""
    values = np.arange(256, dtype=np.float32)
    if preprocess.is_raw and spec.dtype == "uint8":
        return np.tile(values.astype(np.uint8), (preprocess.channels, 1))
    mean, std = (
        np.broadcast_to(np.asarray(per_channel, np.float32)[:, None], (preprocess.channels, 1))
        for per_channel in (preprocess.mean, preprocess.std)
    )
    return _as_dtype((values - mean) / std, spec)


def _as_dtype(real: Float32, spec: TensorSpec) -> Array:
    if spec.dtype not in ("int8", "uint8"):
        return real.astype(spec.dtype)
    limits = np.iinfo(spec.dtype)
    if spec.scale is not None:
        real = real / np.float32(spec.scale) + np.float32(spec.zero_point or 0)
    return np.clip(np.rint(real), limits.min, limits.max).astype(spec.dtype)


def preparer(
    preprocess: Preprocess, inputs: Sequence[TensorSpec], buffers: Mapping[str, Array] | None = None
) -> Preprocessor | TensorPreparer:
    """What turns frames into the inputs of a model, in ``buffers`` by name where they are given."""
    if preprocess.tensors:
        return TensorPreparer(preprocess, buffers)
    return Preprocessor(preprocess, inputs[0], None if buffers is None else buffers[inputs[0].name])


class TensorPreparer:
    """Turns the packed tensors of a frame into the inputs of a model."""

    def __init__(self, preprocess: Preprocess, buffers: Mapping[str, Array] | None = None) -> None:
        self._specs, self._buffers = preprocess.tensors, buffers

    def __call__(self, image: Image) -> tuple[dict[str, Array], Geometry]:
        """The tensors by name; raises ``InputError`` for a frame that is an image."""
        feeds = unpack(image, self._specs)
        for name, buffer in (self._buffers or {}).items():
            np.copyto(buffer, feeds[name])
        height, width = image.shape[:2]
        return feeds, Geometry(1.0, 1.0, 0.0, 0.0, width, height)


class Preprocessor:
    """Turns frames into one model input, in a buffer that is reused for every frame. Not thread-safe: use one per thread.

    ``out`` is the engine's own input buffer; without it one is allocated. Raw pixels are resized directly into the buffer.
    """

    def __init__(self, preprocess: Preprocess, spec: TensorSpec, out: Array | None = None) -> None:
        self.preprocess, self.spec = preprocess, spec
        self._lookup = _LookupTable(preprocess, spec)
        self.out: Array = np.empty(tensor_shape(preprocess, spec), spec.dtype) if out is None else out
        self._pixels: Image = self.out[0] if self._lookup.is_raw else np.empty((*preprocess.size, preprocess.channels), np.uint8)

    def __call__(self, image: Image) -> tuple[dict[str, Array], Geometry]:
        """The input tensor by name for ``image`` (H, W, 3) BGR, and its geometry; the tensor is overwritten by the next call."""
        place = resize_into(image, self.preprocess, self._pixels)
        if not self._lookup.is_raw:
            self._lookup(self._pixels, self.out)
        return {self.spec.name: self.out}, place
