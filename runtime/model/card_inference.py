"""Reads the card of a model file and applies options to it; a file without a card gets an inferred one."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgecnn.card import CARD_KEY, CLASS_THRESHOLDS, Decode, ModelCard, Preprocess
from edgecnn.errors import ArtifactError, InputError
from edgecnn.labels import parse_labels
from edgecnn.postprocess import find
from edgecnn.postprocess.final_boxes import NMS_OF
from edgecnn.runtime.backends import Backend
from edgecnn.shown_scores import with_class_thresholds
from edgecnn.thresholds import DECODE_OPTIONS
from edgecnn.types import TensorSpec


@dataclass(frozen=True, slots=True)
class CardOptions:
    """Settings that override the card of a model file; None keeps the setting of the file.

    ``labels`` is a file with one name per line, or the names themselves, separated by commas. ``size`` is (height, width) in
    pixels. ``score_threshold`` and ``iou_threshold`` are in 0..1. ``class_agnostic``: boxes of different classes suppress each
    other, too. ``class_thresholds`` are pairs of a class name and the score from
    which boxes of the class are shown; () removes those of the card.
    """

    task: str | None = None
    decode: str | None = None
    labels: Path | None = None
    size: tuple[int, int] | None = None
    resize: str | None = None
    align: str | None = None
    pad_value: int | None = None
    color: str | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    score_threshold: float | None = None
    iou_threshold: float | None = None
    max_detections: int | None = None
    label_threshold: float | None = None
    class_agnostic: bool | None = None
    class_thresholds: tuple[tuple[str, float], ...] | None = None

    def given(self) -> dict[str, Any]:
        """Return the settings that are not None, by name; labels are read from their file. Raises ``InputError``."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        if self.labels is not None:
            values["labels"] = _read_labels(self.labels)
        return {name: value for name, value in values.items() if value is not None}


def card_for(backend: Backend, path: Path, options: CardOptions) -> ModelCard:
    """Return the card of the file at ``path``, changed by ``options`` and checked against the tensors of the file.

    Raises ``ArtifactError`` for a card that does not fit its file, and ``InputError`` for a missing or wrong option.
    """
    given = options.given()
    chosen = given.pop(CLASS_THRESHOLDS, None)
    if "decode" in given:
        # A wrong decoder name is reported before inference of the card, whose errors would name other options.
        find(given["decode"])
    text = backend.metadata.get(CARD_KEY)
    if text is None:
        # Imported late: only files of other tools need it.
        from edgecnn.runtime.model.inferred_card import infer_card

        card = infer_card(backend, path, given)
    else:
        card = _changed(ModelCard.from_json(text, str(path)), given, path)
    card = with_class_thresholds(card, chosen)
    card = card.replace(inputs=card.inputs or backend.inputs, outputs=backend.outputs if not card.outputs else card.outputs)
    find(card.decode.name)
    check_fit(card, backend, path)
    return card


def _read_labels(given: Path) -> tuple[str, ...]:
    try:
        return parse_labels(given)
    except InputError as error:
        raise InputError(f"--labels: {error.problem}", error.fix) from error


def _changed(card: ModelCard, given: dict[str, Any], path: Path) -> ModelCard:
    fields = {field.name for field in dataclasses.fields(Preprocess)}
    try:
        preprocess = dataclasses.replace(card.preprocess, **{name: given[name] for name in given if name in fields})
    except ValueError as error:
        raise InputError(f"the preprocessing options do not fit together: {error}", "correct --color, --mean or --std") from error
    limits: dict[str, Any] = {name: given[name] for name in DECODE_OPTIONS if name in given}
    own, labels = card.decode.options, given.get("labels", card.labels)
    if CLASS_THRESHOLDS in own and labels != card.labels:  # other names for the same classes
        renamed = dict(zip(card.labels, labels, strict=False))
        limits[CLASS_THRESHOLDS] = {renamed[name]: score for name, score in own[CLASS_THRESHOLDS].items() if name in renamed}
    if NMS_OF in card.decode.options:
        limits = _within_graph(card, limits, path)
    return card.replace(
        task=given.get("task", card.task),
        labels=labels,
        preprocess=preprocess,
        decode=Decode(given.get("decode", card.decode.name), {**own, **limits}),
    )


def _within_graph(card: ModelCard, limits: dict[str, Any], path: Path) -> dict[str, Any]:
    """The limits that a file with NMS in its graph can follow: it may give fewer boxes than it holds, but not others."""
    own = card.decode.options
    if limits.get("iou_threshold", own["iou_threshold"]) != own["iou_threshold"]:
        raise InputError(
            f"--iou-threshold can't change {path.name}, whose graph suppresses boxes with {own['iou_threshold']:g}",
            "leave it out, or export the model again with it",
        )
    if limits.get("class_agnostic", own.get("class_agnostic", False)) != own.get("class_agnostic", False):
        raise InputError(
            f"--class-agnostic can't change {path.name}, whose graph suppresses boxes itself",
            "leave it out, or export the model again with it",
        )
    if "score_threshold" in limits:
        limits["score_threshold"] = max(limits["score_threshold"], own["score_threshold"])
    if "max_detections" in limits:
        limits["max_detections"] = min(limits["max_detections"], own["max_detections"])
    return limits


def check_fit(card: ModelCard, backend: Backend, path: Path) -> None:
    """Raise ``ArtifactError`` if tensors, size, channels or number of labels of the card differ from those of the file."""
    for kind, declared, actual in (("inputs", card.inputs, backend.inputs), ("outputs", card.outputs, backend.outputs)):
        if not _same(declared, actual):
            raise ArtifactError(
                f"the {kind} of {path} are {_shown(actual)}, but its card says {_shown(declared)}", "export the model again"
            )
    if card.preprocess.tensors:
        if not _same(card.preprocess.tensors, backend.inputs):
            shown = _shown(card.preprocess.tensors)
            raise ArtifactError(f"{path} takes {_shown(backend.inputs)}, not {shown} of its card", "export the model again")
        return
    if len(backend.inputs) != 1:
        raise ArtifactError(f"{path} has the inputs {_shown(backend.inputs)} instead of one image", "export it with one input")
    if not takes(card.preprocess, backend.inputs[0]):
        size = "x".join(map(str, card.preprocess.size))
        raise ArtifactError(
            f"{path} takes {_shown(backend.inputs)}, not the {size} pixels with {card.preprocess.channels} channels of its card",
            "correct --size or --color, or export the model again",
        )
    _check_labels(card, backend, path)


def _check_labels(card: ModelCard, backend: Backend, path: Path) -> None:
    from edgecnn.runtime.model.tensor_shapes import class_choices

    counts = class_choices(card.decode.name, backend.outputs, card.preprocess.size)
    if counts and len(card.labels) not in counts:
        raise ArtifactError(
            f"the outputs of {path} have {' or '.join(map(str, counts))} class{'' if counts == (1,) else 'es'}, "
            f"but there {'is 1 class name' if len(card.labels) == 1 else f'are {len(card.labels)} class names'}",
            "correct --labels",
        )


def takes(preprocess: Preprocess, spec: TensorSpec) -> bool:
    """Return whether an image input has the size and channels of ``preprocess``; a dynamic size (-1) fits any."""
    size, channels = preprocess.size, preprocess.channels
    expected = (channels, *size) if spec.layout == "NCHW" else (*size, channels)
    return len(spec.shape) == 4 and all(actual in (-1, length) for length, actual in zip(expected, spec.shape[1:], strict=True))


def _same(declared: tuple[TensorSpec, ...], actual: tuple[TensorSpec, ...]) -> bool:
    # Compared by name: engines may list the tensors in another order.
    by_name = {spec.name: spec for spec in actual}
    return declared is actual or (
        {spec.name for spec in declared} == by_name.keys()
        and all(spec.dtype == by_name[spec.name].dtype and _fits(spec.shape, by_name[spec.name].shape) for spec in declared)
    )


def _fits(declared: tuple[int, ...], actual: tuple[int, ...]) -> bool:
    return len(declared) == len(actual) and all(-1 in (a, b) or a == b for a, b in zip(declared, actual, strict=True))


def _shown(specs: tuple[TensorSpec, ...]) -> str:
    return ", ".join(f"{spec.name} {spec.dtype} {'x'.join(map(str, spec.shape))}" for spec in specs)
