"""Goldens: a few inputs with PyTorch's outputs, small enough to be stored inside the artifact. NumPy and OpenCV only.

The stored text is base64 of a compressed .npz. Its array ``goldens`` is UTF-8 JSON with one record per golden; the arrays of golden N
are ``N.png`` (real images only), ``N.output.NAME`` (uint16 codes) and those of the prediction, which its task names (``N.boxes``).
"""

from __future__ import annotations

import base64
import binascii
import functools
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecnn.card import MAX_PIXELS
from edgecnn.errors import ArtifactError
from edgecnn.images.header import UnreadableImage
from edgecnn.images.png import read as read_png
from edgecnn.json_text import dump_json
from edgecnn.npz import picked, read_npz
from edgecnn.schema import SchemaError, integer, items, mapping, number, one_of, parse_json, record
from edgecnn.synthetic_inputs import PATTERNS, pattern
from edgecnn.tasks import TASKS, for_prediction
from edgecnn.types import Array, Float32, Image, Prediction

GOLDENS_KEY = "edgecnn.goldens"
GOLDENS_VERSION = 1
BLOCKS = (1, 2, 4, 8)  # block sizes in pixels for pixelating an image until its PNG fits the budget
# Goldens that edgecnn writes need about 100 kB; more than these limits is damage.
_MOST_CHARACTERS: Final = 1 << 25
_MOST_BYTES: Final = 1 << 26
_MOST_GOLDENS: Final = 64


@dataclass(frozen=True, slots=True, eq=False)
class SampledOutput:
    """Every ``step``-th value of one output as 16-bit fixed point between ``low`` and ``high``; ``spread`` is the output's range."""

    codes: NDArray[np.uint16]
    step: int
    low: float
    high: float
    spread: float

    @property
    def values(self) -> Float32:
        """The sampled values, (n,) float32."""
        return (self.low + self.codes.astype(np.float64) * ((self.high - self.low) / 65535)).astype(np.float32)

    def pick(self, output: Array) -> Array:
        """The values of ``output`` at the sampled positions, (n,)."""
        return np.ascontiguousarray(output).reshape(-1)[:: self.step]


@dataclass(frozen=True, slots=True, eq=False)
class Golden:
    """One input with its outputs: ``image`` (h, w, c) uint8 is the resized model input.

    ``kind`` is "real" or a synthetic pattern. ``prediction`` is decoded from PyTorch's outputs, in model-input pixels.
    ``tolerance_factor`` loosens the tolerance where the error was larger on the exporting machine, as with int8 on synthetic inputs.
    """

    kind: str
    image: Image
    outputs: Mapping[str, SampledOutput]
    prediction: Prediction | None = None
    tolerance_factor: float = 1.0


def sample_output(output: Array, spread: float, limit: int) -> SampledOutput:
    """At most ``limit`` values of an output, evenly spaced over all its columns."""
    step = max(math.ceil(output.size / limit), 1)
    while step > 1 and math.gcd(step, output.shape[-1]) > 1:  # a common divisor would sample the same columns in every row
        step += 1
    values = np.ascontiguousarray(output).reshape(-1)[::step].astype(np.float64)
    low, high = float(values.min()), float(values.max())
    # "or 1.0": an output with a single value has no range to divide by
    codes = np.rint((values - low) / ((high - low) or 1.0) * 65535).astype(np.uint16)
    return SampledOutput(codes, step, low, high, spread)


def shrink_to_budget(image: Image, budget: int) -> Image:
    """``image`` pixelated by the smallest block size whose PNG has at most ``budget`` bytes (the largest size if none has)."""
    for block in BLOCKS:
        height, width = image.shape[0] // block * block, image.shape[1] // block * block
        means = image[:height, :width].reshape(height // block, block, width // block, block, -1).mean((1, 3))
        small = np.rint(means).astype(np.uint8)
        if len(_png(small)) <= budget:
            break
    return _enlarged(small, block, image.shape[0], image.shape[1])


def encode(goldens: Sequence[Golden]) -> str:
    """Goldens as text: a compressed .npz in base64."""
    arrays: dict[str, Array] = {}
    records = [_record(golden, f"{index}.", arrays) for index, golden in enumerate(goldens)]
    arrays["goldens"] = _text(dump_json({"version": GOLDENS_VERSION, "goldens": records}))
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
    return base64.b64encode(file.getvalue()).decode()


def decode(stored: str, where: str = "the file") -> list[Golden]:
    """Goldens from text; raises ``ArtifactError`` that names ``where`` when it is broken or of another version."""
    try:
        arrays = read_npz(_bytes(stored), most_arrays=100 * _MOST_GOLDENS, most_bytes=_MOST_BYTES)
        header = parse_json(_header(arrays))
        version = header.get("version") if isinstance(header, dict) else None
        if isinstance(version, int) and version != GOLDENS_VERSION and 0 <= version <= 10**6:
            raise ArtifactError(
                f"goldens in {where} have version {version}, this edgecnn reads version {GOLDENS_VERSION}",
                "install the edgecnn version that wrote the file",
            )
        records = _HEADER(header, "")["goldens"]
        if sum(math.prod(golden["shape"]) for golden in records) > 4 * MAX_PIXELS:
            raise SchemaError(f"its images have more than {4 * MAX_PIXELS} values")
        return [_golden(golden, f"{index}.", arrays) for index, golden in enumerate(records)]
    except (SchemaError, cv2.error) as error:
        raise ArtifactError(f"the goldens in {where} can't be read: {error}", "export the model again") from error


def _bytes(stored: str) -> bytes:
    if len(stored) > _MOST_CHARACTERS:
        raise SchemaError(f"they have {len(stored)} characters, at most {_MOST_CHARACTERS} are read")
    try:
        return base64.b64decode(stored, validate=True)
    except (binascii.Error, ValueError) as error:  # ValueError for letters that are not ASCII
        raise SchemaError(f"they are not base64: {error}") from error


def _header(arrays: Mapping[str, Array]) -> str:
    try:
        return bytes(picked(arrays, "goldens", np.uint8)).decode()
    except UnicodeDecodeError as error:
        raise SchemaError("the array goldens is not UTF-8 text") from error


def _record(golden: Golden, prefix: str, arrays: dict[str, Array]) -> dict[str, Any]:
    record: dict[str, Any] = {
        "kind": golden.kind,
        "shape": golden.image.shape,
        "slack": golden.tolerance_factor,  # the key of version 1 files; a new name would need a new version
        "outputs": {},
    }
    if golden.kind == "real":
        record["block"] = block = _block(golden.image)
        arrays[f"{prefix}png"] = np.frombuffer(_png(golden.image[::block, ::block]), np.uint8)
    for name, kept in golden.outputs.items():
        record["outputs"][name] = {"step": kept.step, "low": kept.low, "high": kept.high, "spread": kept.spread}
        arrays[f"{prefix}output.{name}"] = kept.codes
    if golden.prediction is not None:
        stored = for_prediction(golden.prediction).to_arrays(golden.prediction)
        arrays |= {f"{prefix}{name}": array for name, array in stored.items()}
    return record


_OUTPUT = record(
    {"step": integer(1, 2**40), "low": number(), "high": number(), "spread": number(0)},
)
_HEADER = record(
    {
        "version": integer(GOLDENS_VERSION, GOLDENS_VERSION),
        "goldens": items(
            record(
                {
                    "kind": one_of("real", *PATTERNS),
                    "shape": items(integer(1, MAX_PIXELS), least=3, most=3),
                    "slack": number(0, 1e6),
                    "outputs": mapping(_OUTPUT, most=64),
                },
                {"block": integer(1, max(BLOCKS))},
            ),
            most=_MOST_GOLDENS,
        ),
    }
)


def _golden(golden: dict[str, Any], prefix: str, arrays: Mapping[str, Array]) -> Golden:
    height, width, channels = golden["shape"]
    if channels not in (1, 3) or height * width > MAX_PIXELS:
        raise SchemaError(f"golden {prefix[:-1]} has an image of {height} x {width} x {channels}")
    outputs = {
        name: SampledOutput(picked(arrays, f"{prefix}output.{name}", np.uint16), **kept)
        for name, kept in golden["outputs"].items()
    }
    if golden["kind"] == "real":
        image = _real_image(picked(arrays, f"{prefix}png", np.uint8), golden.get("block", 0), height, width, channels)
    else:
        image = pattern(golden["kind"], height, width, channels)
    return Golden(golden["kind"], image, outputs, _prediction(prefix, arrays), golden["slack"])


def _prediction(prefix: str, arrays: Mapping[str, Array]) -> Prediction | None:
    """The prediction of the golden whose arrays begin with ``prefix``, by the names of the arrays; None where there is none."""
    for task in TASKS.values():
        if task.golden and f"{prefix}{task.golden[0]}" in arrays:
            pick = functools.partial(picked, arrays, prefix=prefix)
            prediction: Prediction = task.from_arrays(pick)
            return prediction
    return None


def _real_image(png: Array, block: int, height: int, width: int, channels: int) -> Image:
    """The image of a real golden. Its chunks and size are checked first: OpenCV allocates what a PNG asks for."""
    try:
        header = read_png(io.BytesIO(png.tobytes()))
    except UnreadableImage as error:
        raise SchemaError("a PNG is broken") from error
    if block not in BLOCKS or (header.width, header.height) != (-(-width // block), -(-height // block)):
        raise SchemaError(f"a PNG does not have the size of its golden, {height} x {width} in blocks of {block}")
    return _enlarged(_from_png(png, channels), block, height, width)


def png_size(image: Image) -> int:
    """How many bytes an image takes in a golden."""
    return len(_png(image))


def _png(image: Image) -> bytes:
    return bytes(cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 9])[1])


def _from_png(data: Array, channels: int) -> Image:
    image = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE if channels == 1 else cv2.IMREAD_COLOR)
    if image is None:
        raise SchemaError("a PNG is broken")
    return image.reshape(*image.shape[:2], channels).astype(np.uint8)


def _block(image: Image) -> int:
    """The largest block size of which ``image`` is made."""
    same = (
        block for block in reversed(BLOCKS) if np.array_equal(image, _enlarged(image[::block, ::block], block, *image.shape[:2]))
    )
    return next(same)


def _enlarged(small: Image, block: int, height: int, width: int) -> Image:
    """Nearest-neighbour by repetition (cv2.resize rounds differently between machines); the last blocks fill the border."""
    rows = np.minimum(np.arange(height) // block, small.shape[0] - 1)
    columns = np.minimum(np.arange(width) // block, small.shape[1] - 1)
    return np.ascontiguousarray(small[rows][:, columns])


def _text(text: str) -> NDArray[np.uint8]:
    return np.frombuffer(text.encode(), np.uint8)
