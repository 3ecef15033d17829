"""Reads config.json and preprocessor_config.json of Hugging Face transformers and timm, beside a model file, as fields of a card."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgecnn.labels import ordered_names
from edgecnn.schema import parse_json
from edgecnn.text_files import read_text

CONFIG, PREPROCESSOR = "config.json", "preprocessor_config.json"
DETR_TYPES = ("detr", "rt_detr", "d_fine", "yolos", "dab", "rf_detr")
MOST_BYTES = 1 << 24
PIXELS = 255.0  # transformers and timm give mean and std for pixels of 0..1


def read_config(path: Path) -> dict[str, Any]:
    """Return what the configuration beside ``path`` says, or that above a folder called onnx; {} where there is none.

    Raises ``InputError``, ``ValueError`` or ``TypeError`` for one that can't be read.
    """
    folders = [path.parent, *([path.parent.parent] if path.parent.name in ("onnx", "openvino", "tflite") else [])]
    for folder in folders:
        model, images = _load(folder / CONFIG), _load(folder / PREPROCESSOR)
        found = {**_from_model(model), **_from_timm(model), **_from_preprocessor(images)}
        if found:
            return found
    return {}


def _load(path: Path) -> Mapping[str, Any]:
    if not path.is_file() or path.stat().st_size > MOST_BYTES:
        return {}
    content = parse_json(read_text(path))
    return content if isinstance(content, dict) else {}


def _from_model(config: Mapping[str, Any]) -> dict[str, Any]:
    """Labels and task of a model of transformers: https://huggingface.co/docs/transformers/main_classes/configuration."""
    kinds = config.get("architectures")
    kind = str(kinds[0]) if isinstance(kinds, list) and kinds else ""
    found: dict[str, Any] = {}
    if kind.endswith("ForImageClassification"):
        found |= {"task": "classify", "decode": "softmax"}
    elif kind.endswith("ForObjectDetection") and any(name in str(config.get("model_type")) for name in DETR_TYPES):
        found |= {"task": "detect", "decode": "detr"}
    if found and config.get("id2label"):
        found["labels"] = ordered_names({int(key): name for key, name in config["id2label"].items()}, CONFIG)
    return found


def _from_preprocessor(config: Mapping[str, Any]) -> dict[str, Any]:
    """Size, mean and std of an image processor of transformers, whose images are RGB."""
    if not any(name in config for name in ("image_processor_type", "feature_extractor_type", "image_mean")):
        return {}
    found: dict[str, Any] = {"color": "rgb"}
    factor = 1.0
    if config.get("do_rescale", True):
        factor = 1.0 / float(config.get("rescale_factor") or 1 / PIXELS)
    if config.get("do_normalize", True) and config.get("image_mean") and config.get("image_std"):
        found["mean"] = tuple(float(value) * factor for value in config["image_mean"])
        found["std"] = tuple(float(value) * factor for value in config["image_std"])
    else:
        found |= {"mean": (0.0,), "std": (factor,)}
    size = config.get("crop_size") if config.get("do_center_crop") else config.get("size")
    cropped = bool(config.get("do_center_crop"))
    if isinstance(size, int):
        size = {"height": size, "width": size}
    if isinstance(size, Mapping) and "height" in size and "width" in size:
        found |= {"size": (size["height"], size["width"]), "resize": "crop" if cropped else "stretch"}
    elif isinstance(size, Mapping) and "shortest_edge" in size:
        # the longer edge is open: the tensor has the size, and cropping keeps the shape of objects
        found["resize"] = "crop" if "longest_edge" not in size else "stretch"
    return found


def _from_timm(config: Mapping[str, Any]) -> dict[str, Any]:
    """Mean, std, size and labels of a timm model: the config.json that timm writes for the Hugging Face hub."""
    images = config.get("pretrained_cfg")
    if not isinstance(images, Mapping) or "architecture" not in config:
        return {}
    found: dict[str, Any] = {"task": "classify", "decode": "softmax", "color": "rgb", "resize": "crop"}
    if images.get("mean") and images.get("std"):
        found["mean"], found["std"] = (tuple(float(value) * PIXELS for value in images[name]) for name in ("mean", "std"))
    if images.get("input_size"):
        found["size"] = tuple(int(length) for length in images["input_size"][1:])
    labels = config.get("label_names") or images.get("label_names")
    if labels:
        found["labels"] = tuple(str(name) for name in labels)
    return found
