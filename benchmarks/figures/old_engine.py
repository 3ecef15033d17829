"""Runs model files in the engine of another environment, and compares the outputs with those of this one.

It needs NumPy and one engine only, so that an old release can run it:

``python benchmarks/figures/old_engine.py FILES --out here.npz``
``python -m venv old && old/bin/pip install onnxruntime==1.19.2 "numpy<2"``
``old/bin/python benchmarks/figures/old_engine.py FILES --out old.npz``
``python benchmarks/figures/old_engine.py --compare here.npz old.npz``

The input is noise by a fixed seed; free axes have 2 images, or 256 x 320 pixels. A difference is a share of the range of its output.
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

FREE = {0: 2, 1: 256, 2: 320}  # of an image in pixels; planes have their sides behind the channels
KINDS = {"tensor(uint8)": "uint8", "tensor(float)": "float32"}


def noise(shape: list[Any], dtype: str) -> Any:
    """The input of this shape; what is no number is a free axis."""
    planes = shape[1] in (1, 3)
    sizes = {0: 2, 2: 256, 3: 320} if planes else FREE
    fixed = [one if isinstance(one, int) and one > 0 else sizes[axis] for axis, one in enumerate(shape)]
    values = np.random.default_rng(0).integers(0, 256, fixed)
    return values.astype(np.uint8) if dtype == "uint8" else (values / 255).astype(np.float32)


def onnx(path: Path) -> list[Any]:
    """The outputs of ONNX Runtime."""
    runtime = import_module("onnxruntime")
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    image = session.get_inputs()[0]
    return list(session.run(None, {image.name: noise(image.shape, KINDS[image.type])}))


def openvino(path: Path) -> list[Any]:
    """The outputs of OpenVINO."""
    engine = import_module("openvino")
    compiled = engine.compile_model(engine.Core().read_model(str(path)), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    port = compiled.inputs[0]
    shape = [one.get_length() if one.is_static else 0 for one in port.get_partial_shape()]
    found = compiled(noise(shape, "uint8" if port.get_element_type().get_type_name() == "u8" else "float32"))
    return [found[index] for index in range(len(compiled.outputs))]


def tflite(path: Path) -> list[Any]:
    """The outputs of LiteRT or tflite-runtime."""
    try:
        interpreter = import_module("ai_edge_litert.interpreter").Interpreter(str(path))
    except ImportError:
        interpreter = import_module("tflite_runtime.interpreter").Interpreter(str(path))
    interpreter.allocate_tensors()
    image = interpreter.get_input_details()[0]
    interpreter.set_tensor(image["index"], noise([int(size) for size in image["shape"]], np.dtype(image["dtype"]).name))
    interpreter.invoke()
    return [interpreter.get_tensor(one["index"]) for one in interpreter.get_output_details()]


ENGINES = {".onnx": onnx, ".xml": openvino, ".tflite": tflite}


def run(files: list[Path], out: Path) -> None:
    """Run each file that this environment has an engine for, and keep its outputs."""
    kept: dict[str, Any] = {}
    for path in files:
        try:
            outputs = ENGINES[path.suffix](path)
        except ImportError:
            continue
        except Exception as error:  # of any engine: what it refuses is the result
            sys.stdout.write(f"{path.name}: REFUSED, {type(error).__name__}: {str(error).splitlines()[0][:200]}\n")
            continue
        kept |= {f"{path.name}:{index}": array for index, array in enumerate(outputs)}
    np.savez(out, **kept)


def compare(here: Path, other: Path) -> None:
    """Print the largest difference for each file that both have run."""
    first, second = np.load(here), np.load(other)
    worst: dict[str, float] = {}
    for key in second.files:
        name = key.rpartition(":")[0]
        a, b = (np.asarray(found[key], np.float64) for found in (first, second))
        gap = float(np.abs(a - b).max()) / (float(np.ptp(a)) or 1.0) if a.shape == b.shape else float("inf")
        worst[name] = max(worst.get(name, 0.0), gap)
    for name, gap in worst.items():
        sys.stdout.write(f"{name}: {gap:.1e}\n")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Run model files in the engine of this environment.")
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--compare", nargs=2, type=Path, metavar=("HERE", "OTHER"))
    options = parser.parse_args()
    if options.compare:
        compare(*options.compare)
    else:
        run(options.files, options.out)


if __name__ == "__main__":
    main()
