"""The C++ programs: preprocessing and decoders are compiled alone, whole programs where headers and libraries of the engines are there.

``bash tests/install_cpp_engines.sh`` brings these into build/cpp.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edgecnn.card import Decode, ModelCard, Preprocess
from edgecnn.errors import InputError
from edgecnn.postprocess import decode
from edgecnn.postprocess.final_boxes import as_outputs, final_decode
from edgecnn.preprocess import Preprocessor, tensor_shape
from edgecnn.runtime.model.description import describe
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.runtime.snippets import cpp_program
from edgecnn.runtime.snippets.cpp_decoders import BOX, decoding
from edgecnn.runtime.snippets.program import snippet
from edgecnn.shown_scores import shown_scores
from edgecnn.types import Array, Detections, Image, TensorSpec
from tests.contracts import tiny
from tests.runtime.snippets.test_python_program import outputs_of

ENGINES = Path(__file__).parents[3] / "build" / "cpp"
HEADERS = ("algorithm", "cmath", "cstdint", "cstdio", "fstream", "numeric", "string", "vector")
needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="there is no g++")


def compiled(folder: Path, source: str, *options: str) -> Path:
    path = folder / "run.cpp"
    path.write_text(source)
    program = folder / "run"
    made = subprocess.run(
        ["g++", "-std=c++17", "-Wall", "-Werror", str(path), "-o", str(program), *options],
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    return program


def output_of(program: Path, *arguments: Path) -> list[str]:
    run = subprocess.run([program, *arguments], cwd=program.parent, capture_output=True, text=True, check=True)
    return run.stdout.splitlines()


def ppm(folder: Path, height: int, width: int) -> tuple[Path, Image]:
    """A smooth image: on edges, two ways of rounding differ by more."""
    small = np.random.default_rng(4).integers(0, 256, (5, 6, 3), np.uint8)
    image = np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC))
    path = folder / "image.ppm"
    path.write_bytes(f"P6\n{width} {height}\n255\n".encode() + image[:, :, ::-1].tobytes())
    return path, image


PREPROCESSING = [
    (Preprocess(size=(24, 32), color="bgr", pad_value=100), "uint8", "NHWC"),
    (Preprocess(size=(24, 32), color="rgb", resize="crop", mean=(120.0, 100.0, 90.0), std=(58.0, 57.0, 56.0)), "float32", "NCHW"),
    (Preprocess(size=(24, 32), color="gray", resize="stretch", std=(255.0,)), "float32", "NHWC"),
    (Preprocess(size=(24, 32), color="rgb", align="corner"), "float32", "NCHW"),
]


@needs_compiler
def test_the_tensor_is_that_of_the_preprocessor(tmp_path: Path) -> None:
    path, image = ppm(tmp_path, 37, 51)
    parts, expected = [], []
    for index, (pre, dtype, layout) in enumerate(PREPROCESSING):
        spec = TensorSpec("image", (), dtype, layout)
        spec = TensorSpec("image", tensor_shape(pre, spec), dtype, layout)
        lines = [*cpp_program._reading(), *cpp_program._preprocessing(pre, spec)]
        lines.append('for (auto value : tensor) std::printf("%.6g ", double(value));')
        parts.append(f"int part_{index}(char **argv) {{\n" + "\n".join(lines) + '\nstd::printf("\\n");\nreturn 0;\n}')
        expected.append(Preprocessor(pre, spec)(image)[0]["image"].reshape(-1) * np.float32(np.max(pre.std)))
    calls = "".join(f"part_{index}(argv); " for index in range(len(parts)))
    source = "\n".join([*(f"#include <{name}>" for name in HEADERS), *parts, f"int main(int, char **argv) {{ {calls}}}"])
    for line, wanted, (pre, _, _) in zip(output_of(compiled(tmp_path, source), path), expected, PREPROCESSING, strict=True):
        values = np.array([float(word) for word in line.split()]) * np.max(pre.std)
        assert values.shape == wanted.shape
        assert np.abs(values - wanted).max() <= 1.1  # OpenCV rounds its weights to 11 bits


def decoder_cases() -> list[tuple[ModelCard, dict[str, Array]]]:
    """Cards and outputs for an input of 64 x 96."""
    rng = np.random.default_rng(3)
    found: list[tuple[ModelCard, dict[str, Array]]] = []

    def add(task: Any, decode_by: Decode, outputs: dict[str, Array]) -> None:
        card = ModelCard(name="tiny", task=task, labels=("a b", "ü", "c"), preprocess=Preprocess(size=(64, 96)), decode=decode_by)
        found.append((card, outputs))

    options = {"score_threshold": 0.2, "iou_threshold": 0.5, "max_detections": 20}
    for decoder, layout in (
        ("fcos", ""),
        ("yolox", ""),
        ("yolo", "rows"),
        ("yolo", "columns"),
        ("yolo", "objectness"),
        ("yolo", "unit"),
    ):
        add("detect", Decode(decoder, options), outputs_of(decoder, layout, rng))
    by_class = {**options, "class_thresholds": {"a b": 0.9, "c": 0.25}}
    add("detect", Decode("fcos", by_class), outputs_of("fcos", "", rng))
    add("detect", Decode("yolox", {**options, "class_agnostic": True}), outputs_of("yolox", "", rng))
    boxes = Detections(np.float32([[1, 2, 30, 40], [-5, 5, 9, 90]]), np.float32([0.9, 0.4]), np.array([2, 0]))
    add("detect", final_decode(Decode("yolo", options)), as_outputs(boxes, 5))
    for decoder in ("softmax", "probabilities"):
        add("classify", Decode(decoder), {"o": rng.random((1, 3), np.float32)})
    for decoder in ("sigmoid", "label-scores"):
        add("multilabel", Decode(decoder, {"label_threshold": 0.5}), {"o": np.float32([[0.6, 0.2, 0.9]])})
    add("regress", Decode("values", {"scale": [2.0, 3.0, 1.0], "offset": 0.5}), {"o": rng.random((1, 3), np.float32)})
    add("embed", Decode("embedding"), {"o": rng.random((1, 3), np.float32)})
    return found


def expected_rows(card: ModelCard, outputs: dict[str, Array]) -> list[list[str | float]]:
    """The lines that a program prints, as words and numbers."""
    found: Any = decode(outputs, card)
    if card.task == "detect":
        found = shown_scores(card, 0.0).keep(found)
        corners = found.xyxy.clip(0, [96, 64, 96, 64])
        return [[score, card.labels[index], *box] for score, index, box in zip(found.score, found.class_id, corners, strict=True)]
    if card.task == "embed":
        return [list(found.vector)]
    if card.task == "regress":
        return [[value, label] for value, label in zip(found.value, card.labels, strict=True)]
    least = 0.5 if card.task == "multilabel" else -1.0
    order = np.argsort(-found.score, kind="stable")
    return [[found.score[index], card.labels[index]] for index in order if found.score[index] >= least]


@needs_compiler
def test_the_results_are_those_of_the_decoders(tmp_path: Path) -> None:
    parts = []
    cases = decoder_cases()
    for index, (card, outputs) in enumerate(cases):
        specs = [TensorSpec(name, array.shape, str(array.dtype)) for name, array in outputs.items()]
        named = {name: f"v{place}" for place, name in enumerate(outputs)}
        data = [
            f"static const {cpp_program.TYPES[str(array.dtype)]} {named[name]}[] = {{{', '.join(map(repr, array.ravel().tolist()))}}};"
            for name, array in outputs.items()
        ]
        place = "const int image_width = 96, image_height = 64, width = 96, height = 64, left = 0, top = 0;\n"
        place += "(void)image_width, (void)image_height, (void)width, (void)height, (void)left, (void)top;"
        names = ", ".join(map(cpp_program._text, card.labels))
        lines = [*data, place, f"const std::vector<std::string> labels{{{names}}};", *decoding(card, specs, named)]
        parts.append(f"void part_{index}() {{\n" + "\n".join(lines) + '\nstd::printf("--\\n");\n}')
    calls = "".join(f"part_{index}(); " for index in range(len(parts)))
    includes = [f"#include <{name}>" for name in HEADERS]
    source = "\n".join([*includes, BOX, *parts, f"int main() {{ {calls}}}"])
    printed = "\n".join(output_of(compiled(tmp_path, source))).split("--")[:-1]
    for (card, outputs), text in zip(cases, printed, strict=True):
        wanted = expected_rows(card, outputs)
        rows = [line for line in text.strip().splitlines() if line.strip()]
        assert len(rows) == len(wanted) > 0, card.decode.name
        for line, expected in zip(rows, wanted, strict=True):
            label = next((word for word in expected if isinstance(word, str)), "")
            assert f" {label}" in f" {line}", card.decode.name
            numbers = [float(word) for word in (line.replace(label, " ") if label else line).split()]
            assert np.allclose(numbers, [word for word in expected if not isinstance(word, str)], atol=0.011), card.decode.name


def onnx_runtime(folder: Path) -> list[str]:
    """Options for g++; skips where header or library is missing."""
    header = next(
        (path for path in (ENGINES / "usr/include/onnxruntime", Path("/usr/include/onnxruntime")) if path.is_dir()), None
    )
    spec = importlib.util.find_spec("onnxruntime")
    found = sorted((Path(spec.origin).parent / "capi").glob("libonnxruntime.so.*")) if spec and spec.origin else []
    if header is None or not found:
        pytest.skip("needs the header and the library of ONNX Runtime: bash tests/install_cpp_engines.sh")
    for name in ("libonnxruntime.so.1", "libonnxruntime.so"):
        (folder / name).symlink_to(found[-1])
    return [f"-I{header}", f"-L{folder}", "-lonnxruntime", f"-Wl,-rpath,{folder}"]


def tensorflow_lite(folder: Path) -> list[str]:
    """Options for g++; skips where header or library is missing."""
    header = next(
        (path for path in (ENGINES / "usr/include", Path("/usr/include")) if (path / "tensorflow/lite/c/c_api.h").exists()), None
    )
    library = ENGINES / "lib" / "libtensorflowlite_c.so"
    if header is None or not library.exists():
        pytest.skip("needs the header and the library of TensorFlow Lite: bash tests/install_cpp_engines.sh")
    return [f"-I{header}", f"-L{library.parent}", "-ltensorflowlite_c", f"-Wl,-rpath,{library.parent}"]


@needs_compiler
@pytest.mark.parametrize(("kind", "engine"), [("onnx", onnx_runtime), ("tflite", tensorflow_lite)])
def test_runs_the_file_without_edgecnn(kind: str, engine: Any, tmp_path: Path) -> None:
    options = engine(tmp_path)
    card = ModelCard(
        name="tiny",
        task="classify",
        labels=("a", "b", "c"),
        preprocess=Preprocess(size=(8, 8), color="bgr", input_dtype="uint8"),
        decode=Decode("softmax"),
    )
    outputs = {"logits": np.float32([[0.5, 2.0, 0.1]])}
    file = tiny.write(tmp_path, kind, tiny.Graph(outputs, metadata={"edgecnn.card": card.to_json()}))
    path, image = ppm(tmp_path, 8, 8)
    rows = output_of(compiled(tmp_path, snippet(describe(file), "cpp"), *options), path)
    with Predictor(file) as predictor:
        score = predictor(image).score
    assert rows == [f"{score[index]:.5f} {'abc'[index]}" for index in np.argsort(-score)]


@pytest.mark.parametrize(
    ("kind", "changes", "message"),
    [
        ("openvino", {}, "no C\\+\\+ program for the format openvino"),
        ("onnx", {"task": "restore", "decode": Decode("picture")}, "no C\\+\\+ program for the task restore"),
    ],
)
def test_what_has_no_program(kind: str, changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    card = ModelCard(
        name="tiny",
        task="classify",
        labels=("a",),
        preprocess=Preprocess(size=(8, 8), color="bgr", input_dtype="uint8"),
        decode=Decode("softmax"),
    ).replace(**changes)
    graph = tiny.Graph(
        {"o": np.zeros((1, 3, 8, 8) if changes else (1, 1), np.float32)}, metadata={"edgecnn.card": card.to_json()}
    )
    file = tiny.write(tmp_path, kind, graph)
    with pytest.raises(InputError, match=message):
        snippet(describe(file), "cpp")
