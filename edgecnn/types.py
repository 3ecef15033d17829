"""The value types that all packages share: frames, predictions, results, latencies. NumPy only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Image: TypeAlias = NDArray[np.uint8]
Float32: TypeAlias = NDArray[np.float32]
Int64: TypeAlias = NDArray[np.int64]
Array: TypeAlias = NDArray[Any]
Tensors: TypeAlias = Mapping[str, Array]

DTYPES = ("float32", "float16", "uint8", "int8", "int32", "int64")
LAYOUTS = ("NCHW", "NHWC", "")


def _check(array: Array, name: str, shape: tuple[int | None, ...], dtype: type) -> None:
    expected = "(" + ", ".join("n" if size is None else str(size) for size in shape) + ")"
    fits = array.ndim == len(shape) and all(w in (None, s) for w, s in zip(shape, array.shape, strict=True))
    if not fits or array.dtype != dtype:
        raise ValueError(
            f"{name} has shape {array.shape} and dtype {array.dtype}, not {expected} and {np.dtype(dtype)}; "
            "convert it before building the value"
        )


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """Name, shape, dtype and layout of one input or output tensor of a model.

    ``shape`` has -1 for a dynamic size. ``layout`` is "NCHW" or "NHWC" for images, "" otherwise.
    ``scale`` and ``zero_point`` are those of a quantized tensor: real = scale * (q - zero_point).
    Raises ``ValueError`` for an unknown dtype or layout.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    layout: str = ""
    scale: float | None = None
    zero_point: int | None = None

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES:
            raise ValueError(f"the dtype {self.dtype!r} is not supported; convert the tensor to one of {', '.join(DTYPES)}")
        if self.layout not in LAYOUTS:
            raise ValueError(f"the layout {self.layout!r} is unknown; use NCHW, NHWC or none")


@dataclass(frozen=True, slots=True)
class Frame:
    """One image of a source: (H, W, 3) uint8 BGR, captured at ``captured_at`` ``perf_counter`` seconds.

    ``media_time`` is when it is shown in its video, in seconds from the first frame; None for live sources, and where the time
    stamps of a video are not known.
    """

    index: int
    captured_at: float
    image: Image
    media_time: float | None = None

    def __post_init__(self) -> None:
        _check(self.image, "a frame", (None, None, 3), np.uint8)


class Prediction:
    """What a model says of one image; each kind is a subclass, and the task that it belongs to knows what can be done with it."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, eq=False)
class Detections(Prediction):
    """Boxes of one image: xyxy (n, 4) float32 pixels, score (n,) float32, class_id (n,) int64, track_id (n,) int64 or None.

    ``xywhr`` (n, 5) float32 are those of a detector of rotated boxes, as in ``edgecnn.rotated``; ``xyxy`` then encloses them.
    Indexing with a mask, a slice or indices gives Detections again. Raises ``ValueError`` where shapes or dtypes differ.
    """

    xyxy: Float32
    score: Float32
    class_id: Int64
    track_id: Int64 | None = None
    xywhr: Float32 | None = None

    def __post_init__(self) -> None:
        _check(self.xyxy, "xyxy", (None, 4), np.float32)
        n = len(self.xyxy)
        _check(self.score, "score", (n,), np.float32)
        _check(self.class_id, "class_id", (n,), np.int64)
        if self.track_id is not None:
            _check(self.track_id, "track_id", (n,), np.int64)
        if self.xywhr is not None:
            _check(self.xywhr, "xywhr", (n, 5), np.float32)

    def __len__(self) -> int:
        return len(self.xyxy)

    def __getitem__(self, index: Any) -> Detections:
        index = np.atleast_1d(index) if np.isscalar(index) else index
        track_id = None if self.track_id is None else self.track_id[index]
        xywhr = None if self.xywhr is None else self.xywhr[index]
        return Detections(self.xyxy[index], self.score[index], self.class_id[index], track_id, xywhr)

    @classmethod
    def empty(cls) -> Detections:
        """No boxes."""
        return cls(np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty(0, np.int64))

    @classmethod
    def merge(cls, parts: Sequence[Detections]) -> Detections:
        """All boxes of ``parts`` in order; track ids and rotated boxes are kept only where every part has them."""
        if not parts:
            return cls.empty()
        tracks = [part.track_id for part in parts if part.track_id is not None]
        rotated = [part.xywhr for part in parts if part.xywhr is not None]
        return cls(
            np.concatenate([part.xyxy for part in parts]),
            np.concatenate([part.score for part in parts]),
            np.concatenate([part.class_id for part in parts]),
            np.concatenate(tracks) if len(tracks) == len(parts) else None,
            np.concatenate(rotated) if len(rotated) == len(parts) else None,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Classes(Prediction):
    """Score of each class of one image, (C,) float32; probabilities for the built-in decoders."""

    score: Float32

    def __post_init__(self) -> None:
        _check(self.score, "class scores", (None,), np.float32)

    @property
    def top1(self) -> int:
        """Index of the highest score."""
        return int(self.score.argmax())


@dataclass(frozen=True, slots=True, eq=False)
class WindowClasses(Classes):
    """Score of each class of one window of a signal, (C,) float32."""


@dataclass(frozen=True, slots=True, eq=False)
class Values(Prediction):
    """Regression output for one image, (K,) float32, in the units that the labels of the card name."""

    value: Float32

    def __post_init__(self) -> None:
        _check(self.value, "values", (None,), np.float32)


@dataclass(frozen=True, slots=True)
class Neighbour:
    """An entry of a gallery near a vector: ``name`` of who or what it shows, cosine ``similarity`` (-1..1), and its image file."""

    name: str
    similarity: float
    image: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Embedding(Prediction):
    """The direction of an image in a model's feature space: ``vector`` (D,) float32 of length 1, or zeros where it has none.

    ``neighbours`` are the nearest names of a gallery, nearest first; ``name`` is the first of them, or "unknown" where it is less
    similar than the threshold; "" without a gallery. ``written``: whether records of results hold the vector.
    """

    vector: Float32
    name: str = ""
    neighbours: tuple[Neighbour, ...] = ()
    written: bool = True

    def __post_init__(self) -> None:
        _check(self.vector, "an embedding", (None,), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Picture(Prediction):
    """The image that a model made of its input image: (H, W, 3) uint8 BGR."""

    image: Image

    def __post_init__(self) -> None:
        _check(self.image, "a picture", (None, None, 3), np.uint8)


NO_CLASS = 255  # in a mask: the pixel has no class that counts, such as the border of an object or the area outside the image


@dataclass(frozen=True, slots=True, eq=False)
class Mask(Prediction):
    """The class of each pixel of one image, (H, W) uint8: an index of the labels, or NO_CLASS."""

    class_id: Image

    def __post_init__(self) -> None:
        _check(self.class_id, "a mask", (None, None), np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class Poses(Prediction):
    """The key points of the objects in one image.

    ``points`` (n, K, 3) float32 are x and y in pixels and a score of 0..1 for each of the K key points, ``score`` (n,) float32 is that
    of the object, ``xyxy`` (n, 4) float32 its box. ``skeleton`` are pairs of key points that a line connects in a drawing. Indexing
    with a mask, a slice or indices gives Poses again.
    """

    points: Float32
    score: Float32
    xyxy: Float32
    skeleton: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        _check(self.points, "points", (None, None, 3), np.float32)
        _check(self.score, "score", (len(self.points),), np.float32)
        _check(self.xyxy, "xyxy", (len(self.points), 4), np.float32)

    def __len__(self) -> int:
        return len(self.points)

    def __getitem__(self, index: Any) -> Poses:
        index = np.atleast_1d(index) if np.isscalar(index) else index
        return Poses(self.points[index], self.score[index], self.xyxy[index], self.skeleton)


@dataclass(frozen=True, slots=True, eq=False)
class LabelScores(Prediction):
    """Score in 0..1 of each label of one image, (C,) float32; those from ``threshold`` on apply."""

    score: Float32
    threshold: float

    def __post_init__(self) -> None:
        _check(self.score, "label scores", (None,), np.float32)

    @property
    def chosen(self) -> NDArray[np.bool_]:
        """Whether each label applies, (C,)."""
        return np.asarray(self.score >= self.threshold, np.bool_)


@dataclass(frozen=True, slots=True, eq=False)
class RawTensors(Prediction):
    """The outputs of a model by name, of any shape and dtype, without a meaning."""

    tensors: Tensors


@dataclass(frozen=True, slots=True, eq=False)
class Event:
    """An event on a camera, such as a crossed line or a lost connection.

    ``kind`` is a word with dashes ("line-crossed", "camera-lost"), ``at`` is in ``perf_counter`` seconds, ``camera`` its name;
    ``details`` holds plain JSON values.
    """

    kind: str
    at: float
    camera: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Overlay:
    """A line or, if ``closed``, a zone of a camera: its points in pixels, and what was counted so far.

    ``counts`` has numbers by class name under "in" and "out" of a line, "inside", "entered" and "left" of a zone.
    """

    name: str
    points: tuple[tuple[float, float], ...]
    closed: bool
    counts: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """The output of the pipeline for one frame: the prediction, milliseconds by stage, and the frame's age in milliseconds.

    ``age_ms`` counts from capture to the moment the result is handed over. ``camera`` is the name of the camera where there are
    several, ``events`` is what happened at this frame, ``trails`` the last places (n, 2) of each track by its id, oldest first,
    ``overlays`` the lines and zones with their counts.
    """

    frame: Frame
    prediction: Prediction
    stage_ms: Mapping[str, float]
    age_ms: float
    camera: str = ""
    events: tuple[Event, ...] = ()
    trails: Mapping[int, Float32] = field(default_factory=dict)
    overlays: tuple[Overlay, ...] = ()


def nearest_rank(samples: Sequence[float] | Float32 | Array, percent: float) -> float:
    """The nearest-rank percentile: ``sorted[ceil(n * p / 100) - 1]``, an observed value, never an interpolated one."""
    ordered = np.sort(np.asarray(samples, np.float64))
    if not ordered.size:
        return float("nan")
    return float(ordered[max(int(np.ceil(ordered.size * percent / 100)) - 1, 0)])


@dataclass(frozen=True, slots=True, eq=False)
class Latency:
    """Raw samples of one clock in milliseconds; no sample is ever deleted. Percentiles are nearest-rank."""

    samples_ms: tuple[float, ...]

    def percentile(self, percent: float) -> float:
        """The nearest-rank percentile in milliseconds; NaN without samples."""
        return nearest_rank(self.samples_ms, percent)

    @property
    def mean(self) -> float:
        """Arithmetic mean in milliseconds; NaN without samples."""
        return float(np.mean(self.samples_ms)) if self.samples_ms else float("nan")

    @property
    def p50(self) -> float:
        """Median by nearest rank."""
        return self.percentile(50)

    @property
    def p90(self) -> float:
        """90th percentile by nearest rank."""
        return self.percentile(90)

    @property
    def p95(self) -> float:
        """95th percentile by nearest rank."""
        return self.percentile(95)

    @property
    def p99(self) -> float:
        """99th percentile by nearest rank."""
        return self.percentile(99)

    @property
    def max(self) -> float:
        """The slowest sample."""
        return max(self.samples_ms, default=float("nan"))


@dataclass(frozen=True, slots=True, eq=False)
class Boxes:
    """True boxes of one image: xyxy (n, 4) float32 pixels, class_id (n,) int64, identity (n,) int64 or None, crowd (n,) bool or None.

    ``corners`` (n, 4, 2) float32 are those of rotated boxes, in pixels and around each box; ``xyxy`` then encloses them.
    ``crowd`` marks boxes that count neither as missed nor as false positives (COCO iscrowd, VOC difficult). ``area`` (n,) float32 is
    the area of the object in square pixels where the dataset has it (COCO: of its segmentation, which decides small, medium or large).
    """

    xyxy: Float32
    class_id: Int64
    identity: Int64 | None = None
    crowd: NDArray[np.bool_] | None = None
    area: Float32 | None = None
    corners: Float32 | None = None

    def __len__(self) -> int:
        return len(self.xyxy)

    def pick(self, kept: NDArray[np.bool_] | Int64) -> Boxes:
        """The boxes that a mask (n,) or indices choose."""
        return Boxes(
            self.xyxy[kept],
            self.class_id[kept],
            None if self.identity is None else self.identity[kept],
            None if self.crowd is None else self.crowd[kept],
            None if self.area is None else self.area[kept],
            None if self.corners is None else self.corners[kept],
        )
