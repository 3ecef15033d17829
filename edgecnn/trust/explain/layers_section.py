"""The layers of the file: kind, size, stride, receptive field, units that never fire."""

from __future__ import annotations

import dataclasses
from typing import Any

from edgecnn.columns import align_columns
from edgecnn.counts import counted
from edgecnn.trust.explain.network_layers import LayerStep
from edgecnn.trust.explain.section import SectionResult, page_part
from edgecnn.trust.explain.study import Study
from edgecnn.trust.explain.units import OF_UNITS, UnitSummary
from edgecnn.trust.explain.words import kind_words, numbers

LONGEST_NAME = 44


def layers_section(study: Study) -> SectionResult:
    """A table of all layers."""
    steps = study.reader.steps
    rows = _rows(study)
    notes = _notes(study)
    html = page_part(study, "layers.html", rows=rows, notes=notes, count=len(steps), images=_images(study))
    return SectionResult(
        "layers", "The layers", [_document(study, step) for step in steps], (align_columns(rows, 2), "", *notes), html
    )


def _images(study: Study) -> int:
    return next((one.images for one in study.units.values()), 0)


def _rows(study: Study) -> list[list[str]]:
    head = ["layer", "kind", "maps", "width x height", "stride", "field", "90 % of the effect in", "silent units"]
    rows = [head]
    for step in study.reader.steps:
        own = step.layer
        effective, units = study.fields.get(own.name), study.units.get(own.name)
        field = "whole image" if step.field.whole else f"{own.receptive_field}{'*' if step.field.gated else ''}"
        rows.append(
            [
                shown_name(own.name),
                kind_words(step),
                str(own.channels),
                f"{own.width} x {own.height}",
                str(own.stride),
                field,
                "" if effective is None else str(effective.side),
                "" if units is None or own.kind not in OF_UNITS else f"{len(units.silent)}" if units.silent else "0",
            ]
        )
    # columns that have nothing to say are left out
    kept = [place for place in range(len(head)) if any(row[place] for row in rows[1:])]
    return [[row[place] for place in kept] for row in rows]


def shown_name(name: str) -> str:
    """A name that fits into a table: tensors of TFLite files have the names of all that was merged, divided by semicolons."""
    first = name.partition(";")[0]
    return first if len(first) <= LONGEST_NAME else f"..{first[2 - LONGEST_NAME :]}"


def _notes(study: Study) -> tuple[str, ...]:
    notes = ["stride and field in pixels of the network's input; names are those of tensors in the file"]
    if any(step.field.gated for step in study.reader.steps):
        notes.append("*: the values are also weighted by something that sees the whole image (squeeze and excitation)")
    silent = [(step, study.units[step.layer.name]) for step in study.reader.steps if _says_nothing(study, step)]
    if silent:
        notes.append(f"silent units on {counted(_images(study), 'image')}:")
        notes += [f"  {shown_name(step.layer.name)}: {_silent_words(units)}" for step, units in silent]
    elif study.units:
        notes.append(f"every unit fires on at least one of {counted(_images(study), 'image')}")
    return tuple(notes)


def _says_nothing(study: Study, step: LayerStep) -> bool:
    return step.layer.kind in OF_UNITS and bool(study.units.get(step.layer.name) and study.units[step.layer.name].silent)


def _silent_words(units: UnitSummary) -> str:
    words = []
    if units.dead:
        words.append(f"{len(units.dead)} of {units.channels} never above zero ({numbers(units.dead)})")
    if units.constant:
        words.append(f"{len(units.constant)} of {units.channels} constant ({numbers(units.constant)})")
    return ", ".join(words)


def _document(study: Study, step: LayerStep) -> dict[str, Any]:
    effective, units = study.fields.get(step.layer.name), study.units.get(step.layer.name)
    own = step.window
    return {
        **dataclasses.asdict(step.layer),
        "activation": step.activation,
        "window": None
        if own is None
        else {"kernel": own.kernel, "strides": own.strides, "dilations": own.dilations, "pads": step.pads},
        "sees_whole_image": step.field.whole,
        "gated": step.field.gated,
        "effective_field_px": None if effective is None else effective.side,
        "dead_units": None if units is None or step.layer.kind not in OF_UNITS else units.dead,
        "constant_units": None if units is None or step.layer.kind not in OF_UNITS else units.constant,
    }
