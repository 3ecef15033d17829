"""Dissects a network: two passes over the images, one for the thresholds of the units and one for their overlap with concepts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from edgecnn.card import Preprocess
from edgecnn.counts import counted
from edgecnn.data.sample import Dataset, Sample
from edgecnn.errors import InputError
from edgecnn.trust.explain.dissection.concept_maps import COLOUR, KINDS, ConceptImage, ConceptReader, Labels
from edgecnn.trust.explain.dissection.overlap import ConceptOverlap, Enlarged
from edgecnn.trust.explain.dissection.pictures import unit_picture
from edgecnn.trust.explain.dissection.result import TOP, Dissection, LayerDissection, UnitConcept, UnitPictures
from edgecnn.trust.explain.dissection.top_values import TopValues
from edgecnn.trust.explain.inner import InnerLayer, InnerReader
from edgecnn.types import Float32

LEAST_IMAGES = 2  # the concepts of another image are the control
SEEN_IN = 10  # images: of a concept that fewer show, nothing can be said
SHOWN_OF_KIND, SHOWN_IMAGES = 3, 4  # units and images in pictures
DoneOf = Callable[[str, int, int], None]


def dissect(
    reader: InnerReader,
    dataset: Dataset,
    preprocess: Preprocess,
    *,
    name: str,
    layers: Sequence[str] | None = None,
    limit: int = 200,
    pictures: bool = False,
    progress: DoneOf | None = None,
) -> Dissection:
    """Dissect the layers of ``reader`` with a height and a width, or those that are named, on ``limit`` images of ``dataset``.

    The images are spread evenly over it; ``name`` is what the report calls it. ``progress`` gets what is done, and (done, total) images.
    Raises ``InputError`` where fewer than two images can be read, or no layer is left.
    """
    chosen = [layer for layer in reader.layers if layer.height * layer.width > 1 and (layers is None or layer.name in layers)]
    if not chosen:
        raise InputError("no layer of this file has a height and a width", "name a convolutional network")
    picked = dataset.pick(np.unique(np.linspace(0, len(dataset) - 1, min(limit, len(dataset))).round().astype(int)).tolist())
    return _Dissector(reader, chosen, ConceptReader(picked, preprocess), picked, progress).run(name, pictures)


class _Dissector:
    def __init__(
        self,
        reader: InnerReader,
        layers: Sequence[InnerLayer],
        concepts: ConceptReader,
        dataset: Dataset,
        progress: DoneOf | None,
    ) -> None:
        self._reader, self._layers, self._concepts, self._dataset, self._progress = reader, layers, concepts, dataset, progress
        self._names = [layer.name for layer in layers]
        self._usable: list[Sample] = []
        self._enlarged = {one.name: Enlarged((one.height, one.width), concepts.grid) for one in layers}

    def run(self, name: str, pictures: bool) -> Dissection:
        limits, highest = self._first_pass()
        sizes = {kind: len(names) for kind, names in self._concepts.names.items()}
        own = {layer.name: ConceptOverlap(layer.channels, sizes) for layer in self._layers}
        others = {layer.name: ConceptOverlap(layer.channels, sizes) for layer in self._layers}
        self._second_pass(limits, own, others)
        any_layer = own[self._layers[0].name]
        shares = {
            kind: {concept: float(share) for concept, share in zip(names, any_layer.shares(kind), strict=True)}
            for kind, names in self._concepts.names.items()
        }
        notes = self._notes(any_layer)
        found = Dissection(
            dataset=name,
            images=len(self._usable),
            shares=shares,
            layers=tuple(self._layer(layer, own[layer.name], others[layer.name]) for layer in self._layers),
            notes=notes,
        )
        if not pictures:
            return found
        shown = tuple(self._pictures(unit, limits, highest) for unit in found.best(SHOWN_OF_KIND))
        return Dissection(found.dataset, found.images, found.shares, found.layers, shown, found.notes)

    def _notes(self, overlap: ConceptOverlap) -> tuple[str, ...]:
        notes = []
        left_out = len(self._dataset) - len(self._usable)
        if left_out:
            notes.append(f"{counted(left_out, 'image')} can't be read, and left out")
        if set(self._concepts.names) == {COLOUR}:
            notes.append("without boxes, and images that the project renders, nothing is known but the colours")
        rare = [
            concept
            for kind, names in self._concepts.names.items()
            for concept, images in zip(names, overlap.images(kind).tolist(), strict=True)
            if 0 < images < self._seen_in
        ]
        if rare:
            notes.append(f"concepts in fewer than {counted(self._seen_in, 'image')} were left out: {', '.join(rare)}")
        return tuple(notes)

    @property
    def _seen_in(self) -> int:
        """The least number of images of a concept; all of them where there are fewer."""
        return min(SEEN_IN, len(self._usable))

    def _first_pass(self) -> tuple[dict[str, Float32], dict[str, Float32]]:
        """The threshold of each unit, and its highest value (units, images) in each image, by layer."""
        tops = {one.name: TopValues(len(self._dataset) * one.height * one.width, TOP) for one in self._layers}
        highest: dict[str, list[Float32]] = {name: [] for name in self._names}
        for sample, image, values in self._read("thresholds", self._dataset.samples):
            self._usable.append(sample)
            for layer in self._layers:
                inside = _within(image.content, (layer.height, layer.width))
                shown = values[layer.name].reshape(layer.channels, -1)[:, inside.ravel()]
                tops[layer.name].add(shown)
                highest[layer.name].append(shown.max(1))
        if len(self._usable) < LEAST_IMAGES:
            raise InputError(
                f"{self._dataset.name} has fewer than {LEAST_IMAGES} images that can be read", "name another dataset"
            )
        return {name: top.thresholds() for name, top in tops.items()}, {name: np.stack(all_, 1) for name, all_ in highest.items()}

    def _second_pass(
        self, limits: Mapping[str, Float32], own: Mapping[str, ConceptOverlap], others: Mapping[str, ConceptOverlap]
    ) -> None:
        before: Mapping[str, Labels] | None = None
        first: dict[str, tuple[NDArray[np.bool_], NDArray[np.int64]]] = {}
        for _, image, values in self._read("overlaps", self._usable):
            for name in self._names:
                # interpolated values do not exceed the highest one: all other units are active nowhere in this image
                units = np.flatnonzero(values[name].max((1, 2)) > limits[name])
                active = self._active(values[name][units], limits[name][units], name) & image.content
                own[name].add(active, image.maps, units)
                if before is None:
                    first[name] = active, units
                else:
                    others[name].add(active, before, units)
            before = image.maps
        assert before is not None
        # the first image gets the concepts of the last one
        for name, (active, units) in first.items():
            others[name].add(active, before, units)

    def _active(self, values: Float32, limits: Float32, name: str) -> NDArray[np.bool_]:
        return np.asarray(self._enlarged[name](values) > limits[:, None, None])

    def _read(self, what: str, samples: Sequence[Sample]) -> Iterator[tuple[Sample, ConceptImage, Mapping[str, Float32]]]:
        """The images that can be read, with their concepts and the values of all layers."""
        for done, sample in enumerate(samples, 1):
            try:
                image = self._concepts(sample)
            except InputError:
                image = None
            if image is not None:
                yield sample, image, self._reader.activations(image.image, self._names)
            if self._progress is not None:
                self._progress(what, done, len(samples))

    def _layer(self, layer: InnerLayer, own: ConceptOverlap, others: ConceptOverlap) -> LayerDissection:
        kinds = [kind for kind in KINDS if kind in self._concepts.names]
        names = [(kind, concept) for kind in kinds for concept in self._concepts.names[kind]]
        seen = np.concatenate([own.images(kind) for kind in kinds]) >= self._seen_in
        if not seen.any():
            return LayerDissection(
                layer.name, layer.kind, layer.channels, layer.height, layer.width, layer.receptive_field, 0, ()
            )
        overlap = np.concatenate([own.iou(kind) for kind in kinds], 1) * seen
        chance = (np.concatenate([others.iou(kind) for kind in kinds], 1) * seen).max(1)
        units = []
        for unit in np.flatnonzero(own.active).tolist():
            best = int(overlap[unit].argmax())
            units.append(UnitConcept(layer.name, unit, *names[best], float(overlap[unit, best]), float(chance[unit])))
        silent = layer.channels - len(units)
        return LayerDissection(
            layer.name, layer.kind, layer.channels, layer.height, layer.width, layer.receptive_field, silent, tuple(units)
        )

    def _pictures(self, unit: UnitConcept, limits: Mapping[str, Float32], highest: Mapping[str, Float32]) -> UnitPictures:
        """The images in which the unit has its highest values."""
        order = np.argsort(-highest[unit.layer][unit.unit], kind="stable")[:SHOWN_IMAGES]
        shown = []
        for index in order.tolist():
            image = self._concepts(self._usable[index])
            values = self._reader.activations(image.image, [unit.layer])[unit.layer][unit.unit : unit.unit + 1]
            active = self._active(values, limits[unit.layer][unit.unit : unit.unit + 1], unit.layer)[0] & image.content
            shown.append(unit_picture(image, active))
        return UnitPictures(unit, tuple(shown))


def _within(content: NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Which cells of a map of ``size`` have their centre in the image, not in the padding; all where none has."""
    rows, columns = (
        ((np.arange(cells) + 0.5) * side / cells).astype(int) for cells, side in zip(size, content.shape, strict=True)
    )
    inside = content[rows][:, columns]
    return np.asarray(inside if inside.any() else np.ones_like(inside))
