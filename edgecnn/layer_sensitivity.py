"""The sensitivity of a model's layers to int8, as `edgecnn sensitivity` shows it."""

from __future__ import annotations

from dataclasses import dataclass

from edgecnn.columns import align_columns
from edgecnn.json_text import dump_json


@dataclass(frozen=True, slots=True)
class LayerSensitivity:
    """A layer by its name in PyTorch, its number of weights, and the signal to noise of the outputs in decibels: low is sensitive."""

    name: str
    weights: int
    decibels: float


@dataclass(frozen=True, slots=True)
class SensitivityReport:
    """The layers of a model in its order, the signal to noise of the outputs with all of them in int8, and what was measured."""

    name: str
    data: str
    images: int
    ranges: str
    whole_db: float
    layers: tuple[LayerSensitivity, ...]

    @property
    def worst_first(self) -> list[LayerSensitivity]:
        """The layers, the most sensitive first."""
        return sorted(self.layers, key=lambda layer: layer.decibels)

    def text(self) -> str:
        """A table for the terminal, the most sensitive layer first."""
        rows = [["layer", "weights", "outputs dB"]]
        rows += [[layer.name, f"{layer.weights:,}", f"{layer.decibels:.1f}"] for layer in self.worst_first]
        data = f"{self.images} images of {self.data}, {self.ranges} ranges"
        head = f"{self.name}: signal to noise of the outputs with one layer in int8, {data}"
        return f"{head}\n\n{align_columns(rows, left=1)}\n\nall {len(self.layers)} layers in int8: {self.whole_db:.1f} dB"

    def json(self) -> str:
        """The report as a JSON document; layers are in the order of the network."""
        layers = [{"name": one.name, "weights": one.weights, "outputs_db": round(one.decibels, 2)} for one in self.layers]
        document = {"version": 1, "model": self.name, "data": self.data, "images": self.images, "ranges": self.ranges}
        return dump_json({**document, "all_layers_db": round(self.whole_db, 2), "layers": layers}, indent=1)
