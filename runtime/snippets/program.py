"""The program for one model file: reading an image, the resize rule of its card, the engine, the decoder, printed results."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Final

from edgecnn.card import Decode
from edgecnn.errors import InputError
from edgecnn.runtime.model.description import ModelDescription
from edgecnn.runtime.snippets import cpp_program, python_program
from edgecnn.shown_scores import shown_scores
from edgecnn.tasks import find

LANGUAGES: Final[Mapping[str, Callable[[ModelDescription], str]]] = {
    "python": python_program.write,
    "cpp": cpp_program.write,
}


def as_shown(description: ModelDescription) -> ModelDescription:
    """The description whose program prints the boxes that `edgecnn run` shows, and not the weaker ones that only evaluation needs."""
    card = description.card
    if card is None or not find(card.task).has_boxes:
        return description
    options = {**card.decode.options, "score_threshold": shown_scores(card).lowest}
    return dataclasses.replace(description, card=card.replace(decode=Decode(card.decode.name, options)))


def snippet(description: ModelDescription, language: str) -> str:
    """A program in ``language`` that runs the described file without edgecnn and prints a line for each label, value or box.

    Its argument is an image file (a PPM file in C++, a CSV file for signals); it is started in the folder of the model file. Raises
    ``InputError`` for a file without a card, and for one that such a program can't feed.
    """
    if description.card is None:
        raise InputError(
            f"{description.file.name} has no card, and none can be inferred: {description.card_problem}",
            "export it with edgecnn, which writes one",
        )
    if description.card.preprocess.tensors or len(description.inputs) != 1 or len(description.inputs[0].shape) != 4:
        raise InputError(f"{description.file.name} does not take one image", "see its tensors with: edgecnn info")
    return LANGUAGES[language](description)
