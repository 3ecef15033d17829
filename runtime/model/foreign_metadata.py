"""Reads metadata of Ultralytics, OpenVINO Model API and TFLite label files as fields of a card."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgecnn.errors import ArtifactError, InputError
from edgecnn.labels import load_yaml, ordered_names, text_labels

CardFields = dict[str, Any]

MODEL_TYPES = {"ssd": "ssd", "yolox": "yolox", "yolo": "yolo", "classification": ""}
RESIZE_TYPES = {
    "standard": {"resize": "stretch"},
    "crop": {"resize": "crop"},
    "fit_to_window": {"resize": "letterbox", "align": "corner"},
    "fit_to_window_letterbox": {"resize": "letterbox", "align": "center"},
}


def read_metadata(metadata: Mapping[str, str], path: Path) -> CardFields:
    """Read task, labels, decoder and preprocessing from ``metadata``, or from a metadata.yaml beside the file.

    Raises ``ArtifactError`` if metadata of a known tool can't be read.
    """
    try:
        return _card_fields(metadata, path)
    except (InputError, TypeError, ValueError, KeyError, IndexError) as error:
        reason = error.problem if isinstance(error, InputError) else error
        raise ArtifactError(f"the metadata in or beside {path} is not readable ({reason})", "export the model again") from error


def _card_fields(metadata: Mapping[str, str], path: Path) -> CardFields:
    ultralytics = _ultralytics_record(metadata, path)
    if ultralytics:
        return from_ultralytics(ultralytics, path)
    info = {key.removeprefix("model_info."): text for key, text in metadata.items() if key.startswith("model_info.")}
    return from_model_info(info) if info else from_label_file(metadata)


def _ultralytics_record(metadata: Mapping[str, str], path: Path) -> Mapping[str, Any]:
    """Return the metadata of Ultralytics: ONNX properties, a file in the ZIP of a TFLite model, or metadata.yaml."""
    if "names" in metadata and "task" in metadata:
        # ONNX properties are texts: Ultralytics writes the repr() of each value.
        return {key: _literal(text) for key, text in metadata.items()}
    # Newer versions append metadata.json to a .tflite file, older ones temp_meta.txt with a Python literal.
    for name in ("metadata.json", "temp_meta.txt"):
        if name in metadata:
            record = _literal(metadata[name])
            return record if isinstance(record, dict) and "names" in record else {}
    # An ONNX file has its own properties: a metadata.yaml beside it belongs to another export.
    beside = path.with_name("metadata.yaml")
    if path.suffix == ".onnx" or not beside.is_file():
        return {}
    record = load_yaml(beside)
    return record if isinstance(record, dict) and record.get("names") and "task" in record else {}


def _literal(text: str) -> Any:
    """Parse a Python or JSON literal; return other text unchanged."""
    import ast

    for read in (ast.literal_eval, json.loads):
        try:
            return read(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
    return text


def from_ultralytics(record: Mapping[str, Any], path: Path) -> CardFields:
    """Convert the metadata of Ultralytics. Raises ``ArtifactError`` for a task other than detect and classify."""
    names, task = record["names"], record.get("task", "detect")
    if task not in ("detect", "classify"):
        raise ArtifactError(f"{path} is a model for the unsupported task {task}", "export a detector or a classifier")
    labels = ordered_names(names, str(path))
    found: CardFields = {"task": task, "labels": labels, "color": "rgb", "mean": (0.0,), "std": (255.0,)}
    if record.get("imgsz"):
        size = record["imgsz"]
        found["size"] = (int(size), int(size)) if isinstance(size, int) else (int(size[0]), int(size[1]))
    if task == "detect":
        # 114 is the grey with which Ultralytics pads images.
        return {**found, "decode": "yolo", "resize": "letterbox", "align": "center", "pad_value": 114}
    return {**found, "decode": "probabilities", "resize": "crop"}


def from_model_info(info: Mapping[str, str]) -> CardFields:
    """Convert the metadata of OpenVINO Model API; it writes spaces in labels as underscores."""
    kind = info.get("model_type", "").lower()
    decoders = [decoder for name, decoder in MODEL_TYPES.items() if kind.startswith(name)]
    found: CardFields = {}
    if decoders:
        found["task"] = "detect" if decoders[0] else "classify"
        found["decode"] = decoders[0] or None
    if info.get("labels"):
        found["labels"] = tuple(label.replace("_", " ") for label in info["labels"].split())
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


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(float(part) for part in text.replace(",", " ").strip("[]").split())


def from_label_file(metadata: Mapping[str, str]) -> CardFields:
    """Read labels from the only text file in the ZIP of a TFLite model, one per line."""
    files = [text for name, text in metadata.items() if name.endswith(".txt")]
    labels = text_labels(files[0]) if len(files) == 1 else ()
    return {"labels": labels} if labels else {}
