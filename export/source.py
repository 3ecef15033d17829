"""Loads the model to export: a checkpoint with its card, or any PyTorch model with a card built from options."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from edgecnn.card import CLASS_THRESHOLDS, READ, Decode, ModelCard, Preprocess
from edgecnn.errors import ArtifactError, InputError
from edgecnn.export import factory, program, weights_record
from edgecnn.export.config import ModelOptions
from edgecnn.export.deployed import deployed
from edgecnn.export.tensor_graph import tensor_card
from edgecnn.models.checkpoint import SUFFIX, load_checkpoint, read_card
from edgecnn.models.factories import is_factory, name_factory
from edgecnn.postprocess import find
from edgecnn.shown_scores import with_class_thresholds
from edgecnn.tasks import TASKS, for_decoder
from edgecnn.thresholds import DECODE_OPTIONS
from edgecnn.types import TensorSpec

PREPROCESS = ("resize", "align", "pad_value", "color", "mean", "std")


def load_model(target: str, options: ModelOptions) -> tuple[nn.Module, ModelCard]:
    """The model that ``target`` names and the card of its PyTorch side.

    ``target`` is a checkpoint (a path or a shipped name), a .pt2 program or ``package.module:factory``.
    Raises ``InputError`` or ``ArtifactError`` where it is missing, broken or lacks an option.
    """
    if Path(target).suffix == program.SUFFIX:
        return _from_program(Path(target), options)
    if is_factory(target):
        return _from_factory(target, options)
    return _with_options(*load_checkpoint(target), options)


def _with_options(model: nn.Module, card: ModelCard, options: ModelOptions) -> tuple[nn.Module, ModelCard]:
    """A checkpoint, whose card has all settings but the thresholds of the decoder."""
    given = options.given()
    chosen = given.pop(CLASS_THRESHOLDS, None)
    refused = [name for name in given if name not in DECODE_OPTIONS]
    if refused:
        option = refused[0].replace("_", "-")
        raise InputError(f"--{option} can't be used with a checkpoint, whose card already has this setting", "remove the option")
    card = card.replace(decode=Decode(card.decode.name, {**card.decode.options, **given}))
    return model, with_class_thresholds(card, chosen)


def _checkpoint_of(target: str, weights: Path) -> tuple[nn.Module, ModelCard] | None:
    """The checkpoint at ``weights``, where it holds the weights of the factory ``target``, as `edgecnn compress` writes it."""
    if weights.suffix != SUFFIX or not weights.is_file():
        return None
    try:
        card = read_card(weights)
    except ArtifactError:  # weights without a card
        return None
    if card.model.get("name") != target:
        return None
    name_factory(target)
    return load_checkpoint(weights)


def _from_program(path: Path, options: ModelOptions) -> tuple[nn.Module, ModelCard]:
    model, shape, digest = program.read_program(path)
    if shape[0] != 1:
        one = "x".join(map(str, (1, *shape[1:])))
        raise InputError(f"{path} was traced with a batch of {shape[0]} images", f"trace it with one: an example input of {one}")
    if options.weights is not None:
        raise InputError("--weights can't be used with a .pt2 program, which has its weights inside", "remove the option")
    if options.input_shape not in (None, shape):
        given, fixed = ("x".join(map(str, one)) for one in (options.input_shape or (), shape))
        raise InputError(f"--input {given} is not the input of {path}, which was traced with {fixed}", "remove the option")
    return deployed(model, make_card(path.stem, shape, options).replace(sha256=digest))


def _from_factory(target: str, options: ModelOptions) -> tuple[nn.Module, ModelCard]:
    if options.weights is not None and (found := _checkpoint_of(target, options.weights)) is not None:
        rest = dataclasses.replace(options, weights=None)
        return _with_options(*found, rest)
    if options.input_tensors:
        return _of_tensors(target, options)
    if options.input_shape is None:
        raise InputError("the input shape of the model is unknown", "give it, for example --input 1x3x224x224")
    card = make_card(target.partition(":")[2], options.input_shape, options)
    built = factory.load(target, options.weights, options.weights_key, options.input_shape)
    return deployed(built.model, card.replace(sha256=built.sha256, training={weights_record.KEY: built.record}))


def _of_tensors(target: str, options: ModelOptions) -> tuple[nn.Module, ModelCard]:
    given, shapes = options.card.given(), [one.shape for one in options.input_tensors]
    if "task" in given and not TASKS[given["task"]].any_input:
        shown = ", ".join("x".join(map(str, shape)) for shape in shapes)
        raise InputError(
            f"--task {given['task']} needs one image as its input, 1xCxHxW with 1 or 3 channels, not {shown}",
            "give --task raw, which takes any inputs",
        )
    refused = [name for name in given if name not in ("task", "decode")]
    if refused:
        option = refused[0].replace("_", "-")
        raise InputError(f"--{option} can't be used with a model of tensors, which are not prepared", "remove the option")
    built = factory.load(target, options.weights, options.weights_key, *shapes)
    card = tensor_card(target.partition(":")[2], built.model, options.input_tensors, options.output_names)
    return built.model, card.replace(sha256=built.sha256, training={weights_record.KEY: built.record})


def make_card(name: str, shape: tuple[int, ...], options: ModelOptions) -> ModelCard:
    """A card for a model without one; defaults: RGB, pixels scaled to 0..1, resize rule and decoder of the task."""
    if len(shape) != 4 or shape[0] != 1 or shape[1] not in (1, 3):
        raise InputError(
            f"input shape {'x'.join(map(str, shape))} is not 1xCxHxW with 1 or 3 channels",
            "give it, for example --input 1x3x224x224, or --task raw for a model whose input is no image",
        )
    given = options.card.given()
    if "task" not in given:
        raise InputError("the task of the model is unknown", f"give --task {', '.join(TASKS)}")
    task = TASKS[given["task"]]
    if "labels" not in given and task.needs_labels:
        raise InputError("the class names are unknown", "give them with --labels a,b,c or --labels FILE, one name per line")
    if "decode" not in given and not task.default_decoder:
        raise InputError("the decoder of the outputs is unknown", "name it with --decode, for example yolox or yolo")
    limits = _only(given, DECODE_OPTIONS) | ({READ: list(options.decode_outputs)} if options.decode_outputs else {})
    decode = Decode(given.get("decode", task.default_decoder), limits)
    find(decode.name)
    if decode.name not in task.decoders:
        raise InputError(
            f"--decode {decode.name} gives the results of --task {for_decoder(decode.name).name}, not of {task.name}",
            f"name one of {', '.join(task.decoders)}",
        )
    card = ModelCard(
        name=name,
        task=given["task"],
        labels=given.get("labels", ()),
        preprocess=_preprocess(shape, given),
        decode=decode,
        inputs=(TensorSpec("image", shape, "float32", "NCHW"),),
        outputs=tuple(TensorSpec(output, (), "float32") for output in options.output_names),
    )
    return with_class_thresholds(card, given.get(CLASS_THRESHOLDS))


def _preprocess(shape: tuple[int, ...], given: Mapping[str, Any]) -> Preprocess:
    defaults: dict[str, Any] = {
        "resize": TASKS[given["task"]].resize,
        "color": "gray" if shape[1] == 1 else "rgb",
        "std": (255.0,),
    }
    try:
        return Preprocess(size=(shape[2], shape[3]), **{**defaults, **_only(given, PREPROCESS)})
    except ValueError as error:
        raise InputError(
            f"the preprocessing options do not fit: {str(error).partition(': ')[0]}", "correct --color, --mean or --std"
        ) from error


def _only(given: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: given[name] for name in names if name in given}
