"""Creates the card of a new model: inputs, preprocessing, outputs and decoder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from edgecnn.card import Decode, ModelCard, Preprocess, Resize
from edgecnn.models.registry import create, defaults
from edgecnn.task_names import TaskName
from edgecnn.thresholds import LABEL_SCORE, MATCH_SIMILARITY, MAX_DETECTIONS, NMS_IOU
from edgecnn.types import TensorSpec

Options = Mapping[str, Any]
DETECT: Options = {
    "strides": [8, 16, 32],
    "score_threshold": 0.05,
    "iou_threshold": NMS_IOU,
    "max_detections": MAX_DETECTIONS,
}
STRIDE, MAX_OBJECTS = 4, 100  # of the maps of EdgeSeg and EdgePose; of a pose network
POSE: Mapping[str, Any] = {"score_threshold": 0.3, "max_detections": MAX_OBJECTS, "reach": 0.5}


def new_card(name: str, options: Mapping[str, Any], labels: Sequence[str]) -> ModelCard:
    """The card of the model ``name`` of the registry with ``options``, for ``labels`` (names of values for regression).

    Pixels are divided by 255 and no mean is subtracted, so that the scale folds into the first convolution.
    Raises ``InputError`` for an unknown model or option, ``ValueError`` for a number of labels that is not the model's ``classes``.
    """
    model = create(name, **options)
    size, task = model.size, cast(TaskName, model.task)
    own = OUTPUTS[task]
    values = defaults(name) | dict(options)
    channels = int(values.get("channels", 1))
    if len(labels) != values.get("classes", 0):
        raise ValueError(f"{len(labels)} labels do not match the classes of the model in {options}")
    preprocess = Preprocess(
        size=size,  # type: ignore[arg-type]
        resize=own.resize,
        color="gray" if channels == 1 else "rgb",
        std=(255.0,),
    )
    return ModelCard(
        name=name,
        task=task,
        labels=tuple(labels),
        preprocess=preprocess,
        decode=own.decode(values),
        inputs=(TensorSpec("image", (1, channels, *preprocess.size), "float32", "NCHW"),),
        outputs=own.specs(preprocess.size, values),
        model={"name": name, "options": dict(options)},
    )


@dataclass(frozen=True, slots=True)
class _NewModel:
    """Resize rule, decoder and outputs of the own models of one task, by the options of a model and its input size."""

    resize: Resize
    decode: Callable[[Options], Decode]
    specs: Callable[[tuple[int, int], Options], tuple[TensorSpec, ...]]


def _boxes_and_scores(size: tuple[int, int], options: Options) -> tuple[TensorSpec, ...]:
    cells = sum((size[0] // stride) * (size[1] // stride) for stride in DETECT["strides"])
    return TensorSpec("boxes", (1, cells, 4), "float32"), TensorSpec("scores", (1, cells, options["classes"]), "float32")


def _unscaled(options: Options) -> Decode:
    return Decode("values", {"scale": [1.0] * options["classes"], "offset": [0.0] * options["classes"]})


def _picture(options: Options) -> Decode:
    color = "gray" if options["channels"] == 1 else "rgb"
    return Decode("picture", {"scale": 255.0, "color": color, "upscale": options["upscale"], "noise": options["noise"]})


def _row(name: str, number: str) -> Callable[[tuple[int, int], Options], tuple[TensorSpec, ...]]:
    """One output ``name`` with as many numbers as the option ``number`` says."""
    return lambda _, options: (TensorSpec(name, (1, int(options[number])), "float32"),)


def _enlarged(size: tuple[int, int], options: Options) -> tuple[TensorSpec, ...]:
    height, width = (side * int(options["upscale"]) for side in size)
    return (TensorSpec("picture", (1, int(options["channels"]), height, width), "float32"),)


def _map(name: str, channels: int, size: tuple[int, int]) -> TensorSpec:
    return TensorSpec(name, (1, channels, size[0] // STRIDE, size[1] // STRIDE), "float32")


def _labels(_: Options) -> Decode:
    return Decode("sigmoid", {"label_threshold": LABEL_SCORE})


OUTPUTS: Mapping[TaskName, _NewModel] = {
    "classify": _NewModel("stretch", lambda _: Decode("softmax"), _row("logits", "classes")),
    "detect": _NewModel("letterbox", lambda _: Decode("fcos", dict(DETECT)), _boxes_and_scores),
    "segment": _NewModel(
        "letterbox", lambda _: Decode("argmax"), lambda size, options: (_map("logits", options["classes"], size),)
    ),
    "multilabel": _NewModel("stretch", _labels, _row("logits", "classes")),
    "pose": _NewModel(
        "letterbox",
        lambda _: Decode("centres", dict(POSE)),
        lambda size, options: (_map("centres", 1, size), _map("offsets", 2 * options["classes"], size)),
    ),
    "regress": _NewModel("stretch", _unscaled, _row("values", "classes")),
    "embed": _NewModel("letterbox", lambda _: Decode("embedding", {"match_threshold": MATCH_SIMILARITY}), _row("vector", "dim")),
    "signal": _NewModel("stretch", lambda _: Decode("window-softmax"), _row("logits", "classes")),
    "restore": _NewModel("crop", _picture, _enlarged),
}
