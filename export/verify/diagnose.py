"""Diagnoses a failed parity: simulates typical preprocessing faults in PyTorch until one reproduces the outputs of the artifact."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from edgecnn.card import Color, Preprocess
from edgecnn.errors import EdgeCnnError
from edgecnn.export.verify.parity import Parity, Verified, compared, tensor_rows
from edgecnn.export.verify.probes import REAL_KINDS
from edgecnn.export.verify.reference import Evidence, ModelOutput, Reference
from edgecnn.parity import TOLERANCES, TensorError, judge_row, tensor_error, tensor_violations
from edgecnn.postprocess import decode
from edgecnn.preprocess import geometry
from edgecnn.tasks import compare, to_source
from edgecnn.types import Array, Image

IMAGENET = {"mean": (123.675, 116.28, 103.53), "std": (58.395, 57.12, 57.375)}  # torchvision's, in pixel units
EXPLAINED = 0.3  # a fault explains the error if simulating it in PyTorch leaves less than this part of the error
SLACK = 3.0  # times the tolerance: a fault is simulated before its pixels are rounded to whole numbers


@dataclass(frozen=True, slots=True)
class Cause:
    """The probable cause of a failed parity and the reason for it."""

    name: str
    why: str

    def __str__(self) -> str:
        return f"{self.name} ({self.why})"


@dataclass(frozen=True, slots=True)
class Fault:
    """One simulated preprocessing fault: a different ``preprocess``, or a ``twist`` of its tensor."""

    cause: str
    what: str
    preprocess: Preprocess
    twist: Callable[[Array], Array] | None = None


def diagnose(
    evidence: Evidence,
    parity: Parity,
    outputs: Sequence[ModelOutput],
    fp32_check: Callable[[], Verified] | None = None,
) -> Cause:
    """The probable cause of ``parity`` having failed; ``outputs`` are those of the file.

    ``fp32_check`` verifies the same graph in fp32. Where that passes, neither the input nor an operator is at fault. Each cause that is
    named was checked: PyTorch's decoder reads the tensors of the file rightly (decode), the fp32 file is right (precision), or PyTorch
    with the fault gives what the file gives, within its tolerance (faults of the input).
    """
    is_final = evidence.reference.final is not None  # boxes that NMS in the graph left: there is nothing before them to compare
    fails_on_real = not is_final and any(row.violations for row in parity.rows if row.kind in REAL_KINDS)
    if fails_on_real and parity.tensors_agree and _decodes_rightly(evidence, parity, outputs):
        return Cause(
            "decode", "PyTorch's decoder options and resize rule read the right predictions from the tensors of this file"
        )
    if parity.precision != "fp32" and fp32_check is not None:
        fp32, exact = fp32_check()
        if fp32.passed:
            return Cause("precision", f"the same graph is right in fp32: {_advice(parity)}")
        cause = diagnose(evidence, fp32, exact)
        return Cause(cause.name, f"in fp32, too: {cause.why}")
    found = _input_fault(evidence, parity, outputs)
    if found is not None:
        return found
    if _worst(parity) < 0.02:
        return Cause("precision", "small errors everywhere: the engine computes in a lower precision than the file")
    return Cause("conversion", "no fault of the input explains it: an operator computes other values in this format")


def _decodes_rightly(evidence: Evidence, parity: Parity, outputs: Sequence[ModelOutput]) -> bool:
    """Whether the tensors of the file give the right predictions by the decoder, the options and the resize rule of PyTorch."""
    tolerance, card = TOLERANCES[parity.precision], evidence.reference.output_card
    found = []
    for probe, expected, got in zip(evidence.probes, evidence.outputs, outputs, strict=True):
        if probe.kind in REAL_KINDS:
            height, width = probe.image.shape[:2]
            try:
                prediction = to_source(decode(got.outputs, card), geometry(card.preprocess, width, height))
            except EdgeCnnError:
                return False
            found.append(compared(expected, ModelOutput(got.outputs, prediction), tolerance))
    return not judge_row("real", {"": TensorError(0.0, 0.0, 1.0)}, found, tolerance).violations


def _advice(parity: Parity) -> str:
    if parity.precision == "int8":
        return (
            "check that the calibration images are representative and enough, try other ranges with --max-drop POINTS, "
            "or train it for int8 with edgecnn compress --qat"
        )
    return "a value overflows half precision" if not np.isfinite(_worst(parity)) else "the model needs more than half precision"


def _worst(parity: Parity) -> float:
    return max(row.worst.largest for row in parity.rows)


def _input_fault(evidence: Evidence, parity: Parity, outputs: Sequence[ModelOutput]) -> Cause | None:
    """The fault with which PyTorch gives what the file gives, on a few images and then within tolerance on all real ones; or None."""
    reference = evidence.reference
    if reference.card.preprocess.tensors:  # nothing is prepared
        return None
    few = _few(evidence)
    before = _distance(evidence, few, outputs, [evidence.outputs[index] for index in few])
    best, least = None, EXPLAINED * before
    for fault in faults(reference.card.preprocess):
        after = _distance(evidence, few, outputs, [_simulate(reference, fault, evidence.probes[index].image) for index in few])
        if after < least:
            best, least = fault, after * 0.99  # a later fault must be clearly better: equal faults differ by rounding
    if best is None or not _reproduces(evidence, parity, outputs, best):
        return None
    return Cause(best.cause, f"PyTorch with {best.what} gives the same outputs as this file")


def _few(evidence: Evidence) -> list[int]:
    """Indices of three real images and of one synthetic image of each kind."""
    kinds = [probe.kind for probe in evidence.probes]
    real = [index for index, kind in enumerate(kinds) if kind in REAL_KINDS]
    return real[:3] + [kinds.index(kind) for kind in dict.fromkeys(kinds) if kind not in REAL_KINDS]


def _reproduces(evidence: Evidence, parity: Parity, outputs: Sequence[ModelOutput], fault: Fault) -> bool:
    """Whether PyTorch with the fault and the file agree on real images as a right file does with PyTorch."""
    kept = [index for index, probe in enumerate(evidence.probes) if probe.kind in REAL_KINDS]
    probes = [evidence.probes[index] for index in kept]
    if evidence.reference.final is not None:
        others = [_simulate(evidence.reference, fault, probe.image) for probe in probes]
        return _missing_boxes(evidence, kept, outputs, others) <= (1 - TOLERANCES[parity.precision].agree) * SLACK
    simulated = [_simulate(evidence.reference, fault, probe.image) for probe in probes]
    faulty = dataclasses.replace(evidence, probes=probes, outputs=simulated)
    tolerance = TOLERANCES[parity.precision].loosened(SLACK)
    return not any(tensor_violations(row, tolerance) for row in tensor_rows(faulty, [outputs[index] for index in kept]))


def _simulate(reference: Reference, fault: Fault, image: Image) -> ModelOutput:
    tensor, _ = reference.tensor(image, fault.preprocess)
    if fault.twist is not None:
        tensor = np.ascontiguousarray(fault.twist(tensor))
    return ModelOutput(reference.forward(tensor), None)


def _distance(evidence: Evidence, few: Sequence[int], outputs: Sequence[ModelOutput], others: Sequence[ModelOutput]) -> float:
    """Mean error over all outputs and the images with the indices ``few``; the share of boxes without a match where NMS is in the graph."""
    if evidence.reference.final is not None:
        return _missing_boxes(evidence, few, outputs, others)
    errors = [
        tensor_error(
            part.pick(other.outputs[part.output]), part.pick(outputs[index].outputs[part.output]), evidence.spreads[part.name]
        ).mean
        for index, other in zip(few, others, strict=True)
        for part in evidence.parts
        if part.output in outputs[index].outputs
    ]
    return float(np.mean(errors)) if errors else float("inf")


def _missing_boxes(
    evidence: Evidence, few: Sequence[int], outputs: Sequence[ModelOutput], others: Sequence[ModelOutput]
) -> float:
    """The share of boxes of both sides that the other side does not have, in pixels of the input."""
    card = evidence.reference.output_card
    found = [
        compare(decode(other.outputs, card), decode(outputs[index].outputs, card), TOLERANCES["int8"])
        for index, other in zip(few, others, strict=True)
    ]
    total = sum(agreement.total for agreement in found)
    return 1 - sum(agreement.same for agreement in found) / total if total else 0.0


def faults(right: Preprocess) -> Iterator[Fault]:
    """Typical preprocessing mistakes, relative to the correct preprocessing."""
    yield from _color_faults(right)
    yield from _scale_faults(right)
    yield from _resize_faults(right)
    yield from _layout_faults(right)


def _color_faults(right: Preprocess) -> Iterator[Fault]:
    if right.color != "gray":
        swapped: Color = "bgr" if right.color == "rgb" else "rgb"
        yield Fault(
            "channel order", f"{swapped.upper()} instead of {right.color.upper()}", dataclasses.replace(right, color=swapped)
        )


def _scale_faults(right: Preprocess) -> Iterator[Fault]:
    others = {
        "pixels of 0..255": ((0.0,), (1.0,)),
        "pixels of 0..1": ((0.0,), (255.0,)),
        "pixels of -1..1": ((127.5,), (127.5,)),
        "no mean": ((0.0,), right.std),
        "no std": (right.mean, (1.0,)),
    }
    if right.channels == 3:
        others["mean and std of ImageNet"] = (IMAGENET["mean"], IMAGENET["std"])
    for what, (mean, std) in others.items():
        if (mean, std) != (right.mean, right.std):
            yield Fault(
                "scale",
                f"{what} instead of mean {right.mean} and std {right.std}",
                dataclasses.replace(right, mean=mean, std=std),
            )
    yield Fault("scale", "pixels scaled twice", right, lambda tensor: tensor / 255)


def _resize_faults(right: Preprocess) -> Iterator[Fault]:
    others: dict[str, Preprocess] = {
        "stretched images": dataclasses.replace(right, resize="stretch"),
        "cropped images": dataclasses.replace(right, resize="crop"),
        "letterboxed images": dataclasses.replace(right, resize="letterbox", align="center"),
        "images letterboxed into the corner": dataclasses.replace(right, resize="letterbox", align="corner"),
    }
    for value in (0, 114, 127, 255):
        others[f"letterboxed images padded with {value}"] = dataclasses.replace(right, resize="letterbox", pad_value=value)
    for what, preprocess in others.items():
        if preprocess != right:
            yield Fault("resize rule", f"{what} instead of {_rule(right)}", preprocess)


def _rule(preprocess: Preprocess) -> str:
    if preprocess.resize != "letterbox":
        return preprocess.resize
    return f"letterbox ({preprocess.align}, {preprocess.pad_value})"


def _layout_faults(right: Preprocess) -> Iterator[Fault]:
    if right.channels == 3:
        yield Fault("layout", "NHWC memory read as NCHW", right, lambda x: x.transpose(0, 2, 3, 1).reshape(x.shape))
    if right.size[0] == right.size[1]:
        yield Fault("layout", "height and width swapped", right, lambda x: x.transpose(0, 1, 3, 2))
