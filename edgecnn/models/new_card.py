"""Creates the card of a new model: inputs, preprocessing, outputs and decoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgecnn.card import Decode, ModelCard, Preprocess
from edgecnn.models.registry import create, defaults
from edgecnn.thresholds import MAX_DETECTIONS, NMS_IOU
from edgecnn.types import TensorSpec

DETECT: Mapping[str, Any] = {
    "strides": [8, 16, 32],
    "score_threshold": 0.05,
    "iou_threshold": NMS_IOU,
    "max_detections": MAX_DETECTIONS,
}


def new_card(name: str, options: Mapping[str, Any], labels: Sequence[str]) -> ModelCard:
    """The card of the model ``name`` of the registry with ``options``, for ``labels`` (for regression: names of the values).

    Pixels are divided by 255 and no mean is subtracted, so that the scale folds into the first convolution.
    Raises ``InputError`` for an unknown model or option, ``ValueError`` for a number of labels that is not the model's ``classes``.
    """
    model = create(name, **options)
    size, task = model.size, model.task
    values = defaults(name) | dict(options)
    channels = int(values["channels"])
    if len(labels) != values["classes"]:
        raise ValueError(f"{len(labels)} labels do not match the classes of the model in {options}")
    preprocess = Preprocess(
        size=size,  # type: ignore[arg-type]
        resize="letterbox" if task == "detect" else "stretch",
        color="gray" if channels == 1 else "rgb",
        std=(255.0,),
    )
    return ModelCard(
        name=name,
        task=task,  # type: ignore[arg-type]
        labels=tuple(labels),
        preprocess=preprocess,
        decode=_decode(str(task), len(labels)),
        inputs=(TensorSpec("image", (1, channels, *preprocess.size), "float32", "NCHW"),),
        outputs=_outputs(str(task), preprocess.size, len(labels)),
        model={"name": name, "options": dict(options)},
    )


def _decode(task: str, classes: int) -> Decode:
    if task == "detect":
        return Decode("fcos", dict(DETECT))
    if task == "regress":
        return Decode("values", {"scale": [1.0] * classes, "offset": [0.0] * classes})
    return Decode("softmax")


def _outputs(task: str, size: tuple[int, int], classes: int) -> tuple[TensorSpec, ...]:
    if task != "detect":
        return (TensorSpec("values" if task == "regress" else "logits", (1, classes), "float32"),)
    cells = sum((size[0] // stride) * (size[1] // stride) for stride in DETECT["strides"])
    return TensorSpec("boxes", (1, cells, 4), "float32"), TensorSpec("scores", (1, cells, classes), "float32")
