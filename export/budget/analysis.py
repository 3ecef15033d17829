"""The sensitivity of a model's layers to int8, from the same input as an export; what `edgecnn sensitivity` shows."""

from __future__ import annotations

from dataclasses import dataclass, field

from edgecnn.errors import InputError
from edgecnn.export.budget.sensitivity import Progress, measure
from edgecnn.export.config import ModelOptions
from edgecnn.export.extras import require
from edgecnn.export.image_selection import select_images
from edgecnn.export.prepared import has_trained_ranges, prepare
from edgecnn.export.source import load_model
from edgecnn.layer_sensitivity import SensitivityReport


@dataclass(frozen=True, slots=True, kw_only=True)
class SensitivityConfig:
    """The model, as for ``edgecnn.export.ExportConfig``; ``calibration`` is the address of the images, of which ``count`` are used.

    ``ranges`` is one of ``edgecnn.export.quantize.histogram.METHODS``. Raises ``MissingExtraError`` where a package is missing.
    """

    model: str
    calibration: str
    count: int = 32
    seed: int = 0
    ranges: str = "min-max"
    model_options: ModelOptions = field(default_factory=ModelOptions)

    def __post_init__(self) -> None:
        require(["onnx"], ["int8"])


def analyse(config: SensitivityConfig, progress: Progress | None = None) -> SensitivityReport:
    """Measure the sensitivity of each layer; ``progress`` gets the layers done and their number.

    Raises ``InputError`` for a model or images that can't be used, and for a network that was trained for int8.
    """
    model, card = load_model(config.model, config.model_options)
    if has_trained_ranges(model):
        raise InputError(
            f"{card.name} was trained for int8: all its layers keep the ranges of the training", "give a float checkpoint"
        )
    chosen = select_images(card, config.calibration, config.count, config.seed, None, 1, force=True)
    assert chosen.calibration is not None
    prepared = prepare(model, card)
    found = measure(prepared.program("onnx"), chosen.calibration.feeds(prepared.card), config.ranges, progress)
    return SensitivityReport(
        card.name, chosen.calibration.dataset, len(chosen.calibration.images), config.ranges, found.whole_db, found.found
    )
