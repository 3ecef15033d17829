"""The program for one model file: reading an image, the resize rule of its card, the engine, the decoder, printed results."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from edgecnn.errors import InputError
from edgecnn.runtime.model.description import ModelDescription
from edgecnn.runtime.snippets import cpp_program, python_program

LANGUAGES: Final[Mapping[str, Callable[[ModelDescription], str]]] = {
    "python": python_program.write,
    "cpp": cpp_program.write,
}


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
