"""Python programs: ONNX Runtime, OpenVINO or LiteRT, with OpenCV and NumPy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from edgecnn.card import Preprocess
from edgecnn.json_text import dump_json
from edgecnn.runtime.model.description import ModelDescription
from edgecnn.runtime.snippets.python_decoders import decoding
from edgecnn.runtime.snippets.python_loops import in_tiles, in_windows
from edgecnn.tasks import find
from edgecnn.types import TensorSpec

WRITTEN_LABELS = 24  # more are read from the card in the file


@dataclass(frozen=True, slots=True)
class _EngineCode:
    """How an engine is installed, imported, loaded and run; ``card`` reads the card's text from the file."""

    package: str
    imports: tuple[str, ...]
    load: Callable[[str], list[str]]
    run: Callable[[Sequence[str], str], list[str]]
    card: str
    card_import: str = ""


def _assigned(outputs: Sequence[str], values: str) -> str:
    return f"{', '.join(outputs)}{',' if len(outputs) == 1 else ''} = {values}"


ENGINES: Mapping[str, _EngineCode] = {
    "onnx": _EngineCode(
        "onnxruntime",
        ("import onnxruntime",),
        lambda file: [f"engine = onnxruntime.InferenceSession({file!r}, providers=['CPUExecutionProvider'])"],
        lambda outputs, image: [
            "names = [output.name for output in engine.get_outputs()]",
            _assigned(outputs, f"engine.run(names, {{{image!r}: tensor}})"),
        ],
        "engine.get_modelmeta().custom_metadata_map['edgecnn.card']",
    ),
    "openvino": _EngineCode(
        "openvino",
        ("import openvino",),
        lambda file: [
            f"model = openvino.Core().read_model({file!r})  # and its .bin",
            "engine = openvino.compile_model(model, 'CPU', {'INFERENCE_PRECISION_HINT': 'f32'})",
        ],
        lambda outputs, image: [_assigned(outputs, "engine(tensor).to_tuple()")],
        "str(model.get_rt_info(['edgecnn', 'card']).value)",
    ),
    "executorch": _EngineCode(
        "executorch",
        ("import torch", "from executorch.runtime import Runtime"),
        lambda file: [f"engine = Runtime.get().load_program({file!r}).load_method('forward')"],
        lambda outputs, image: [_assigned(outputs, "(output.numpy() for output in engine.execute([torch.from_numpy(tensor)]))")],
        "zipfile.ZipFile({file!r}).read('edgecnn.card')",
        "import zipfile",
    ),
    "tflite": _EngineCode(
        "ai-edge-litert",
        ("from ai_edge_litert.interpreter import Interpreter",),
        lambda file: [f"engine = Interpreter({file!r})", "engine.allocate_tensors()"],
        lambda outputs, image: [
            "engine.set_tensor(engine.get_input_details()[0]['index'], tensor)",
            "engine.invoke()",
            _assigned(outputs, "(engine.get_tensor(detail['index']) for detail in engine.get_output_details())"),
        ],
        "zipfile.ZipFile({file!r}).read('edgecnn.card')",
        "import zipfile",
    ),
}


def write(description: ModelDescription) -> str:
    """The program for the described file, which has a card and one image input."""
    card, engine = description.card, ENGINES[description.format]
    assert card is not None
    names = [f"output_{index}" for index in range(len(description.outputs))]
    named = {spec.name: name for spec, name in zip(description.outputs, names, strict=True)}
    from_card = len(card.labels) > WRITTEN_LABELS and not description.inferred
    imports = [
        "import sys",
        *(["import json"] if from_card else []),
        *([engine.card_import] if from_card and engine.card_import else []),
    ]
    labels = (
        f"json.loads({engine.card.replace('{file!r}', repr(description.file.name))})['labels']"
        if from_card
        else _list(card.labels)
    )
    lines = [
        f"# {description.file.name} with {engine.package} alone: pip install {engine.package} numpy opencv-python-headless",
        *sorted(imports),
        "",
        "import cv2",
        "import numpy as np",
        *engine.imports,
        "",
        *engine.load(description.file.name),
        f"labels = {labels}",
        "",
        *_whole(description, engine, names, named),
    ]
    return "\n".join(lines) + "\n"


def _whole(description: ModelDescription, engine: _EngineCode, names: Sequence[str], named: Mapping[str, str]) -> list[str]:
    """From the file that is the argument to the printed results."""
    card, spec = description.card, description.inputs[0]
    assert card is not None
    decoded = decoding(card, description.outputs, named)
    run = [*engine.run(names, spec.name), *_real_values(description.outputs, named)]
    if card.preprocess.signal is not None:
        return in_windows(card.preprocess, [*_as_tensor(card.preprocess, spec), *run], decoded)
    if find(card.task).tiled:
        inner = [*_colored(card.preprocess), *_as_tensor(card.preprocess, spec), *run, *decoded]
        return in_tiles(card, description.outputs, inner)
    return [
        "image = cv2.imread(sys.argv[1])  # (height, width, 3) uint8 BGR",
        *preprocessing(card.preprocess, spec),
        *run,
        "",
        *decoded,
    ]


def _list(labels: Sequence[str]) -> str:
    return dump_json(list(labels), ensure_ascii=False)


def preprocessing(pre: Preprocess, spec: TensorSpec) -> list[str]:
    """Lines from ``image`` to ``tensor``; ``width``, ``height``, ``left``, ``top`` place the resized image in the input."""
    gray = ["image = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)"] if pre.color == "gray" else []
    return [*gray, *_resized(pre), *_colored(pre), *_as_tensor(pre, spec)]


def _resized(pre: Preprocess) -> list[str]:
    rows, columns = pre.size
    if pre.resize == "stretch":
        return [
            f"width, height, left, top = {columns}, {rows}, 0, 0  # stretched to the input",
            "pixels = cv2.resize(image, (width, height))",
        ]
    choose = "min" if pre.resize == "letterbox" else "max"
    lines = [
        f"ratio = {choose}({columns} / image.shape[1], {rows} / image.shape[0])",
        "width, height = max(round(image.shape[1] * ratio), 1), max(round(image.shape[0] * ratio), 1)",
    ]
    centred = pre.resize == "crop" or pre.align == "center"
    lines.append(f"left, top = ({columns} - width) // 2, ({rows} - height) // 2" if centred else "left, top = 0, 0")
    if pre.resize == "crop":
        return [
            *lines,
            f"pixels = cv2.resize(image, (width, height))[-top : {rows} - top, -left : {columns} - left]  # centre crop",
        ]
    return [
        *lines,
        f"pixels = np.full(({rows}, {columns}, *image.shape[2:]), {pre.pad_value}, np.uint8)  # letterbox",
        "pixels[top : top + height, left : left + width] = cv2.resize(image, (width, height))",
    ]


def _colored(pre: Preprocess) -> list[str]:
    if pre.color == "gray":
        return ["pixels = pixels[:, :, None]"]
    return ["pixels = pixels[:, :, ::-1]  # RGB"] if pre.color == "rgb" else []


def _as_tensor(pre: Preprocess, spec: TensorSpec) -> list[str]:
    lines = []
    source = "pixels"
    if spec.dtype != "uint8" or not pre.is_raw:
        source = "values"
        scaled = "" if pre.is_raw else f" - np.float32({_numbers(pre.mean)})) / np.float32({_numbers(pre.std)})"
        lines.append(f"values = {'(' if scaled else ''}pixels.astype(np.float32){scaled}")
        if spec.dtype in ("uint8", "int8"):
            if spec.scale is not None:
                lines.append(f"values = values / np.float32({spec.scale!r}) + {spec.zero_point or 0}")
            low, high = (0, 255) if spec.dtype == "uint8" else (-128, 127)
            lines.append(f"values = np.rint(values).clip({low}, {high})")
    if spec.layout == "NCHW":
        source = f"{source}.transpose(2, 0, 1)"
    batch = max(spec.shape[0], 1)
    tensor = f"{source}[None]" if batch == 1 else f"np.repeat({source}[None], {batch}, axis=0)"
    # the engines want contiguous memory
    lines.append(f"tensor = np.ascontiguousarray({tensor}, np.{spec.dtype})")
    return lines


def _numbers(values: Sequence[float]) -> str:
    return repr(values[0]) if len(values) == 1 else repr(list(values))


def _real_values(outputs: Sequence[TensorSpec], named: Mapping[str, str]) -> list[str]:
    """Lines that turn quantized outputs into real values."""
    return [
        f"{named[spec.name]} = ({named[spec.name]}.astype(np.float32) - {spec.zero_point or 0}) * np.float32({spec.scale!r})"
        for spec in outputs
        if spec.scale is not None and spec.dtype in ("uint8", "int8", "int32")
    ]
