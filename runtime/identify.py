"""Which card a model file has: its own, else what other tools wrote into it, what its shapes say and what the user gives."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgecnn.card import CARD_KEY, Decode, ModelCard, Preprocess
from edgecnn.errors import ArtifactError, InputError
from edgecnn.postprocess import find
from edgecnn.runtime.backends import Backend
from edgecnn.types import TensorSpec

_PREPROCESS = ("size", "resize", "align", "pad_value", "color", "mean", "std")
_DECODE = ("score_threshold", "iou_threshold", "max_detections")


@dataclass(frozen=True, slots=True)
class CardOptions:
    """What a user may say about a model file; None leaves it to the file. ``size`` is (height, width), ``labels`` one name a line."""

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

    def given(self, *names: str) -> dict[str, Any]:
        """Those of ``names`` that were given, by name."""
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}


def card_for(backend: Backend, path: Path, options: CardOptions) -> ModelCard:
    """The card of the file at ``path``, changed by ``options`` and checked against the tensors that the file has.

    Raises ``ArtifactError`` for a card that does not fit its file, ``InputError`` where an option is missing or wrong.
    """
    text = backend.metadata.get(CARD_KEY)
    if text is None:
        raise InputError(f"a card in {path}", "none", "export it with edgecnn")
    card = _changed(ModelCard.from_json(text, str(path)), options)
    card = card.replace(inputs=card.inputs or backend.inputs, outputs=card.outputs or backend.outputs)
    find(card.decode.name)
    check_fit(card, backend, path)
    return card


def read_labels(path: Path) -> tuple[str, ...]:
    """Class names, one a line, empty lines at the end left out; raises ``InputError`` where the file can't be read."""
    try:
        lines = path.read_text(encoding="utf-8").rstrip().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"a file of class names at {path}", str(error), "check the path given with --labels") from error
    if not lines:
        raise InputError(f"class names, one a line, in {path}", "an empty file", "write the names of the classes into it")
    return tuple(line.strip() for line in lines)


def _changed(card: ModelCard, options: CardOptions) -> ModelCard:
    try:
        preprocess = dataclasses.replace(card.preprocess, **options.given(*_PREPROCESS))
    except ValueError as error:
        raise InputError("options that fit together", str(error), "correct --color, --mean or --std") from error
    return card.replace(
        **options.given("task"),
        labels=read_labels(options.labels) if options.labels else card.labels,
        preprocess=preprocess,
        decode=Decode(options.decode or card.decode.name, {**card.decode.options, **options.given(*_DECODE)}),
    )


def check_fit(card: ModelCard, backend: Backend, path: Path) -> None:
    """Raise ``ArtifactError`` where the card's tensors, size or channels are not those of the file."""
    for kind, wanted, found in (("inputs", card.inputs, backend.inputs), ("outputs", card.outputs, backend.outputs)):
        if not _same(wanted, found):
            raise ArtifactError(f"{kind} {_shown(wanted)} as the card of {path} says", _shown(found), "export the model again")
    if len(backend.inputs) != 1:
        raise ArtifactError(f"a model with one image input in {path}", _shown(backend.inputs), "export it with one input")
    if not takes(card.preprocess, backend.inputs[0]):
        size = "x".join(map(str, card.preprocess.size))
        raise ArtifactError(
            f"an input of {size} pixels and {card.preprocess.channels} channels for the card of {path}",
            _shown(backend.inputs),
            "correct --size or --color, or export the model again",
        )


def takes(preprocess: Preprocess, spec: TensorSpec) -> bool:
    """Whether an image input has the size and channels of ``preprocess``, free sizes (-1) fitting all."""
    size, channels = preprocess.size, preprocess.channels
    wanted = (1, channels, *size) if spec.layout == "NCHW" else (1, *size, channels)
    return len(spec.shape) == 4 and all(have in (-1, want) for want, have in zip(wanted, spec.shape, strict=True))


def _same(wanted: tuple[TensorSpec, ...], found: tuple[TensorSpec, ...]) -> bool:
    have = {spec.name: spec for spec in found}
    return wanted is found or (
        {spec.name for spec in wanted} == have.keys()
        and all(spec.dtype == have[spec.name].dtype and _fits(spec.shape, have[spec.name].shape) for spec in wanted)
    )


def _fits(wanted: tuple[int, ...], found: tuple[int, ...]) -> bool:
    return len(wanted) == len(found) and all(-1 in (a, b) or a == b for a, b in zip(wanted, found, strict=True))


def _shown(specs: tuple[TensorSpec, ...]) -> str:
    return ", ".join(f"{spec.name} {spec.dtype} {'x'.join(map(str, spec.shape))}" for spec in specs)
