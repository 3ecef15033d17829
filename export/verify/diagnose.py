"""Diagnoses a failed parity: simulates typical preprocessing faults in PyTorch until one reproduces the outputs of the artifact."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from edgecnn.card import Color, Preprocess
from edgecnn.export.verify.parity import Parity
from edgecnn.export.verify.reference import Evidence, ModelOutput, Reference
from edgecnn.parity import tensor_error
from edgecnn.types import Array, Image

IMAGENET = {"mean": (123.675, 116.28, 103.53), "std": (58.395, 57.12, 57.375)}  # torchvision's, in pixel units
EXPLAINED = 0.3  # a fault explains the error if simulating it in PyTorch leaves less than this part of the error


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
    evidence: Evidence, parity: Parity, outputs: Sequence[ModelOutput], fp32_is_right: Callable[[], bool] | None = None
) -> Cause:
    """The probable cause of ``parity`` having failed; ``outputs`` are those of the file.

    ``fp32_is_right`` returns whether the same graph is within tolerance in fp32; it is called only when no input fault fits.
    """
    if parity.tensors_agree:
        return Cause("decode", "tensors agree, decoded predictions do not: compare decoder options and resize rule")
    found = _input_fault(evidence, outputs)
    if found is not None:
        return found
    if parity.precision != "fp32" and (fp32_is_right is None or fp32_is_right()):
        return Cause("precision", f"no preprocessing fault explains it and the fp32 file is right: {_advice(parity)}")
    if _worst(parity) < 0.02:
        return Cause("precision", "small errors everywhere: the engine computes in a lower precision than the file")
    return Cause("conversion", "no preprocessing fault explains it: an operator computes other values in this format")


def _advice(parity: Parity) -> str:
    if not np.isfinite(_worst(parity)):
        return "a value overflows half precision"
    if parity.precision == "int8":
        return "check that the calibration images are representative and enough"
    return "the model needs more than half precision"


def _worst(parity: Parity) -> float:
    return max(row.worst.largest for row in parity.rows)


def _input_fault(evidence: Evidence, outputs: Sequence[ModelOutput]) -> Cause | None:
    """The fault that explains most of the error, or None; the first one wins a tie."""
    reference = evidence.reference
    before = _distance(evidence, outputs, list(evidence.outputs))
    best, least = None, EXPLAINED * before
    for fault in faults(reference.card.preprocess):
        after = _distance(evidence, outputs, [_simulate(reference, fault, probe.image) for probe in evidence.probes])
        if after < least:
            best, least = fault, after * 0.99  # a later fault must be clearly better: equal faults differ by rounding
    if best is None:
        return None
    return Cause(best.cause, f"PyTorch with {best.what} gives the same outputs as this file")


def _simulate(reference: Reference, fault: Fault, image: Image) -> ModelOutput:
    tensor, _ = reference.tensor(image, fault.preprocess)
    if fault.twist is not None:
        tensor = np.ascontiguousarray(fault.twist(tensor))
    return ModelOutput(reference.forward(tensor), None)


def _distance(evidence: Evidence, outputs: Sequence[ModelOutput], others: Sequence[ModelOutput]) -> float:
    """Mean error over all outputs and verification images."""
    pairs = zip(outputs, others, strict=True)
    errors = [
        tensor_error(other.outputs[name], output.outputs[name], spread).mean
        for output, other in pairs
        for name, spread in evidence.spreads.items()
        if name in output.outputs
    ]
    return float(np.mean(errors)) if errors else float("inf")


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
