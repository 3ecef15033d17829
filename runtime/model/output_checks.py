"""Finds outputs that can't be right: values that the quantization of a file can't reach, and outputs that ignore the image."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edgecnn.card import ACCEPTED, ModelCard
from edgecnn.errors import EdgeCnnError
from edgecnn.postprocess.final_boxes import FINAL_BOXES
from edgecnn.postprocess.nms import NmsOptions
from edgecnn.postprocess.tensors import dequantize
from edgecnn.postprocess.yolo import layout_of
from edgecnn.preprocess import to_tensor
from edgecnn.runtime.backends import Backend
from edgecnn.runtime.backends.one_image import one_image
from edgecnn.runtime.model.output_ranges import OutputRange, output_ranges
from edgecnn.types import Tensors, TensorSpec

# Values of a score that are further apart than this leave about three of them: 0, 0.5 and 1.
COARSE_STEP = 0.25
# Rounding the output of a YOLOX-nano, boxes and scores, to steps of .03, .06, .12 and .24 costs 0.2, 0.5, 2.4 and 5.6 of 33.2 points of
# mAP (128 images of COCO). Steps are rarely that large on purpose: a scale for scores alone has steps of .004.
COSTLY_STEP = 0.1
SHARED = "boxes and scores share one quantization scale"
SPLIT = "quantize the file again with separate outputs for boxes and scores, or keep its last operators in float"
# Outputs of a graph that ends in NMS are empty for an image without objects.
ENDS_IN_NMS = ("ssd", FINAL_BOXES)


def output_warnings(backend: Backend, card: ModelCard, path: Path, *, probe: bool = False) -> tuple[str, ...]:
    """Return a sentence for each reason why the results of this file can't be right, or are worse than they should be; () for most files.

    The quantization of the outputs is read from the file. With ``probe`` the model also runs on three synthetic images. A file
    whose card records a passed verification is not checked.
    """
    if card.parity.get("passed"):
        return ()
    found = _range_warnings(backend, card, path)
    # Outputs that can't vary are explained by their range already.
    if probe and not found:
        found = _probe_warnings(backend, card)
    accepted = accepted_deviation(card, path)
    wrong = [f"the results of {path.name} can't be right: {reason}" for reason in found]
    return (*filter(None, [accepted]), *(wrong or _costs(backend, card, path)))


def _costs(backend: Backend, card: ModelCard, path: Path) -> list[str]:
    """The sentence for a file whose scores have coarse steps, because boxes share their quantization scale."""
    if not _joins_boxes_and_scores(backend, card):
        return []
    steps = [values.step for values in output_ranges(backend, path).values() if values.step >= COSTLY_STEP]
    worse = f"the results of {path.name} are worse than those of its float model"
    return [f"{worse}: {SHARED}, so the smallest step of a score is {step:.2g}; {SPLIT}" for step in steps]


def _joins_boxes_and_scores(backend: Backend, card: ModelCard) -> bool:
    return card.decode.name in ("yolox", "yolo", "ssd") and len(backend.outputs) == 1


def accepted_deviation(card: ModelCard, path: Path) -> str:
    """The sentence for a file that was kept with `edgecnn export --accept` although it is out of tolerance, else ""."""
    reasons = card.parity.get(ACCEPTED, [])
    if not reasons:
        return ""
    return f"{path.name} differs from its PyTorch model and was accepted so: {', '.join(reasons)}; for exact results export it in fp32"


def _range_warnings(backend: Backend, card: ModelCard, path: Path) -> list[str]:
    ranges = output_ranges(backend, path)
    found = []
    for spec in backend.outputs:
        if spec.dtype in ("uint8", "int8") and spec.scale is None:
            found.append(
                f"its output {spec.name} is {spec.dtype} without a scale, so its numbers are neither scores nor pixels; "
                "export it with float outputs"
            )
        elif spec.name in ranges:
            reason = _reason(ranges[spec.name], spec, card, joined=_joins_boxes_and_scores(backend, card))
            if reason:
                found.append(reason)
    return found


def _reason(values: OutputRange, spec: TensorSpec, card: ModelCard, *, joined: bool) -> str:
    shown = f"its output {spec.name} can only be {values.low:.3g} to {values.high:.3g}, in steps of {values.step:.3g}"
    if card.decode.name == "probabilities":
        is_coarse = values.step >= COARSE_STEP
        return f"{shown}, too coarse for probabilities; quantize it again with another calibration set" if is_coarse else ""
    if joined:
        return _table_reason(values, spec, card, shown)
    return _score_reason(values, card, shown) if _is_scores(spec, card) else ""


def _table_reason(values: OutputRange, spec: TensorSpec, card: ModelCard, shown: str) -> str:
    """Check an output that holds boxes and scores in one tensor, which therefore share one scale."""
    short_side = min(card.preprocess.size)
    if values.step >= COARSE_STEP:
        return f"{SHARED}: {shown}, so scores can hardly be other than 0 or 1; {SPLIT}"
    if card.decode.name == "yolox" and (values.low > -0.5 or values.high < 1.05):
        return f"{SHARED}: {shown}, but boxes need negative values and values above 1; {SPLIT}"
    # YOLO exports have boxes in pixels or in 0..1 of the input.
    in_pixels = card.decode.name == "yolo" and values.high > 2
    if in_pixels and layout_of(spec.shape, card.preprocess.size, len(card.labels)) and values.high < short_side / 2:
        return f"{SHARED}: {shown}, but boxes reach {short_side} pixels; {SPLIT}"
    return _score_reason(values, card, shown)


def _score_reason(values: OutputRange, card: ModelCard, shown: str) -> str:
    threshold = NmsOptions.from_card(card.decode.options).score_threshold
    if values.step >= COARSE_STEP and card.decode.name != "ultraface":
        return f"{shown}, so scores can hardly be other than 0 or 1; quantize it again with another calibration set"
    if values.high < threshold:
        return f"{shown}, so no score reaches the threshold of {threshold:g}; quantize it again, or lower --score-threshold"
    return ""


def _is_scores(spec: TensorSpec, card: ModelCard) -> bool:
    if card.decode.name == "fcos":
        return spec.name == "scores"
    return card.decode.name == "ultraface" and spec.shape[-1:] == (2,)


def _probe_warnings(backend: Backend, card: ModelCard) -> list[str]:
    """Run three images of noise, black and white: outputs have to be numbers, and have to depend on the image."""
    backend = one_image(backend)
    spec = backend.inputs[0]
    shape = (*card.preprocess.size, card.preprocess.channels)
    noise = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    try:
        found = [
            dequantize(backend.run({spec.name: to_tensor(image, card.preprocess, spec)}), backend.outputs)
            for image in (noise, np.zeros(shape, np.uint8), np.full(shape, 255, np.uint8))
        ]
    except EdgeCnnError:  # the run itself will say why
        return []
    if not all(np.isfinite(array).any() for outputs in found for array in outputs.values() if array.size):
        return ["its outputs are NaN, so weights are broken or overflow; export it again, in float32 if it is float16"]
    return [] if _vary(found, card) else ["its outputs are the same for every image; export it again from the trained model"]


def _vary(found: list[Tensors], card: ModelCard) -> bool:
    first, *others = found
    if any(not np.array_equal(array, outputs[name], equal_nan=True) for outputs in others for name, array in first.items()):
        return True
    # Without objects, a graph that ends in NMS gives empty or zero rows, whatever the image.
    ends_in_nms = card.decode.name in ENDS_IN_NMS or any(array.ndim <= 3 and array.shape[-1] == 6 for array in first.values())
    return ends_in_nms and not any(np.any(array > 0) for array in first.values())
