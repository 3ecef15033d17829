"""A robustness measurement as one self-contained HTML page: table, curves, curves by class, example images."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from edgecnn.benchmarks.report.plot_curves import CurveAxes, CurveSeries, curve_plot
from edgecnn.benchmarks.report.template import WIDE, render, responsive
from edgecnn.data import Dataset
from edgecnn.trust.invariance.examples import example_strip
from edgecnn.trust.invariance.result import FileRobustness, LevelResult, Robustness
from edgecnn.trust.invariance.text import LEAST_SUPPORT, number_text, with_interval, worst_classes
from edgecnn.trust.invariance.transformation import Transformation

MOST_CLASSES = 10  # lines in a plot of classes: with more classes those that lose most
TALL, LOW = 300.0, 250.0
FULL_TURN, QUARTER_TURN = 360.0, 90.0


def to_html(found: Robustness, dataset: Dataset) -> str:
    """The page as text, with example images of ``dataset``; raises ``MissingExtraError`` without jinja2."""
    measured = [(own, levels) for own, levels in found.transformations if all(file.curve(own.name) for file in found.files)]
    return render(
        "edgecnn.trust.invariance",
        "robustness.html",
        found=found,
        least=LEAST_SUPPORT,
        heading=", ".join(own.name for own in found.files),
        clean=[(own.name, with_interval(own.clean), own.clean.too_few) for own in found.files],
        numbers=[(own.name, number_text(own.corruption_error)) for own in found.files if own.corruption_error is not None],
        rows=[_row(found, own) for own, _ in measured],
        sections=[_section(found, dataset, own, levels) for own, levels in measured],
    )


def _row(found: Robustness, own: Transformation) -> dict[str, Any]:
    """A row of the summary: mean and lowest of each file."""
    cells = []
    for file in found.files:
        curve = file.curve(own.name)
        worst = min(curve, key=lambda one: one.value)
        mean = sum(one.value for one in curve) / len(curve)
        at = f"{100 * worst.value:.1f} at" if len(curve) > 1 else "at"
        cells.append((f"{100 * mean:.1f}", f"{at} {own.level_text(worst.level)}", round(100 * (1 - mean))))
    return {"title": own.title, "name": own.name, "cells": cells}


def _section(found: Robustness, dataset: Dataset, own: Transformation, levels: Sequence[float]) -> dict[str, Any]:
    """Plots and pictures of one transformation."""
    several = len(found.files[0].clean.per_class) > 1
    return {
        "title": own.title,
        "name": own.name,
        "parameters": own.parameters,
        "examples": example_strip(dataset, own, levels, found.seed),
        "plot": responsive(_curves(found, own)),
        "classes": [(file.name, responsive(_class_curves(found, file, own))) for file in found.files] if several else [],
        "more_classes": max(len(found.files[0].clean.per_class) - MOST_CLASSES, 0),
        "consistency": [
            (
                file.name,
                ", ".join(
                    f"{own.level_text(one.level)}: {100 * one.consistency:.0f} %"
                    for one in file.curve(own.name)
                    if one.consistency is not None
                ),
            )
            for file in found.files
            if own.name == "shift"
        ],
        "too_few": any(one.too_few for file in found.files for one in file.curve(own.name)),
    }


def _axes(found: Robustness, own: Transformation) -> CurveAxes:
    names = tuple(own.words.items())
    levels = [one.level for one in found.files[0].curve(own.name)]
    quarters = own.unit == "degrees" and max(levels) - min(levels) > QUARTER_TURN
    ticks = tuple(float(value) for value in range(-360, 361, 45)) if quarters else ()
    mark = own.neutral if own.low < own.neutral < own.high and own.levels[0] != own.neutral else None
    unit = "" if own.words else f" ({own.unit})" if own.unit != own.title else ""
    return CurveAxes(f"{own.title}{unit}", f"{found.title} in %", names=names, mark=mark, ticks=ticks)


def points(file: FileRobustness, own: Transformation) -> list[LevelResult]:
    """The levels by their number, with the images as they are at the level that changes nothing, where that has a place on the axis."""
    curve = list(file.curve(own.name))
    if own.words or (own.group == "scene" and own.name != "turn"):
        return curve
    if any(one.level == own.neutral for one in curve):
        return curve
    neutral = [own.neutral]
    if own.unit == "degrees" and curve[-1].level > FULL_TURN - 60:
        neutral.append(FULL_TURN)  # a whole turn shows the image as it is
    return sorted([*(dataclasses.replace(file.clean, level=level) for level in neutral), *curve], key=lambda one: one.level)


def _curves(found: Robustness, own: Transformation) -> Callable[[float], str]:
    several = len(found.files) > 1
    series = [_series(file.name if several else "", points(file, own), lambda one: one.value) for file in found.files]
    axes = _axes(found, own)
    return lambda width: curve_plot(series, width, TALL if width == WIDE else LOW, axes)


def _series(
    name: str, curve: Sequence[LevelResult], value: Callable[[LevelResult], float], *, bands: bool = True, strong: bool = False
) -> CurveSeries:
    band = tuple((100 * one.low, 100 * one.high) if one.low is not None and one.high is not None else None for one in curve)
    return CurveSeries(
        name,
        tuple(one.level for one in curve),
        tuple(100 * value(one) for one in curve),
        band if bands else (),
        strong,
    )


def _class_curves(found: Robustness, file: FileRobustness, own: Transformation) -> Callable[[float], str]:
    """A line for each class and a thicker one for the mean of all; of many classes those that lose most."""
    curve = points(file, own)
    least = LEAST_SUPPORT if len(file.clean.per_class) > MOST_CLASSES else 0
    losing = [label for label, _ in worst_classes(file, own.name, most=MOST_CLASSES, least=least)]
    shown = [label for label in found.labels if label in losing]
    series = [
        _series(label, [one for one in curve if label in one.per_class], accuracy_of(label), bands=False) for label in shown
    ]
    series.append(_series("all classes", curve, lambda one: one.value, bands=False, strong=True))
    axes = _axes(found, own)
    return lambda width: curve_plot(series, width, TALL if width == WIDE else LOW, axes)


def accuracy_of(label: str) -> Callable[[LevelResult], float]:
    """The accuracy of one class."""
    return lambda one: one.per_class[label]
