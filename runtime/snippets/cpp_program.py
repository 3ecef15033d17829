"""C++ programs: ONNX Runtime's C++ API or TensorFlow Lite's C API (LiteRT), and the standard library."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from edgecnn.card import Preprocess
from edgecnn.errors import InputError
from edgecnn.json_text import dump_json
from edgecnn.runtime.model.description import ModelDescription
from edgecnn.runtime.snippets.cpp_decoders import BOX, HAS_BOXES, decoding
from edgecnn.tasks import find
from edgecnn.types import TensorSpec

TYPES: Mapping[str, str] = {
    "float32": "float",
    "uint8": "uint8_t",
    "int8": "int8_t",
    "int32": "int32_t",
    "int64": "int64_t",
}


@dataclass(frozen=True, slots=True)
class _CppEngine:
    """How a program is compiled with an engine, its header, and the lines that run a file; these define a pointer for each output."""

    title: str
    build: str
    header: str
    run: Callable[[ModelDescription, Sequence[str]], list[str]]


def _onnx(description: ModelDescription, names: Sequence[str]) -> list[str]:
    spec, outputs = description.inputs[0], description.outputs
    card = description.card
    assert card is not None
    shape = ", ".join(map(str, _shape(card.preprocess, spec)))
    return [
        "Ort::Env environment;",
        f"Ort::Session session(environment, {_text(description.file.name)}, Ort::SessionOptions());",
        f"const std::vector<int64_t> shape{{{shape}}};",
        "auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);",
        f"auto input = Ort::Value::CreateTensor<{TYPES[spec.dtype]}>(memory, tensor.data(), tensor.size(), shape.data(), shape.size());",
        f"const char *inputs[] = {{{_text(spec.name)}}}, *outputs[] = {{{', '.join(_text(one.name) for one in outputs)}}};",
        f"auto results = session.Run(Ort::RunOptions(), inputs, &input, 1, outputs, {len(outputs)});",
        *(
            f"const {TYPES[one.dtype]} *{name} = results[{index}].GetTensorData<{TYPES[one.dtype]}>();"
            for index, (one, name) in enumerate(zip(outputs, names, strict=True))
        ),
    ]


def _tflite(description: ModelDescription, names: Sequence[str]) -> list[str]:
    return [
        f"TfLiteModel *model = TfLiteModelCreateFromFile({_text(description.file.name)});",
        "TfLiteInterpreter *interpreter = TfLiteInterpreterCreate(model, nullptr);",
        "TfLiteInterpreterAllocateTensors(interpreter);",
        "TfLiteTensor *input = TfLiteInterpreterGetInputTensor(interpreter, 0);",
        "TfLiteTensorCopyFromBuffer(input, tensor.data(), tensor.size() * sizeof(tensor[0]));",
        "if (TfLiteInterpreterInvoke(interpreter) != kTfLiteOk) return 1;",
        *(
            f"auto *{name} = static_cast<const {TYPES[one.dtype]} *>("
            f"TfLiteTensorData(TfLiteInterpreterGetOutputTensor(interpreter, {index})));"
            for index, (one, name) in enumerate(zip(description.outputs, names, strict=True))
        ),
    ]


ENGINES: Mapping[str, _CppEngine] = {
    "onnx": _CppEngine("ONNX Runtime", "-I/usr/include/onnxruntime -lonnxruntime", "onnxruntime_cxx_api.h", _onnx),
    "tflite": _CppEngine("TensorFlow Lite (LiteRT)", "-ltensorflowlite_c", "tensorflow/lite/c/c_api.h", _tflite),
}


def write(description: ModelDescription) -> str:
    """The program for the described file, which has a card and one image input. Raises ``InputError`` for a file it can't run."""
    card, spec = description.card, description.inputs[0]
    assert card is not None
    if description.format not in ENGINES:
        raise InputError(
            f"there is no C++ program for the format {description.format}", "use an ONNX or TFLite file, or --snippet python"
        )
    if card.preprocess.signal is not None or find(card.task).tiled:
        raise InputError(f"there is no C++ program for the task {card.task}", "use --snippet python")
    strange = [one.name for one in (spec, *description.outputs) if one.dtype not in TYPES]
    if strange:
        raise InputError(f"the tensor {strange[0]} has a type that C++ does not have", "export the model without it")
    engine = ENGINES[description.format]
    raw = [f"output_{index}" for index in range(len(description.outputs))]
    named = {one.name: _real_name(one, name) for one, name in zip(description.outputs, raw, strict=True)}
    has_boxes = card.decode.name in HAS_BOXES
    body = [
        f"const std::vector<std::string> labels{{{', '.join(map(_text, card.labels))}}};",
        "",
        *_reading(),
        *_preprocessing(card.preprocess, spec),
        "",
        *engine.run(description, raw),
        *_real_values(description.outputs, raw),
        "",
        *decoding(card, description.outputs, named),
    ]
    lines = [
        f"// {description.file.name} with {engine.title} alone:",
        f"// g++ -std=c++17 -O2 run_model.cpp -o run_model {engine.build} && ./run_model photo.ppm",
        f"#include <{engine.header}>",
        "",
        *(f"#include <{name}>" for name in ("algorithm", "cmath", "cstdint", "cstdio", "fstream", "numeric", "string", "vector")),
        "",
        *([BOX, ""] if has_boxes else []),
        "int main(int, char **argv) {",
        *(f"  {line}" if line else "" for line in body),
        "}",
    ]
    return "\n".join(lines) + "\n"


def _text(text: str) -> str:
    """A string literal; letters other than ASCII as their bytes, so that the encoding of the source does not matter."""
    shown = dump_json(text)[1:-1] if text.isascii() else "".join(_letter(letter) for letter in text)
    return f'"{shown}"'


def _letter(letter: str) -> str:
    if letter.isascii():
        return dump_json(letter)[1:-1]
    return "".join(f"\\{byte:03o}" for byte in letter.encode())  # octal: a hexadecimal digit may follow


def _shape(pre: Preprocess, spec: TensorSpec) -> tuple[int, ...]:
    sides, batch = pre.size, max(spec.shape[0], 1)
    return (batch, pre.channels, *sides) if spec.layout == "NCHW" else (batch, *sides, pre.channels)


def _reading() -> list[str]:
    return [
        "// a PPM file (P6), as ffmpeg -i photo.jpg photo.ppm writes it",
        "std::ifstream file(argv[1], std::ios::binary);",
        "std::string magic;",
        "int image_width = 0, image_height = 0, most = 0;",
        "file >> magic >> image_width >> image_height >> most;",
        "file.get();",
        "std::vector<uint8_t> rgb(size_t(image_width) * image_height * 3);",
        "file.read(reinterpret_cast<char *>(rgb.data()), std::streamsize(rgb.size()));",
        'if (!file || magic != "P6" || most != 255) return std::fprintf(stderr, "%s is no PPM file of 8 bits\\n", argv[1]), 1;',
    ]


def _preprocessing(pre: Preprocess, spec: TensorSpec) -> list[str]:
    rows, columns = pre.size
    batch, channels = max(spec.shape[0], 1), pre.channels
    place = (
        f"(size_t(c) * {rows} + y) * {columns} + x" if spec.layout == "NCHW" else f"(size_t(y) * {columns} + x) * {channels} + c"
    )
    each = [
        f"for (int y = 0; y < {rows}; ++y)",
        f"  for (int x = 0; x < {columns}; ++x)",
        f"    for (int c = 0; c < {channels}; ++c) {{",
    ]
    return [
        *_placed(pre),
        f"std::vector<{TYPES[spec.dtype]}> tensor({batch} * {rows} * {columns} * {channels});",
        *each,
        f"      double value = {pre.pad_value};",
        "      if (x >= left && x < left + width && y >= top && y < top + height) {  // bilinear, by the centres of pixels",
        "        const double sx = std::clamp((x - left + 0.5) * image_width / width - 0.5, 0.0, image_width - 1.0);",
        "        const double sy = std::clamp((y - top + 0.5) * image_height / height - 0.5, 0.0, image_height - 1.0);",
        "        const int x0 = int(sx), y0 = int(sy), x1 = std::min(x0 + 1, image_width - 1), y1 = std::min(y0 + 1, image_height - 1);",
        *_pixel(pre),
        "        const double above = at(y0, x0) + (at(y0, x1) - at(y0, x0)) * (sx - x0);",
        "        const double below = at(y1, x0) + (at(y1, x1) - at(y1, x0)) * (sx - x0);",
        "        value = std::nearbyint(above + (below - above) * (sy - y0));",
        "      }",
        *_scaled(pre, spec),
        f"      tensor[{place}] = {TYPES[spec.dtype]}(value);",
        "    }",
        *_batch(batch, rows * columns * channels),
    ]


def _placed(pre: Preprocess) -> list[str]:
    rows, columns = pre.size
    if pre.resize == "stretch":
        return [f"const int width = {columns}, height = {rows}, left = 0, top = 0;  // stretched to the input"]
    choose = "min" if pre.resize == "letterbox" else "max"
    centred = pre.resize == "crop" or pre.align == "center"
    places = (
        (f"int(std::floor(({columns} - width) / 2.0))", f"int(std::floor(({rows} - height) / 2.0))") if centred else ("0", "0")
    )
    return [
        f"const double ratio = std::{choose}({columns}.0 / image_width, {rows}.0 / image_height);  // {pre.resize}",
        "const int width = std::max(int(std::nearbyint(image_width * ratio)), 1);",
        "const int height = std::max(int(std::nearbyint(image_height * ratio)), 1);",
        f"const int left = {places[0]}, top = {places[1]};",
    ]


def _pixel(pre: Preprocess) -> list[str]:
    """A function that gives channel ``c`` of a pixel of the image."""
    first = "const uint8_t *pixel = &rgb[(size_t(row) * image_width + column) * 3];"
    if pre.color == "gray":
        value = "double((pixel[0] * 4899 + pixel[1] * 9617 + pixel[2] * 1868 + 8192) >> 14)"  # as OpenCV rounds it
    else:
        value = f"double(pixel[{'c' if pre.color == 'rgb' else '2 - c'}])"
    return ["        auto at = [&](int row, int column) {", f"          {first}", f"          return {value};", "        };"]


def _scaled(pre: Preprocess, spec: TensorSpec) -> list[str]:
    lines = []
    if not pre.is_raw:
        mean, std = (", ".join(map(str, values * (pre.channels // len(values)))) for values in (pre.mean, pre.std))
        lines += [
            f"      const double mean[] = {{{mean}}}, deviation[] = {{{std}}};",
            "      value = (value - mean[c]) / deviation[c];",
        ]
    if spec.dtype in ("uint8", "int8") and spec.scale is not None and (not pre.is_raw or spec.dtype == "int8"):
        low, high = (0, 255) if spec.dtype == "uint8" else (-128, 127)
        lines.append(
            f"      value = std::clamp(std::nearbyint(value / {spec.scale!r} + {spec.zero_point or 0}), {low}.0, {high}.0);"
        )
    return lines


def _batch(count: int, size: int) -> list[str]:
    if count == 1:
        return []
    return [
        f"for (int index = 1; index < {count}; ++index)  // the same image in the whole batch",
        f"  std::copy_n(tensor.begin(), {size}, tensor.begin() + index * {size});",
    ]


def _is_quantized(spec: TensorSpec) -> bool:
    return spec.scale is not None and spec.dtype in ("uint8", "int8", "int32")


def _real_name(spec: TensorSpec, name: str) -> str:
    return f"{name}_real.data()" if _is_quantized(spec) else name


def _real_values(outputs: Sequence[TensorSpec], names: Sequence[str]) -> list[str]:
    """Lines that turn quantized outputs into real values."""
    lines = []
    for spec, name in zip(outputs, names, strict=True):
        if _is_quantized(spec):
            size = 1
            for length in spec.shape:
                size *= max(length, 1)
            lines += [
                f"std::vector<float> {name}_real({size});",
                f"for (int index = 0; index < {size}; ++index)",
                f"  {name}_real[index] = ({name}[index] - {spec.zero_point or 0}) * {spec.scale!r}f;",
            ]
    return lines
