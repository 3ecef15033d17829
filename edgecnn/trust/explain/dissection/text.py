"""A dissection in words and as a table."""

from __future__ import annotations

from collections.abc import Sequence

from edgecnn.columns import align_columns
from edgecnn.counts import counted
from edgecnn.scene.pixel_concepts import OBJECT
from edgecnn.trust.explain.dissection.result import THRESHOLD, Dissection, LayerDissection, UnitConcept
from edgecnn.trust.explain.layers_section import shown_name

BEST = 3  # units of each kind in the text


def dissection_lines(found: Dissection) -> tuple[str, ...]:
    """For a terminal: the summary, the layers, and the units that agree best with a concept of each kind."""
    lines = [*summary(found), "", align_columns(layer_rows(found), left=1)]
    best = found.best(BEST)
    if best:
        lines += ["", align_columns([["best units", "unit", "overlap", "by chance"], *map(_unit_row, best)], left=2)]
    return tuple(lines)


def summary(found: Dissection) -> list[str]:
    """How many units detect something, and what, in sentences."""
    counts = {kind: sum(layer.detectors[kind] for layer in found.layers) for kind in found.kinds}
    total, chance = sum(counts.values()), sum(layer.by_chance for layer in found.layers)
    listed = ", ".join(f"{kind} {count}" for kind, count in counts.items())
    lines = [
        f"{total} of {found.units} units in {len(found.layers)} layers detect a concept ({listed}), measured on "
        f"{counted(found.images, 'image')} of {found.dataset}: where a unit has its highest 0.5 % of values, the overlap "
        f"with the concept is above {THRESHOLD}."
    ]
    lines.append(f"With the concepts of another image instead, which can only agree by chance or place, it would be {chance}.")
    silent = sum(layer.silent for layer in found.layers)
    if silent:
        lines.append(f"{silent} units have the same value everywhere.")
    for kind in found.kinds:
        deepest = [layer for layer in found.layers if layer.detectors[kind]]
        if deepest:
            most = max(deepest, key=lambda layer: layer.detectors[kind] / layer.channels)
            share = f"{most.detectors[kind]} of {most.channels} units"
            first, name = shown_name(deepest[0].name), shown_name(most.name)
            article = "An" if kind == OBJECT else "A"
            lines.append(f"{article} {kind} is first detected in {first}, by the largest share of the units in {name} ({share}).")
    return [*lines, *(f"{note[0].upper()}{note[1:]}." for note in found.notes)]


def layer_rows(found: Dissection) -> list[list[str]]:
    """A head and a row for each layer: detectors of each kind, with the number of different concepts."""
    head = ["layer", "size", "units", *found.kinds, "detectors", "by chance"]
    return [head, *(_layer_row(layer, found.kinds) for layer in found.layers)]


def _layer_row(layer: LayerDissection, kinds: Sequence[str]) -> list[str]:
    counts, unique = layer.detectors, layer.unique
    cells = [f"{counts[kind]} ({unique[kind]})" if counts[kind] else "0" for kind in kinds]
    share = 100 * sum(counts.values()) / layer.channels
    size = f"{layer.width} x {layer.height}"
    return [
        shown_name(layer.name),
        size,
        str(layer.channels),
        *cells,
        f"{share:.0f} %",
        f"{100 * layer.by_chance / layer.channels:.0f} %",
    ]


def _unit_row(one: UnitConcept) -> list[str]:
    return [f"{one.kind} {one.concept}", f"{one.unit} of {shown_name(one.layer)}", f"{one.iou:.3f}", f"{one.chance:.3f}"]
