"""What would else fail after half an hour of watching: models that can't be trained, teachers, data and precisions that can't be used."""

from __future__ import annotations

from pathlib import Path

from edgecnn import got_models, shipped
from edgecnn.adapt.config import AdaptConfig
from edgecnn.card import ModelCard
from edgecnn.data import open_dataset
from edgecnn.data.relabel import to_classes
from edgecnn.errors import InputError
from edgecnn.export.config import check_targets
from edgecnn.models import find_checkpoint, read_card
from edgecnn.tasks import find
from edgecnn.teachers import open_teachers
from edgecnn.zoo.register import check_got, registered


def check(config: AdaptConfig) -> ModelCard:
    """The card of the model. Raises ``InputError`` for a model that is no checkpoint of a detector, and for the first thing wrong with
    precisions, teachers and data; and what opening a model file or a dataset raises.
    """
    card = check_model(config.model)
    check_targets(("onnx",), config.precisions, calibrated=True)
    for address in config.teachers:
        check_got(address.partition("?")[0])
    with open_teachers(config.teachers) as teachers:
        for teacher in teachers:
            teacher.classes(card.labels)
    for address in config.data:
        to_classes(open_dataset(address, task="detect"), card.labels)
    return card


def check_model(model: str) -> ModelCard:
    """The card of the model, without the import of torch; raises ``InputError`` where it is no checkpoint of a detector."""
    if not Path(model).exists() and model not in shipped.names():
        if model in registered() or got_models.path(model) is not None:
            raise InputError(
                f"{model} can't be adapted: it is a model of other people, a graph without a network to train", _able()
            )
        raise InputError(f"the model {model} does not exist", _able())
    if Path(model).is_file() and Path(model).suffix != shipped.CHECKPOINT:
        raise InputError(f"{model} can't be adapted: it is no checkpoint, and only those can be trained", _able())
    card: ModelCard = read_card(find_checkpoint(model))
    if not find(card.task).has_boxes:
        raise InputError(f"{card.name} is {find(card.task).model}, and teachers label boxes only", _able())
    if card.model.get("quantized"):
        raise InputError(
            f"{card.name} was trained for int8 already", "adapt the checkpoint that it was made from: int8 is made again"
        )
    return card


def _able() -> str:
    names = [name for name in shipped.names() if find(shipped.read(name)[0].task).has_boxes]
    return f"name a shipped detector ({', '.join(names)}), or the {shipped.CHECKPOINT} file of a detector from edgecnn train"
