"""The int8 outputs that the verifying engine computed at export, beside PyTorch's in the goldens.

int8 may differ from PyTorch by its rounding, so the goldens have a wide tolerance. The same engine on the same instruction set
repeats its own outputs, so there the tolerance is one step of 8 bits. ONNX Runtime computes the same sums on every x86 processor, unless
they saturate, which moves outputs much further than the few steps by which versions may round differently.
"""

from __future__ import annotations

import base64
import binascii
import json
import platform
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from edgecnn.devices.probe import cpu_info, features
from edgecnn.errors import ArtifactError
from edgecnn.golden import SampledOutput, sample_output
from edgecnn.json_text import dump_json
from edgecnn.parity import tensor_error
from edgecnn.types import Tensors

ENGINE_KEY = "edgecnn.engine"
VERSION = 1
STEP = 1 / 255  # of the range of an output: the largest difference that rounding to 8 bits once more can make
SUM_STEPS = 8  # the largest difference in steps on another x86 processor or version, where every sum is exact
X86 = ("x86_64", "AMD64", "amd64", "i386", "i686")
_PACKAGES = {
    "onnx": ("onnxruntime", "onnxruntime-gpu"),
    "openvino": ("openvino",),
    "tflite": ("ai-edge-litert", "tflite-runtime"),
    "executorch": ("executorch",),
}
_MOST_BYTES = 1 << 22
WHY_OTHER = "Engines and processors round int8 sums differently."
SATURATES = (
    "x86 without VNNI saturates sums of this file's weights, which earlier edgecnn and other tools do not limit",
    "export it again: int8 files for ONNX Runtime are now exact on every x86 processor",
)


@dataclass(frozen=True, slots=True)
class Conditions:
    """What decides how int8 is rounded: package and version of the engine, device, architecture and instruction sets of the CPU."""

    engine: str
    engine_version: str
    arch: str
    device: str
    features: tuple[str, ...]

    @property
    def has_vnni(self) -> bool:
        """Whether the processor adds int8 products in 32 bits."""
        return any("vnni" in name or "amx-int8" in name for name in self.features)

    def is_exact_like(self, other: Conditions) -> bool:
        """Whether both compute the same int8 sums: ONNX Runtime on x86, of any version, with weights that do not saturate."""
        pair = (self, other)
        return all(one.engine.startswith("onnxruntime") and one.arch in X86 and one.device == "cpu" for one in pair)

    def __str__(self) -> str:
        place = "" if self.device == "cpu" else f", device {self.device}"
        return f"{self.engine} {self.engine_version} on {self.arch} ({', '.join(self.features)}){place}"


@dataclass(frozen=True, slots=True)
class EngineComparison:
    """``largest``: maximum difference from the recorded outputs as a share of their range. ``limit``: None under other conditions."""

    recorded: Conditions
    here: Conditions
    largest: float
    limit: float | None

    @property
    def violation(self) -> str:
        """The difference if it is above the limit, else ""."""
        # "not <=" instead of ">": NaN is a violation, too
        if self.limit is None or self.largest <= self.limit:
            return ""
        text = f"int8 outputs differ by {self.largest:.2g} of the range from those of {self.recorded}, limit {self.limit:.2g}"
        return f"{text}; {SATURATES[0]}" if self.saturates else text

    @property
    def saturates(self) -> bool:
        """Whether the difference is that of sums that saturate, here or where the outputs were recorded."""
        beyond = self.limit is not None and not self.largest <= self.limit
        return beyond and self.here.is_exact_like(self.recorded) and self.here.has_vnni != self.recorded.has_vnni

    def __str__(self) -> str:
        text = f"int8 outputs against those recorded by {self.recorded}: largest difference {self.largest:.1e} of the range, "
        if self.limit is not None:
            steps = "one step of 8 bits" if self.limit == STEP else f"{SUM_STEPS} steps of 8 bits"
            place = "on the same engine and instruction set" if self.limit == STEP else f"because this is {self.here}"
            return f"{text}limit {self.limit:.1e} ({steps}) {place}."
        return f"{text}not limited, because this is {self.here}. {WHY_OTHER}"


def conditions(format: str, device: str = "cpu") -> Conditions:
    """The conditions on this machine for an engine of ``format``."""
    engine, version = format, ""
    for package in _PACKAGES.get(format, ()):
        with suppress(metadata.PackageNotFoundError):
            engine, version = package, metadata.version(package)
            break
    return Conditions(engine, version, platform.machine(), device, features(cpu_info(Path("/"))))


def encode(outputs: Sequence[Tensors], like: Sequence[Mapping[str, SampledOutput]], format: str) -> str:
    """The text for the outputs of each golden; half as many values of each are kept as of PyTorch's, given in ``like``."""
    rows = [
        {
            name: _packed(sample_output(np.asarray(found[name], np.float32), kept.spread, max(len(kept.codes) // 2, 1)))
            for name, kept in wanted.items()
        }
        for found, wanted in zip(outputs, like, strict=True)
    ]
    return dump_json({"version": VERSION, **asdict(conditions(format)), "goldens": rows}, separators=(",", ":"))


def compare(text: str, outputs: Sequence[Tensors], here: Conditions, where: str) -> EngineComparison:
    """Compare the outputs of each golden with the recorded ones. Raises ``ArtifactError`` for a broken record."""
    try:
        record = json.loads(text)
        if record["version"] != VERSION:
            raise ValueError(f"version {record['version']}")
        engine, version, arch, device = (str(record[name]) for name in ("engine", "engine_version", "arch", "device"))
        stored = Conditions(engine, version, arch, device, tuple(map(str, record["features"])))
        rows = [{name: _unpacked(kept) for name, kept in row.items()} for row in record["goldens"]]
        errors = [
            tensor_error(kept.values, kept.pick(np.asarray(found[name], np.float32)), kept.spread).largest
            for row, found in zip(rows, outputs, strict=True)
            for name, kept in row.items()
        ]
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError, binascii.Error, zlib.error) as error:
        raise ArtifactError(f"the int8 outputs recorded in {where} can't be read ({error})", "export the model again") from error
    return EngineComparison(stored, here, max(errors, default=0.0), _limit(stored, here))


def _limit(stored: Conditions, here: Conditions) -> float | None:
    if here == stored:
        return STEP
    return STEP * SUM_STEPS if here.is_exact_like(stored) else None


def _packed(kept: SampledOutput) -> dict[str, Any]:
    codes = base64.b64encode(zlib.compress(kept.codes.astype("<u2").tobytes(), 9)).decode()
    return {"step": kept.step, "low": kept.low, "high": kept.high, "spread": kept.spread, "codes": codes}


def _unpacked(stored: Mapping[str, Any]) -> SampledOutput:
    unpacker = zlib.decompressobj()
    codes = unpacker.decompress(base64.b64decode(stored["codes"], validate=True), _MOST_BYTES)
    limits = [float(stored[name]) for name in ("low", "high", "spread")]
    if not np.isfinite(limits).all() or int(stored["step"]) < 1:
        raise ValueError("a range is not finite, or a step is below 1")
    return SampledOutput(np.frombuffer(codes, "<u2").astype(np.uint16), int(stored["step"]), *limits)
