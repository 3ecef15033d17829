"""The inputs that all candidates are timed with, and the check that the candidates are one model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from edgecnn.benchmarks.choose.config import ChooseConfig
from edgecnn.benchmarks.measure.inputs import dataset_inputs, default_inputs, store
from edgecnn.benchmarks.measure.process import ModelProcess
from edgecnn.benchmarks.measure.progress import no_progress
from edgecnn.benchmarks.measure.record import other_weights
from edgecnn.card import CARD_KEY, ModelCard
from edgecnn.data.recognition import report_lines
from edgecnn.errors import EdgeCnnError, InputError
from edgecnn.integrity.sections import BrokenFileError, has_sections, split

COUNT: Final = 32


class Inputs:
    """Reads the inputs for the first candidate, stores them in ``folder``, and gives them to each process.

    ``description`` says what they are, "" before. ``labelled``: whether accuracy can be measured with the ``available`` images of the data.
    """

    def __init__(self, config: ChooseConfig, folder: Path, report: Callable[[str], None] = no_progress) -> None:
        self.description, self.labelled, self.available = "", False, 0
        self._config, self._folder, self._report = config, folder, report
        self._first: tuple[str, ModelCard] | None = None

    def give(self, process: ModelProcess) -> None:
        """Give the inputs to a process. Raises ``InputError`` for a file of another model, and data that do not fit the model."""
        card = process.load_report.card
        if self._first is None:
            self._first = process.path.name, card
            self._store(card)
        else:
            check_same_model(*self._first, process.path.name, card, compared=self.labelled)
        process.ask("use", folder=str(self._folder))

    def _store(self, card: ModelCard) -> None:
        data = self._config.data
        if data is None:
            inputs = default_inputs(card, COUNT)
        else:
            dataset = data.open(COUNT, task=card.task)
            for line in report_lines(dataset):
                self._report(line)
            self.labelled, self.available = bool(dataset.labels), len(dataset)
            if self.labelled:
                data.check(dataset, card)
            inputs = dataset_inputs(dataset, str(data), COUNT)
        store(inputs, self._folder)
        self.description = inputs.description


def check_cards(paths: Sequence[Path], *, compared: bool) -> None:
    """``check_same_model`` by the cards in the files, before an engine is started; a file without a card is checked when it is loaded."""
    found = [(path.name, card) for path in paths if (card := card_in(path)) is not None]
    for name, card in found[1:]:
        check_same_model(*found[0], name, card, compared=compared)


def card_in(path: Path) -> ModelCard | None:
    """The card in a model file, read without an engine; None where there is none, or it can't be read in this way."""
    try:
        text = split(path).texts.get(CARD_KEY) if has_sections(path) else None
        return None if text is None else ModelCard.from_json(text.decode(), str(path))
    except (BrokenFileError, OSError, UnicodeDecodeError, EdgeCnnError):
        return None  # loading it says why


def check_same_model(first: str, card: ModelCard, name: str, other: ModelCard, *, compared: bool) -> None:
    """Raise ``InputError`` where two files can't be of one model; other weights pass where their accuracy is ``compared``."""
    fix = "choose between files of one model"
    if card.task != other.task:
        raise InputError(f"{first} and {name} are not the same model: one is for {card.task}, the other for {other.task}", fix)
    # the same classes may have other names in the file of another tool
    if len(card.labels) != len(other.labels) or (card.labels and not set(card.labels) & set(other.labels)):
        raise InputError(f"{first} and {name} are not the same model: their classes differ", fix)
    if not compared and other_weights(card, other):
        raise InputError(f"{first} and {name} have other weights", f"{fix}, or add --data, which compares their accuracy")
