"""What is exported: a checkpoint with its card, or anybody's model with a card made of options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

from edgecnn.card import Decode, ModelCard, Preprocess
from edgecnn.errors import InputError
from edgecnn.export import factory, program
from edgecnn.models import load_checkpoint
from edgecnn.postprocess import find
from edgecnn.runtime.model.card_inference import CardOptions
from edgecnn.types import TensorSpec

PREPROCESS = ("resize", "align", "pad_value", "color", "mean", "std")
DECODE = ("score_threshold", "iou_threshold", "max_detections")


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """What a user says about a model without a card: the shape of its input (1, C, H, W), its weights, names of its outputs."""

    card: CardOptions = field(default_factory=CardOptions)
    weights: Path | None = None
    input: tuple[int, ...] | None = None
    outputs: tuple[str, ...] = ()

    def given(self) -> dict[str, Any]:
        """What was given, by the names that the command line has for it; labels as names."""
        own = {"weights": self.weights, "input": self.input, "output_names": self.outputs}
        return {name: value for name, value in own.items() if value} | self.card.given()


def load(target: str, options: ModelOptions) -> tuple[nn.Module, ModelCard]:
    """The model that ``target`` names and the card of its PyTorch side.

    ``target`` is a checkpoint (a path or a shipped name), a .pt2 program or ``package.module:factory``.
    Raises ``InputError`` or ``ArtifactError`` where it is missing, broken or lacks an option.
    """
    if Path(target).suffix == program.SUFFIX:
        model, shape, digest = program.read(Path(target))
        return model, make_card(Path(target).stem, options.input or shape, options).replace(sha256=digest)
    if ":" in target and not Path(target).exists():
        return _from_factory(target, options)
    model, card = load_checkpoint(target)
    given = options.given()
    refused = [name for name in given if name not in DECODE]
    if refused:
        option = refused[0].replace("_", "-")
        raise InputError("no model options for a checkpoint, whose card says all", f"--{option}", "leave it out")
    return model, card.replace(decode=Decode(card.decode.name, {**card.decode.options, **given}))


def _from_factory(target: str, options: ModelOptions) -> tuple[nn.Module, ModelCard]:
    if options.input is None:
        raise InputError("the shape of the model's input", "none", "give it as --input 1x3x224x224")
    card = make_card(target.partition(":")[2], options.input, options)
    model = factory.build(target)
    return model, card.replace(sha256=factory.fill(model, options.weights) if options.weights else "")


def make_card(name: str, shape: tuple[int, ...], options: ModelOptions) -> ModelCard:
    """A card for a model without one; what is not given is the field's custom: RGB, 0..1, boxes letterboxed, classes cropped."""
    if len(shape) != 4 or shape[0] != 1 or shape[1] not in (1, 3):
        raise InputError(
            "an input of shape 1xCxHxW with 1 or 3 channels", "x".join(map(str, shape)), "give it as --input 1x3x224x224"
        )
    given = options.card.given()
    if "task" not in given:
        raise InputError("what the model does", "no --task", "give --task classify, detect or regress")
    if "labels" not in given:
        raise InputError("the names of the classes", "no --labels", "give a file with one name a line with --labels")
    if "decode" not in given and given["task"] == "detect":
        raise InputError("how the outputs become boxes", "no --decode", "name the decoder with --decode, such as yolox or yolo")
    usual = "values" if given["task"] == "regress" else "softmax"
    decode = Decode(given.get("decode", usual), _only(given, DECODE))
    find(decode.name)
    return ModelCard(
        name=name,
        task=given["task"],
        labels=given["labels"],
        preprocess=_preprocess(shape, given),
        decode=decode,
        inputs=(TensorSpec("image", shape, "float32", "NCHW"),),
        outputs=tuple(TensorSpec(output, (), "float32") for output in options.outputs),
    )


def _preprocess(shape: tuple[int, ...], given: Mapping[str, Any]) -> Preprocess:
    custom: dict[str, Any] = {
        "resize": "letterbox" if given["task"] == "detect" else "crop",
        "color": "gray" if shape[1] == 1 else "rgb",
        "std": (255.0,),
    }
    try:
        return Preprocess(size=(shape[2], shape[3]), **{**custom, **_only(given, PREPROCESS)})
    except ValueError as error:
        raise InputError("options that fit together", str(error), "correct --color, --mean or --std") from error


def _only(given: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: given[name] for name in names if name in given}
