"""Writes a card, goldens and digests into a model file of another tool, which is then used like an exported one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from edgecnn.card import CARD_KEY, WRAPPED_KEY, ModelCard, Precision
from edgecnn.errors import ArtifactError, InputError
from edgecnn.files import check_writable, write_file
from edgecnn.golden import GOLDENS_KEY, Golden, encode, sample_output, shrink_to_budget
from edgecnn.integrity.copies import copy_companions
from edgecnn.integrity.digest import sealed_parts
from edgecnn.integrity.sections import PREFIX, BrokenFileError, format_of, has_sections, ordered, read_body, split
from edgecnn.parity import value_range
from edgecnn.postprocess import decode
from edgecnn.postprocess.final_boxes import FINAL_BOXES
from edgecnn.preprocess import resize_into, to_tensor
from edgecnn.runtime.backends import Backend, file_format
from edgecnn.runtime.backends.trial_load import open_checked
from edgecnn.runtime.model import engine_record
from edgecnn.runtime.model.card_inference import CardOptions, card_for
from edgecnn.runtime.model.output_checks import output_warnings
from edgecnn.runtime.model.selftest import comparable_outputs
from edgecnn.runtime.model.stored_precision import stored_precision
from edgecnn.synthetic_inputs import pattern
from edgecnn.tasks import for_prediction
from edgecnn.types import Image, Prediction, Tensors

SYNTHETIC = ("black", "noise", "gradient")
BUDGET = 30_000  # bytes of the real image, and of the outputs of all goldens


@dataclass(frozen=True, slots=True)
class WrapConfig:
    """Which file to wrap, and what its card says.

    ``out`` None writes into the file itself, which needs ``force``; ``force`` also overwrites an existing ``out``. ``verify`` is the
    address of a dataset from which ``verify_count`` images are taken for the goldens; without one they are synthetic. ``precision``
    None: as stored in the file. ``training`` is what is known of how the model was made, for the card.
    """

    file: Path
    out: Path | None = None
    options: CardOptions = field(default_factory=CardOptions)
    name: str | None = None
    precision: Precision | None = None
    verify: str | None = None
    verify_count: int = 16
    force: bool = False
    training: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Wrapped:
    """The file that was written, its card, the kinds of its goldens, the prediction for the real one, and warnings."""

    path: Path
    card: ModelCard
    kinds: tuple[str, ...]
    prediction: Prediction | None
    warnings: tuple[str, ...]


def wrap(config: WrapConfig) -> Wrapped:
    """Write the file of ``config`` with a card, goldens made by running it, and digests.

    Raises ``InputError`` for an option that is missing or wrong, ``ArtifactError`` for a file that has a card already, is broken, or
    whose outputs do not fit the card. Nothing is written then.
    """
    out = _target(config)
    images = _real_images(config)
    backend = open_checked(config.file)
    try:
        if CARD_KEY in backend.metadata:
            raise InputError(f"{config.file} has a card already", "run it as it is, or wrap the file that it was made from")
        card = _card(backend, config)
        warnings = output_warnings(backend, card, config.file, probe=True)
        goldens, found, prediction = _goldens(backend, card, images)
    finally:
        backend.close()
    texts = {GOLDENS_KEY: encode(goldens)}
    if card.precision == "int8":
        like = [golden.outputs for golden in goldens]
        texts[engine_record.ENGINE_KEY] = engine_record.encode(found, like, file_format(config.file))
    final = _write(config.file, out, card, texts)
    return Wrapped(out, final, tuple(golden.kind for golden in goldens), prediction, warnings)


def _target(config: WrapConfig) -> Path:
    file, out = config.file, config.out
    if not file.is_file():
        raise InputError(f"the model file {file} does not exist", "check the path")
    if not has_sections(file):
        raise InputError(f"{file.name} can't hold a card", "name an .onnx, .xml or .tflite file")
    if out is None:
        if not config.force:
            raise InputError(f"{file.name} itself is not changed without --force", "give a name for the new file with --out")
        return file
    out = out / file.name if out.is_dir() else out
    taken = [path for path in (out, *format_of(out).companions(out, None).values()) if path.exists()] if has_sections(out) else []
    if taken and not config.force:
        raise InputError(f"{taken[0]} exists already", "give another name with --out, or overwrite it with --force")
    if out.suffix.lower() != file.suffix.lower():
        raise InputError(f"--out: {out} has another suffix than {file.name}", f"give a name that ends in {file.suffix}")
    check_writable(out)
    return out


def _real_images(config: WrapConfig) -> list[Image]:
    if config.verify is None:
        return []
    from edgecnn.data import open_dataset

    dataset = open_dataset(config.verify, limit=config.verify_count if config.verify.startswith("scene:") else None)
    if not len(dataset):
        raise InputError(f"--verify-data: {config.verify} has no images", "give another dataset or folder")
    places = np.unique(np.linspace(0, len(dataset) - 1, config.verify_count).astype(int))
    return [dataset.samples[int(place)].read() for place in places]


def _card(backend: Backend, config: WrapConfig) -> ModelCard:
    file = config.file
    card = card_for(backend, file, config.options)
    return card.replace(
        name=config.name or card.name,
        precision=config.precision or stored_precision(backend, file),
        model={WRAPPED_KEY: file.name},
        training=config.training,
        sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
    )


def _goldens(backend: Backend, card: ModelCard, real: Sequence[Image]) -> tuple[list[Golden], list[Tensors], Prediction | None]:
    """Goldens, the outputs that they hold, and the most confident prediction, that for the real image before it is made coarser.

    Raises ``ArtifactError`` for outputs that the decoder does not support, or that are not finite.
    """
    size, channels = card.preprocess.size, card.preprocess.channels
    inputs = [("real", _resized(image, card)) for image in real]
    inputs += [(kind, pattern(kind, *size, channels)) for kind in SYNTHETIC]
    runs = [_run(backend, card, image) for _, image in inputs]
    predictions = [decode(outputs, card) for outputs in runs]
    confident = [for_prediction(prediction).confidence(prediction) for prediction in predictions]
    chosen = [] if not real else [int(np.argmax(confident[: len(real)]))]
    chosen += range(len(real), len(inputs))
    names = [name for name in runs[0] if all(outputs[name].size for outputs in runs)]
    if not names:
        raise ArtifactError("the outputs of the model are empty for some images", "give images with objects with --verify-data")
    spreads = {name: value_range([outputs[name] for outputs in runs]) for name in names}
    limit = max(BUDGET // 2 // (len(chosen) * len(names)), 1)
    goldens, found = [], []
    for index in chosen:
        kind, image = inputs[index]
        outputs, prediction = runs[index], predictions[index]
        if kind == "real":  # the stored image may be coarser
            image = shrink_to_budget(image, BUDGET)
            outputs = _run(backend, card, image)
            prediction = decode(outputs, card)
        kept = {name: sample_output(outputs[name], spreads[name], limit) for name in names if outputs[name].size}
        by_boxes = card.decode.name == FINAL_BOXES  # rows of boxes have no fixed order
        goldens.append(Golden(kind, image, kept, prediction if kind == "real" or by_boxes else None))
        found.append(comparable_outputs(goldens[-1], outputs, card))
    return goldens, found, predictions[chosen[0]] if real else None


def _resized(image: Image, card: ModelCard) -> Image:
    out: Image = np.empty((*card.preprocess.size, card.preprocess.channels), np.uint8)
    resize_into(image, card.preprocess, out)
    return out


def _run(backend: Backend, card: ModelCard, image: Image) -> Tensors:
    spec = backend.inputs[0]
    outputs = backend.run({spec.name: to_tensor(image, card.preprocess, spec)})
    broken = [name for name, array in outputs.items() if array.dtype.kind == "f" and not np.isfinite(array).all()]
    if broken:
        raise ArtifactError(f"the output {broken[0]} has values that are NaN or infinite", "export the model again, in float32")
    return outputs


def _write(file: Path, out: Path, card: ModelCard, texts: Mapping[str, Any]) -> ModelCard:
    """The card with the digest of graph and weights, after the file was written whole."""
    try:
        sections = split(file)
        body = read_body(file, sections)
        others = {key: text for key, text in sections.texts.items() if not key.startswith(PREFIX)}
        final, body, written = sealed_parts(file, card, {**others, **texts})
    except (BrokenFileError, OSError) as error:
        raise ArtifactError(f"{file} can't be taken apart: {error}", "export the model again") from error
    if out != file:
        copy_companions(file, out, body)
    write_file(out, format_of(file).join(body, ordered(written)))
    assert final is not None
    return final
