"""The model card: everything needed to use a model correctly. It is stored as JSON inside each artifact and checkpoint."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

from edgecnn.check_record import CHECK_KEY, CHECK_RECORD
from edgecnn.errors import ArtifactError
from edgecnn.json_text import dump_json
from edgecnn.schema import (
    SchemaError,
    either,
    flag,
    integer,
    items,
    mapping,
    nothing_or,
    nullable,
    number,
    one_of,
    parse_json,
    plain,
    record,
    text,
    unchanged,
)
from edgecnn.task_names import TASK_NAMES, TaskName
from edgecnn.tensor_pack import pack_size
from edgecnn.types import DTYPES, LAYOUTS, TensorSpec

CARD_KEY = "edgecnn.card"
ACCEPTED = "accepted"  # key in the parity of a file that was kept out of tolerance: a list of what is
CARD_VERSION = 1
CLASS_THRESHOLDS = "class_thresholds"  # key in the options of a decoder: class name -> score from which its boxes are shown
READ = "outputs"  # key in the options of a decoder: the names of the outputs that it reads, where the file has more
WRAPPED_KEY = "wrapped"  # in the record ``model`` of a card that was written into another tool's file: the name of that file

Resize = Literal["letterbox", "stretch", "crop"]
Align = Literal["center", "corner"]
Color = Literal["rgb", "bgr", "gray"]
Precision = Literal["fp32", "fp16", "int8"]
_MOST: Final = 3.4e38  # float32
MAX_PIXELS: Final = 1 << 24  # of an input, 4096 x 4096: a wrong size must not ask for all memory


def _one_of(value: str, choices: Any, name: str) -> None:
    if value not in get_args(choices):
        raise ValueError(f"{value!r} is not {name}; use one of {', '.join(get_args(choices))}")


@dataclass(frozen=True, slots=True)
class SignalInput:
    """What a window of a signal is made of: ``rate_hz`` samples a second (0: not known) of ``channels``, in this order.

    A stream is cut into windows every ``hop`` samples; the length of a window is the width of the input. Raises ``ValueError`` for
    values that do not fit.
    """

    rate_hz: float
    hop: int
    channels: tuple[str, ...]

    def __post_init__(self) -> None:
        if not 0 <= self.rate_hz <= _MOST or self.hop < 1 or not self.channels:
            raise ValueError(f"a signal at {self.rate_hz} Hz with a hop of {self.hop} and the channels {self.channels} can't be")


@dataclass(frozen=True, slots=True)
class Preprocess:
    """Preprocessing of a frame to the input tensor: ``(pixel - mean) / std`` per channel, mean and std in pixel units (0..255).

    ``size`` is (height, width) of the input. ``letterbox`` keeps the aspect ratio and pads with ``pad_value``; ``align`` places the
    image in the centre or in the top-left corner. ``stretch`` ignores the aspect ratio. ``crop`` scales the image until it covers
    the input and crops the centre. ``input_dtype`` is uint8 for a model that takes raw pixels. ``signal`` describes the input of a model
    of signals: a grey image with a row for each channel (``edgecnn.signals.window_image``). ``tensors`` are the inputs of a model that
    takes tensors instead of an image; ``size`` is then that of the image that holds their bytes (``edgecnn.tensor_pack``).
    Raises ``ValueError`` for an unknown resize rule, alignment or colour order, and for values that do not fit.
    """

    size: tuple[int, int]
    resize: Resize = "letterbox"
    align: Align = "center"
    pad_value: int = 114
    color: Color = "rgb"
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    input_dtype: str = "float32"
    signal: SignalInput | None = None
    tensors: tuple[TensorSpec, ...] = ()

    def __post_init__(self) -> None:
        _one_of(self.resize, Resize, "a resize rule")
        _one_of(self.align, Align, "an alignment")
        _one_of(self.color, Color, "a colour order")
        if len(self.size) != 2 or min(self.size) < 1:
            raise ValueError(f"the size {self.size} is not (height, width) above zero")
        if self.size[0] * self.size[1] > MAX_PIXELS:
            raise ValueError(f"the size {self.size} has more than {MAX_PIXELS} pixels, which is 4096 x 4096")
        if not isinstance(self.pad_value, int) or not 0 <= self.pad_value <= 255:
            raise ValueError(f"the pad value {self.pad_value} is not a whole number from 0 to 255")
        if not all(abs(value) <= _MOST for value in (*self.mean, *self.std)):
            raise ValueError(f"mean {self.mean} or std {self.std} is no finite number")
        if self.signal is not None and (self.color != "gray" or len(self.signal.channels) != self.size[0]):
            raise ValueError(f"a signal of {len(self.signal.channels)} channels is a grey image of that height, not {self.size}")
        if self.tensors and (self.color != "gray" or self.size != pack_size(self.tensors) or not self.is_raw):
            raise ValueError(f"the size {self.size} is not that of the bytes of the inputs")
        if any(len(values) not in (1, self.channels) for values in (self.mean, self.std)) or 0 in self.std:
            raise ValueError(
                f"mean {self.mean} and std {self.std} do not fit {self.channels} channels: "
                "give one value or one for each channel, and no std of 0"
            )

    @property
    def channels(self) -> int:
        """Channels of the input tensor: 1 for gray, else 3."""
        return 1 if self.color == "gray" else 3

    @property
    def is_raw(self) -> bool:
        """Whether the model takes pixels without mean and std."""
        return set(self.mean) == {0.0} and set(self.std) == {1.0}

    def folded(self) -> Preprocess:
        """The remaining preprocessing when layout, colour order and scale are in the graph: resize raw uint8 BGR (or gray)."""
        color: Color = "gray" if self.color == "gray" else "bgr"
        return dataclasses.replace(self, color=color, mean=(0.0,), std=(1.0,), input_dtype="uint8")


@dataclass(frozen=True, slots=True)
class Decode:
    """The decoder of the outputs, by name, and its options (score_threshold, iou_threshold, max_detections, ...).

    Evaluation and tracking use all boxes from ``score_threshold`` on. ``class_thresholds`` maps class names to the score from which
    boxes of that class are shown (see ``edgecnn.shown_scores``).
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """The description of a model: task, inputs, outputs, preprocessing, decoding, and the records of its training and verification.

    ``model`` names the architecture that the weights belong to; ``training``, ``calibration`` and ``parity`` are plain JSON records
    of what was done. ``sha256`` is the digest of the source weights, ``source_commit`` the revision of the code that made them.
    ``graph_sha256`` is the digest of graph and weights of the artifact itself (see ``edgecnn.integrity.digest``).
    """

    name: str
    task: TaskName
    labels: tuple[str, ...]
    preprocess: Preprocess
    decode: Decode
    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()
    precision: str = "fp32"
    model: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    calibration: Mapping[str, Any] = field(default_factory=dict)
    parity: Mapping[str, Any] = field(default_factory=dict)
    source_commit: str = ""
    sha256: str = ""
    graph_sha256: str = ""

    def __post_init__(self) -> None:
        _one_of(self.task, TaskName, "a task")

    def replace(self, **changes: Any) -> ModelCard:
        """A copy with some fields changed."""
        return dataclasses.replace(self, **changes)

    def to_json(self) -> str:
        """The card as one line of JSON, keys in field order."""
        record = dataclasses.asdict(self)
        for key in ("signal", "tensors"):
            if not record["preprocess"][key]:
                del record["preprocess"][key]  # a card of images stays as it was
        return dump_json({"version": CARD_VERSION, **record}, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str, where: str = "the file") -> ModelCard:
        """Read a card; raises ``ArtifactError`` that names ``where`` when it is not one."""
        try:
            record = _CARD(_supported(parse_json(text), where), "")
            del record["version"]
            _check_thresholds(record)
            return cls(
                **{
                    **record,
                    "preprocess": _preprocess(record["preprocess"]),
                    "decode": Decode(**record["decode"]),
                    **{kind: tuple(TensorSpec(**spec) for spec in record.get(kind, ())) for kind in ("inputs", "outputs")},
                }
            )
        except SchemaError as error:
            raise ArtifactError(f"the model card in {where}: {error}", "export the model again") from error
        except ValueError as error:
            raise ArtifactError(f"the model card in {where} can't be used ({error})", "export the model again") from error


def _preprocess(record: Mapping[str, Any]) -> Preprocess:
    signal = record.get("signal")
    tensors = tuple(TensorSpec(**spec) for spec in record.get("tensors", ()))
    return Preprocess(**{**record, "signal": None if signal is None else SignalInput(**signal), "tensors": tensors})


def _check_thresholds(record: Mapping[str, Any]) -> None:
    unknown = [name for name in record["decode"].get("options", {}).get(CLASS_THRESHOLDS, {}) if name not in record["labels"]]
    if unknown:
        raise SchemaError(f"decode.options.{CLASS_THRESHOLDS} names {unknown[0]}, which is no class of the model")


def _supported(record: Any, where: str) -> Any:
    version = record.get("version") if isinstance(record, dict) else None
    if isinstance(version, int) and version != CARD_VERSION and 0 <= version <= 10**6:
        problem = f"the model card in {where} has version {version}, but this edgecnn reads {CARD_VERSION}"
        raise ArtifactError(problem, "install the edgecnn that wrote it, or export again")
    return record


_SIZE = integer(1, 65535)
_PER_CHANNEL = items(number(), least=1, most=4)
_PER_VALUE = either(number(), items(number(), most=65536))
_NOTES = mapping(plain, most=1000)
_CHECKED = record({}, {CHECK_KEY: unchanged(CHECK_RECORD)}, others=plain)  # notes with the result of a check
_ERRORS = mapping(record({"largest": number()}, others=plain), least=1, most=64)
_PARITY = nothing_or(
    record(
        {"passed": flag, "real_inputs": text(), "rows": items(record({"outputs": _ERRORS}, others=plain), least=1, most=64)},
        {
            "accuracy": record(
                {"metric": text(), "artifact": number(), "pytorch": number(), "n": integer(0, 2**53), "data": text()},
                others=plain,
            ),
            ACCEPTED: items(text(), most=1000),
        },
        others=plain,
    )
)
_SPEC = record(
    {"name": text(), "shape": items(integer(-1, 2**31), most=8), "dtype": one_of(*DTYPES)},
    {"layout": one_of(*LAYOUTS), "scale": nullable(number(1e-30)), "zero_point": nullable(integer(-(2**31), 2**31))},
)
_SIGNAL = record({"rate_hz": number(0), "hop": integer(1, 2**31), "channels": items(text(), least=1, most=65535)})
_TENSOR = record(  # fixed sizes of float32, at most as many bytes as an image has pixels
    {"name": text(), "shape": items(integer(1, MAX_PIXELS), least=1, most=8), "dtype": one_of("float32")},
    {"layout": one_of(""), "scale": nullable(number(1e-30)), "zero_point": nullable(integer(-(2**31), 2**31))},
)
_PREPROCESS = record(
    {"size": items(_SIZE, least=2, most=2)},
    {
        "resize": one_of(*get_args(Resize)),
        "align": one_of(*get_args(Align)),
        "pad_value": integer(0, 255),
        "color": one_of(*get_args(Color)),
        "mean": _PER_CHANNEL,
        "std": _PER_CHANNEL,
        "input_dtype": one_of(*DTYPES),
        "signal": _SIGNAL,
        "tensors": items(_TENSOR, least=1, most=64),
    },
)
_DECODE_OPTIONS = record(
    {},
    {
        "score_threshold": number(0, 1),
        "iou_threshold": number(0, 1),
        "max_detections": integer(1, 10**6),
        "label_threshold": number(0, 1),
        "class_agnostic": flag,
        CLASS_THRESHOLDS: mapping(number(0, 1), most=65536),
        "strides": items(integer(2, 65535), least=1, most=8),
        "first_class": integer(0, 65535),
        "scale": _PER_VALUE,
        "offset": _PER_VALUE,
        "match_threshold": number(-1, 1),
        "upscale": integer(1, 16),
        "noise": number(0, 255),
        READ: items(text(), least=1, most=64),
    },
    others=plain,
)
# What a card may say, before anything is allocated from it. The test of the card compares the names with the fields of the classes.
_CARD = record(
    {
        "version": integer(CARD_VERSION, CARD_VERSION),
        "name": text(),
        "task": one_of(*TASK_NAMES),
        "labels": items(text(), most=65536),
        "preprocess": _PREPROCESS,
        "decode": record({"name": text()}, {"options": unchanged(_DECODE_OPTIONS)}),
    },
    {
        "inputs": items(_SPEC, most=64),
        "outputs": items(_SPEC, most=64),
        "precision": text(most=20),
        "parity": unchanged(_PARITY),
        **dict.fromkeys(("model", "training"), _NOTES),
        "calibration": lambda value, place: _CHECKED(_NOTES(value, place), place),
        **dict.fromkeys(("source_commit", "sha256", "graph_sha256"), text()),
    },
)
