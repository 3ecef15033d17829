"""Reads metadata of Ultralytics, OpenVINO Model API, TFLite label files and configurations beside a file as fields of a card."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgecnn.errors import ArtifactError, InputError
from edgecnn.labels import load_yaml, ordered_names, text_labels
from edgecnn.runtime.model.foreign_config import read_config
from edgecnn.schema import integer, items, number, one_of, parse_json, record, text

CardFields = dict[str, Any]

MODEL_TYPES = {"ssd": "ssd", "yolox": "yolox", "yolo": "yolo", "classification": ""}
RESIZE_TYPES = {
    "standard": {"resize": "stretch"},
    "crop": {"resize": "crop"},
    "fit_to_window": {"resize": "letterbox", "align": "corner"},
    "fit_to_window_letterbox": {"resize": "letterbox", "align": "center"},
}
MAX_LITERAL = 2**20  # characters: a Python literal is parsed into many times its size
_NAMES = items(text(1), least=1, most=65536)
_CHANNELS = items(number(-1e6, 1e6), least=1, most=4)
_CHECK = record(
    {},
    {
        "task": one_of("detect", "classify"),
        "labels": _NAMES,
        "decode": text(1),
        "size": items(integer(1, 65535), least=2, most=2),
        "color": one_of("rgb", "bgr"),
        "mean": _CHANNELS,
        "std": _CHANNELS,
        "resize": text(1),
        "align": text(1),
        "pad_value": integer(0, 255),
        "score_threshold": number(0, 1),
        "iou_threshold": number(0, 1),
    },
)


def read_metadata(metadata: Mapping[str, str], path: Path) -> CardFields:
    """Read task, labels, decoder and preprocessing from ``metadata``, or from a metadata.yaml beside the file.

    Raises ``ArtifactError`` if metadata of a known tool can't be read.
    """
    try:
        found = _card_fields(metadata, path)
        if "labels" in found:
            # Labels are printed: line breaks and control characters of terminals become spaces.
            found["labels"] = tuple(_one_line(label) for label in found["labels"])
        if 0 in found.get("std", ()):
            raise ValueError("a scale of 0")
        checked: CardFields = _CHECK(found, "")
        return checked
    except (InputError, TypeError, ValueError, KeyError, IndexError, OverflowError) as error:
        reason = error.problem if isinstance(error, InputError) else _one_line(str(error))[:200]
        raise ArtifactError(f"the metadata in or beside {path} is not readable ({reason})", "export the model again") from error


def _card_fields(metadata: Mapping[str, str], path: Path) -> CardFields:
    ultralytics = _ultralytics_record(metadata, path)
    if ultralytics:
        return from_ultralytics(ultralytics, path)
    info = {key.removeprefix("model_info."): text for key, text in metadata.items() if key.startswith("model_info.")}
    return from_model_info(info, path) if info else {**read_config(path), **from_label_file(metadata)}


def _ultralytics_record(metadata: Mapping[str, str], path: Path) -> Mapping[str, Any]:
    """Return the metadata of Ultralytics: ONNX properties, a file in the ZIP of a TFLite model, or metadata.yaml."""
    if "names" in metadata and "task" in metadata:
        # ONNX properties are texts: Ultralytics writes the repr() of each value.
        return {key: _literal(text) for key, text in metadata.items()}
    # Newer versions append metadata.json to a .tflite file, older ones temp_meta.txt with a Python literal.
    for name in ("metadata.json", "temp_meta.txt"):
        if name in metadata:
            content = _literal(metadata[name])
            return content if isinstance(content, dict) and "names" in content else {}
    # An ONNX file has its own properties: a metadata.yaml beside it belongs to another export.
    beside = path.with_name("metadata.yaml")
    if path.suffix == ".onnx" or not beside.is_file():
        return {}
    content = load_yaml(beside)
    return content if isinstance(content, dict) and content.get("names") and "task" in content else {}


def _literal(source: str) -> Any:
    """Parse a JSON or Python literal; return other text unchanged."""
    import ast

    with contextlib.suppress(ValueError):
        return parse_json(source)
    if len(source) > MAX_LITERAL:
        return source
    with contextlib.suppress(ValueError, SyntaxError, RecursionError, MemoryError, TypeError), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of escapes such as "\\d"
        return ast.literal_eval(source)
    return source


def from_ultralytics(content: Mapping[str, Any], path: Path) -> CardFields:
    """Convert the metadata of Ultralytics. Raises ``ArtifactError`` for a task other than detect, obb and classify."""
    names, task = content["names"], content.get("task", "detect")
    decoder = {"detect": "yolo", "obb": "yolo-obb", "classify": "probabilities"}.get(str(task))
    if decoder is None:
        raise ArtifactError(
            f"{path} is a model for the unsupported task {_one_line(str(task))[:40]}", "export a detector or a classifier"
        )
    task = "classify" if task == "classify" else "detect"
    # Some tools write the mapping as a text inside of JSON.
    names = _literal(names) if isinstance(names, str) else names
    found: CardFields = {"task": task, "labels": ordered_names(names, str(path)), "color": "rgb", "mean": (0.0,), "std": (255.0,)}
    size = content.get("imgsz")
    if size is not None:
        found["size"] = tuple(size[:2]) if isinstance(size, list | tuple) and len(size) > 1 else (_single(size), _single(size))
    if task == "detect":
        # 114 is the grey with which Ultralytics pads images.
        return {**found, "decode": decoder, "resize": "letterbox", "align": "center", "pad_value": 114}
    return {**found, "decode": decoder, "resize": "crop"}


def _single(size: Any) -> Any:
    return size[0] if isinstance(size, list | tuple) and size else size


def from_model_info(info: Mapping[str, str], path: Path) -> CardFields:
    """Convert the metadata of OpenVINO Model API."""
    kind = info.get("model_type", "").lower()
    decoders = [decoder for name, decoder in MODEL_TYPES.items() if kind.startswith(name)]
    found: CardFields = {}
    if decoders:
        found["task"] = "detect" if decoders[0] else "classify"
        found["decode"] = decoders[0] or None
    if info.get("labels"):
        found["labels"] = _info_labels(info["labels"], str(path))
    if "reverse_input_channels" in info:
        found["color"] = "rgb" if info["reverse_input_channels"].lower() in ("yes", "true", "1") else "bgr"
    if info.get("mean_values") or info.get("scale_values") or "reverse_input_channels" in info:
        # Mean and scale are in the channel order of the model, as in a card.
        found["mean"] = _numbers(info.get("mean_values", "")) or (0.0,)
        found["std"] = _numbers(info.get("scale_values", "")) or (1.0,)
    found |= RESIZE_TYPES.get(info.get("resize_type", ""), {})
    for theirs, ours, kind_of in (
        ("pad_value", "pad_value", int),
        ("confidence_threshold", "score_threshold", float),
        ("iou_threshold", "iou_threshold", float),
    ):
        if info.get(theirs):
            found[ours] = kind_of(info[theirs])
    return {key: value for key, value in found.items() if value is not None}


def _info_labels(source: str, path: str) -> tuple[str, ...]:
    """Labels with spaces between, in which underscores are spaces; or a list."""
    if source.lstrip().startswith(("[", "{")):
        return ordered_names(_literal(source), path)
    return tuple(label.replace("_", " ").strip() for label in source.split())


def _one_line(source: str) -> str:
    return " ".join("".join(letter if letter.isprintable() else " " for letter in source).split())


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(float(part) for part in text.replace(",", " ").strip("[]").split())


def from_label_file(metadata: Mapping[str, str]) -> CardFields:
    """Read labels from the only text file in the ZIP of a TFLite model, one per line."""
    files = [text for name, text in metadata.items() if name.endswith(".txt")]
    labels = text_labels(files[0]) if len(files) == 1 else ()
    return {"labels": labels} if labels else {}
