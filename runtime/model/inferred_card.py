"""Infers the card of a model file without one from metadata of other tools, tensor shapes and options."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edgecnn.card import Decode, ModelCard, Preprocess
from edgecnn.errors import InputError
from edgecnn.labels import COCO_80
from edgecnn.runtime.backends import Backend
from edgecnn.runtime.model.foreign_kinds import kind_of_outputs
from edgecnn.runtime.model.foreign_metadata import CardFields, read_metadata
from edgecnn.runtime.model.output_ranges import output_ranges
from edgecnn.runtime.model.tensor_shapes import (
    Size,
    class_choices,
    class_count,
    conventions,
    identify_detector,
    input_size,
    is_single_grid,
)
from edgecnn.tasks import find, for_decoder
from edgecnn.thresholds import DECODE_OPTIONS
from edgecnn.types import TensorSpec

PREPROCESS = ("resize", "align", "pad_value", "color", "mean", "std")
MAX_PIXELS = 2**25  # 5,800 x 5,800: 400 MB as float32
BACKGROUND = ("background", "__background__", "???", "empty", "bg", "none")


def infer_card(backend: Backend, path: Path, given: Mapping[str, Any]) -> ModelCard:
    """Infer a card from metadata and tensor shapes, overridden by ``given`` (fields of ``CardOptions``; labels as names).

    Raises ``InputError`` that names the options that are needed, too.
    """
    spec = _image_input(backend, path)
    found = read_metadata(backend.metadata, path)
    # The tensor comes before the metadata, which may describe another export.
    size = given.get("size") or input_size(spec) or found.get("size")
    _refuse_other_kinds(backend, {**found, **given}, size, path)
    if size is None:
        raise _missing(path, "its input has no fixed size", ["--size"])
    if size[0] * size[1] > MAX_PIXELS:
        raise InputError(f"{path} takes images of {size[0]}x{size[1]} pixels", "give a smaller --size, or export it with one")
    decoder = _decoder(backend, {**found, **given}, size, path)
    # Later entries win: options of the user, the input tensor, metadata, conventions of the model family.
    known = {**conventions(decoder, backend.outputs), **found, **_from_input(spec, path), **given}
    missing = [f"--{name}" for name in ("color", "mean", "std") if name not in known]
    if missing:
        raise _missing(path, f"models with the decoder {decoder} differ in preprocessing", missing)
    return ModelCard(
        name=path.stem,
        task=for_decoder(decoder).name,
        labels=_labels(known, decoder, backend, size),
        preprocess=_preprocess(known, size),
        decode=Decode(decoder, {name: known[name] for name in DECODE_OPTIONS if name in known}),
        inputs=backend.inputs,
        outputs=backend.outputs,
        precision="unknown",
    )


def _preprocess(known: Mapping[str, Any], size: Size) -> Preprocess:
    try:
        return Preprocess(size, **{name: known[name] for name in PREPROCESS if name in known})
    except ValueError as error:
        raise InputError(f"the preprocessing options do not fit together: {error}", "correct --color, --mean or --std") from error


def _image_input(backend: Backend, path: Path) -> TensorSpec:
    images = [spec for spec in backend.inputs if spec.layout]
    if len(backend.inputs) != 1 or not images:
        shapes = ", ".join(f"{spec.name} {spec.shape}" for spec in backend.inputs) or "none"
        raise InputError(
            f"{path} does not have exactly one image input, its inputs: {shapes}", "export it with one input, NCHW or NHWC"
        )
    (image,) = images
    if image.shape[0] not in (1, -1):
        raise InputError(f"{path} takes batches of {image.shape[0]} images", "export it with a batch size of 1")
    if 0 in image.shape:
        raise InputError(
            f"{path} takes an input of {'x'.join(map(str, image.shape))} values", "export it with another input size"
        )
    return image


def _refuse_other_kinds(backend: Backend, known: CardFields, size: Size | None, path: Path) -> None:
    """Raise ``InputError`` for a model of a task that edgecnn does not have, unless a decoder or a task is given."""
    if known.get("decode") or known.get("task"):
        return
    labels = known.get("labels")
    if size is not None and identify_detector(backend.outputs, size, len(labels) if labels else None):
        return
    if size is not None and not labels and is_single_grid(backend.outputs, size):
        return  # a FastestDet whose labels are needed
    kind = kind_of_outputs([spec.shape for spec in backend.outputs])
    if kind:
        raise InputError(
            f"{path} gives {kind}; edgecnn has no decoder for it",
            "name a decoder with --decode, or give --task raw, which passes the tensors on as they are",
        )


def _decoder(backend: Backend, known: CardFields, size: Size, path: Path) -> str:
    """Return the decoder: as named in the metadata, by the output shapes, or a classifier with one score per label."""
    if known.get("decode"):
        return str(known["decode"])
    if known.get("task") and len(decoders := find(known["task"]).decoders) == 1:
        return decoders[0]
    labels = known.get("labels")
    if known.get("task") is None and labels and len(labels) == 6 and [spec.shape for spec in backend.outputs] == [(1, 1, 6)]:
        raise _missing(path, "its output 1x1x6 is one box or six scores", ["--decode yolo or --task classify"])
    by_shape = identify_detector(backend.outputs, size, len(labels) if labels else None)
    if known.get("task") != "classify" and by_shape:
        return by_shape
    scores = class_count("softmax", backend.outputs, size)
    if scores and (known.get("task") == "classify" or (labels and len(labels) == scores)):
        return _classifier(backend, size, path)
    shapes = ", ".join("x".join(map(str, spec.shape)) for spec in backend.outputs)
    problem = f"its outputs {shapes} are of no known model"
    if scores and scores > 1 and labels is None:
        raise _missing(
            path, f"{problem}, perhaps {scores} classes or values", ["--labels", "or --task classify or regress", "or --decode"]
        )
    if scores and scores > 1:
        raise _missing(
            path, f"{problem}, perhaps {scores} values", ["--task classify or regress", f"or {scores} names with --labels"]
        )
    raise _missing(path, problem, ["--decode", "--labels"] if labels is None else ["--decode"])


def _classifier(backend: Backend, size: Size, path: Path) -> str:
    """Return whether the scores are probabilities: by the range of a quantized output, else by running three images.

    Quantized probabilities do not add up to 1: of 1,000 classes most are rounded to 0. Log-probabilities count as logits, whose
    softmax gives the probabilities.
    """
    ranges = output_ranges(backend, path)
    if len(ranges) == 1:
        values = next(iter(ranges.values()))
        return "probabilities" if abs(values.low) < values.step and values.high < 1.1 else "softmax"
    spec = backend.inputs[0]
    shape = (1, spec.shape[1], *size) if spec.layout == "NCHW" else (1, *size, spec.shape[3])
    rng = np.random.default_rng(0)
    # Both int8 and uint8 hold these values.
    for image in (rng.integers(0, 127, shape, np.uint8), np.zeros(shape, np.uint8), np.full(shape, 126, np.uint8)):
        scores = next(iter(backend.run({spec.name: image.astype(spec.dtype)}).values()))
        # Softmax and sigmoid give no other values; logits leave 0..1 for some image.
        if not (scores.size and scores.min() >= 0 and scores.max() <= 1 + 1e-3):
            return "softmax"
    return "probabilities"


def _from_input(spec: TensorSpec, path: Path) -> CardFields:
    """Return the colour of a one-channel input, and mean and std of a quantized input, which takes raw pixels.

    With real = scale * (q - zero_point) and q = pixel + lowest value of the type: mean = zero_point - lowest, std = 1 / scale.
    TFLite models take RGB by convention.
    """
    channels = spec.shape[1] if spec.layout == "NCHW" else spec.shape[3]
    found: CardFields = {"color": "gray"} if channels == 1 else {}
    if spec.dtype not in ("uint8", "int8"):
        return found
    if path.suffix == ".tflite" and channels == 3:
        found["color"] = "rgb"
    if spec.scale is None:
        return {**found, "mean": (0.0,), "std": (1.0,)}
    lowest = int(np.iinfo(spec.dtype).min)
    return {**found, "mean": (float((spec.zero_point or 0) - lowest),), "std": (1.0 / spec.scale,)}


def _labels(known: CardFields, decoder: str, backend: Backend, size: Size) -> tuple[str, ...]:
    """Return the known labels without the background class of an SSD, those of COCO for 80 classes, else numbered names."""
    labels = tuple(known.get("labels") or ())
    if not for_decoder(decoder).needs_labels:
        return labels
    if labels:
        # The class ids in the outputs of an SSD do not count the background.
        return labels[1:] if decoder == "ssd" and labels[0].casefold() in BACKGROUND else labels
    counts = class_choices(decoder, backend.outputs, size)
    if decoder == "values" and not counts:
        shapes = ", ".join("x".join(map(str, spec.shape)) for spec in backend.outputs)
        raise InputError(
            f"the file has no single output of values, its outputs are {shapes}",
            "name each value with --labels: the output with as many values is read",
        )
    is_detector = for_decoder(decoder).has_boxes
    if is_detector and len(COCO_80) in counts:
        return COCO_80
    # Rows with more than boxes and scores, such as key points, have the shape of a YOLO with more classes.
    is_guess = is_detector and known.get("decode") is None and counts != (1,)
    if len(counts) != 1 or is_guess:
        several = f", whose outputs can mean {' or '.join(map(str, counts))} classes" if counts else ""
        kind = "detector" if is_detector else "classifier"
        raise InputError(f"the file has no class names for this {kind}{several}", "give them with --labels, one per line")
    count = counts[0]
    if decoder == "values":
        return ("value",) if count == 1 else tuple(f"value {index}" for index in range(count))
    return tuple(f"class {index}" for index in range(count))


def _missing(path: Path, problem: str, options: list[str]) -> InputError:
    return InputError(f"{path} has neither a card nor known metadata, and {problem}", f"give {', '.join(options)}")
