"""The typed configuration of an export, checked before any work; imports no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from edgecnn.card import Precision
from edgecnn.errors import InputError
from edgecnn.export.extras import require
from edgecnn.export.publish import report_write_errors
from edgecnn.runtime.model.card_inference import CardOptions

FORMATS: Mapping[str, str] = {
    "onnx": "edgecnn.export.formats.to_onnx",
    "tflite": "edgecnn.export.formats.to_tflite",
    "openvino": "edgecnn.export.formats.to_openvino",
    "executorch": "edgecnn.export.formats.to_executorch",
}
NO_HALF = "an ExecuTorch file is fp32 or int8: its XNNPACK part stores no half-precision weights"
DEFAULT_FORMATS = ("onnx", "tflite", "openvino")  # executorch has an extra of its own
SUFFIXES: Mapping[str, str] = {
    "onnx": ".onnx",
    "tflite": ".tflite",
    "openvino": ".xml",  # OpenVINO also writes a .bin
    "executorch": ".pte",
}
FIXED_SHAPES = ("tflite", "executorch")  # formats whose converter has no free axes
OPSETS = (13, 23)  # per-channel int8 needs 13
MOST_IMAGES = 1024  # of a batch
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
AUTO = "auto"  # in place of precisions: the quickest file that is verified


@dataclass(frozen=True, slots=True)
class InputTensor:
    """An input of a model of tensors; without a ``name`` it is called as in the forward method of the model."""

    shape: tuple[int, ...]
    name: str = ""


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """Options for a model that has no card.

    ``card`` holds task, labels, preprocessing and decoding; ``weights`` is a file for ``package.module:factory``, and ``weights_key``
    the dictionary in it where it holds several; ``input_shape`` is (1, C, H, W), ``input_tensors`` are the inputs of a model of tensors
    instead; ``output_names`` name the output tensors in order; of these the decoder reads ``decode_outputs``
    (default: all), and the others are kept in the file as they are.
    """

    card: CardOptions = field(default_factory=CardOptions)
    weights: Path | None = None
    weights_key: str = ""
    input_shape: tuple[int, ...] | None = None
    input_tensors: tuple[InputTensor, ...] = ()
    output_names: tuple[str, ...] = ()
    decode_outputs: tuple[str, ...] = ()

    def given(self) -> dict[str, Any]:
        """The options that are set, by their names on the command line; labels as a tuple of names."""
        own = {
            "weights": self.weights,
            "weights_key": self.weights_key,
            "input": self.input_shape or self.input_tensors,
            "output_names": self.output_names,
            "decode_outputs": self.decode_outputs,
        }
        return {name: value for name, value in own.items() if value} | self.card.given()


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphOptions:
    """The input and the operators of the exported graph.

    ``layout`` is "nhwc" (images as cameras give them) or "nchw". ``input_dtype`` is "uint8", with colour order and scale in the graph,
    or "float32": the input of the network itself, in its colour order and scaled as the card says. ``batch`` is the number of images
    of an input, -1 for any number. ``dynamic_size``: any height and width; the card keeps the size it was trained with.
    ``opset`` is the version of the operators of ONNX files, by default one that engines of two years ago read. ``nms``: boxes are
    decoded and suppressed in the graph, by the thresholds of the card.
    Raises ``InputError`` for values that do not exist.
    """

    layout: str = "nhwc"
    input_dtype: str = "uint8"
    batch: int = 1
    dynamic_size: bool = False
    opset: int | None = None
    nms: bool = False

    def __post_init__(self) -> None:
        for option, value, known in (
            ("--layout", self.layout, ("nhwc", "nchw")),
            ("--input-dtype", self.input_dtype, ("uint8", "float32")),
        ):
            if value not in known:
                raise InputError(f"{option}: {value!r} is not one of {', '.join(known)}", "name one of them")
        if self.batch != -1 and not 1 <= self.batch <= MOST_IMAGES:
            raise InputError(
                f"--batch: {self.batch} is not 1 to {MOST_IMAGES}, or dynamic", "give the number of images of an input"
            )

        if self.opset is not None and not OPSETS[0] <= self.opset <= OPSETS[1]:
            raise InputError(f"--opset: {self.opset} is not {OPSETS[0]} to {OPSETS[1]}", "leave it out, or give another one")
        if self.nms and (self.batch != 1 or self.dynamic_size):
            raise InputError("--nms is for one image of a fixed size", "leave out --batch and --dynamic-size")

    @property
    def is_dynamic(self) -> bool:
        """Whether an axis of the input is free."""
        return self.batch == -1 or self.dynamic_size

    def check_format(self, format: str) -> None:
        """Raise ``InputError`` for what a file of that format can't be."""
        if self.nms and format == "executorch":
            raise InputError(
                "--nms is not possible in executorch, which has no operator for it", "use --format onnx,tflite,openvino"
            )
        if self.is_dynamic and format in FIXED_SHAPES:
            option, instead = ("--batch dynamic", "--batch N") if self.batch == -1 else ("--dynamic-size", "one file per size")
            raise InputError(
                f"{option} is not possible in {format}, whose converter fixes all shapes",
                f"use {instead}, or --format onnx,openvino",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportConfig:
    """One export: a model into several formats and precisions, and the data that calibrates and verifies the files.

    ``model`` is a checkpoint (path or shipped name), a .pt2 program or ``package.module:factory``. ``calibration``, ``verify`` and
    ``evaluate`` are dataset addresses (``edgecnn.data.address``) or ``scene:cups?...``. ``calibration`` sets the ranges of int8 with
    ``calibration_count`` images chosen by ``seed``; ``force_calibration`` allows fewer than 64 images and data that is not for
    training; ``strict`` stops at a problem in any dataset. Each file is verified on ``verify_count`` real images. ``evaluate`` compares the
    accuracy of each file with PyTorch's, on at most ``evaluate_limit`` images; ``allow_overlap`` accepts such that the model was trained or
    calibrated on. ``max_drop`` is the budget in points (hundredths) of
    that accuracy, without ``evaluate`` of agreement with PyTorch: int8 leaves as few layers in float as it needs to stay within it.
    ``precisions`` may be ("auto",), which keeps the quickest file of each format that passes.
    ``graph`` is the input of the files.
    Raises ``InputError`` or ``MissingExtraError`` for formats and precisions that do not exist or whose packages are not installed.
    """

    model: str
    formats: tuple[str, ...] = DEFAULT_FORMATS
    precisions: tuple[str, ...] = ("fp32",)
    out: Path = Path()
    name: str | None = None
    force: bool = False
    calibration: str | None = None
    calibration_count: int = 128
    seed: int = 0
    force_calibration: bool = False
    strict: bool = False
    verify: str | None = None
    verify_count: int = 16
    evaluate: str | None = None
    evaluate_limit: int | None = None
    allow_overlap: bool = False
    max_drop: float | None = None
    accept: bool = False
    model_options: ModelOptions = field(default_factory=ModelOptions)
    graph: GraphOptions = field(default_factory=GraphOptions)

    def __post_init__(self) -> None:
        check_names(self.formats, self.tried)
        for format in self.formats:
            self.graph.check_format(format)
        if self.max_drop is not None and self.max_drop < 0:
            raise InputError(f"--max-drop: {self.max_drop:g} is below 0", "give points that may be lost, for example 0.5")
        if self.max_drop is not None and "executorch" in self.formats and "int8" in self.tried:
            raise InputError(
                "--max-drop is not possible in executorch, whose int8 has one range method and no layers in float",
                "export it without --max-drop, or to onnx, tflite or openvino",
            )
        require(self.formats, self.tried)

    @property
    def targets(self) -> tuple[tuple[str, str], ...]:
        """(format, precision) of each file; the precision is "auto" where it is chosen by measuring."""
        return tuple((format, precision) for format in self.formats for precision in self.precisions)

    @property
    def tried(self) -> tuple[str, ...]:
        """The precisions that are exported; for "auto" all that the data allow, of which one is kept."""
        if self.precisions != (AUTO,):
            return self.precisions
        return PRECISIONS if self.calibration is not None else tuple(name for name in PRECISIONS if name != "int8")


def check_names(formats: Sequence[str], precisions: Sequence[str]) -> None:
    """Raise ``InputError`` for a format or precision that does not exist."""
    for option, values, known in (("--format", formats, tuple(FORMATS)), ("--precision", precisions, PRECISIONS)):
        for value in values:
            if value not in known:
                raise InputError(
                    f"{option}: {value!r} is not one of {', '.join(known)}", "name one, or several separated by commas"
                )
    if "executorch" in formats and "fp16" in precisions:
        raise InputError(NO_HALF, "leave out fp16, or export the other formats with another command")


def check_targets(formats: Sequence[str], precisions: Sequence[str], *, calibrated: bool) -> None:
    """Raise ``InputError`` or ``MissingExtraError`` for formats, precisions and packages that are not available."""
    check_names(formats, precisions)
    if "int8" in precisions and not calibrated:
        raise InputError("int8 needs calibration data", "set --calibration, for example to scene:cups or a folder of images")
    require(formats, precisions)


def file_name(name: str, format: str, precision: str) -> str:
    """The file name of an artifact, such as cups-int8.onnx. Raises ``InputError`` for a name that is a path."""
    if not name or Path(name).name != name:
        raise InputError(f"--name: {name!r} is not a plain file name", "give the folder with --out and only the name with --name")
    return f"{name}-{precision}{SUFFIXES[format]}"


def check_overwrite(out: Path, files: Sequence[str], *, force: bool) -> None:
    """Raise ``InputError`` where a file exists and may not be replaced, or ``out`` is not a folder."""
    with report_write_errors(out):
        if out.exists() and not out.is_dir():
            raise InputError(f"--out: {out} is a file, not a folder", "choose another folder with --out")
        existing = [file for file in files if (out / file).exists()]
    if existing and not force:
        verb = "exists" if len(existing) == 1 else "exist"
        raise InputError(
            f"{', '.join(existing)} already {verb} in {out}", "replace with --force, or choose another --out or --name"
        )
