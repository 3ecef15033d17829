"""Ranges are narrowed to what activations can tell apart."""

from __future__ import annotations

import numpy as np

from edgecnn.export.quantize.layers import LayerOperator
from edgecnn.export.quantize.saturation import narrowed, useful_ranges

INFINITE = float("inf")


def graph(*rows: tuple[str, str, str]) -> list[LayerOperator]:
    """Operators from kind, inputs and output."""
    return [LayerOperator(made, kind, tuple(given.split()), (made,)) for kind, given, made in rows]


def test_a_silu_does_not_see_what_is_far_below_zero() -> None:
    for sigmoid, product in (("Sigmoid", "Mul"), ("LOGISTIC", "MUL")):
        ends = useful_ranges(graph(("Conv", "image w", "x"), (sigmoid, "x", "s"), (product, "x s", "y"), ("Conv", "y w2", "z")))
        assert ends == {"x": (-8.0, INFINITE)}


def test_values_that_another_operator_reads_keep_their_range() -> None:
    ends = useful_ranges(graph(("Sigmoid", "x", "s"), ("Mul", "x s", "y"), ("Add", "x y", "z")))
    assert ends == {}


def test_a_product_with_another_gate_keeps_its_range() -> None:
    ends = useful_ranges(graph(("Sigmoid", "x", "s"), ("Mul", "x other", "y"), ("Add", "s y", "z")))
    assert ends == {}


def test_hard_activations_end_where_they_are_constant() -> None:
    assert useful_ranges(graph(("HardSwish", "x", "y"))) == {"x": (-3.0, INFINITE)}
    assert useful_ranges(graph(("HardSigmoid", "x", "y"), ("Mul", "y z", "out"))) == {"x": (-3.0, 3.0)}
    assert useful_ranges(graph(("Sigmoid", "x", "y"))) == {"x": (-8.0, 8.0)}


def test_ranges_are_cut_and_never_turned_around() -> None:
    useful = {"x": (-8.0, INFINITE), "y": (-8.0, INFINITE), "s": (-8.0, 8.0)}
    given = {"x": (-96.0, 134.0), "y": (-96.0, -20.0), "s": (-1.0, 30.0), "z": (-96.0, 1.0)}
    assert narrowed(given, useful) == {"x": (-8.0, 134.0), "y": (-96.0, -20.0), "s": (-1.0, 8.0), "z": (-96.0, 1.0)}


def test_nothing_that_matters_is_cut() -> None:
    """The largest change of a SiLU, hard swish or sigmoid by its limits, over a range far beyond them."""
    x = np.linspace(-100, 100, 100_001)
    smooth = 1 / (1 + np.exp(-x))
    cut = np.maximum(x, -8)
    assert np.abs(x * smooth - cut / (1 + np.exp(-cut))).max() < 0.003
    both = np.clip(x, -8, 8)
    assert np.abs(smooth - 1 / (1 + np.exp(-both))).max() < 0.0004
    hard = np.maximum(x, -3)
    assert np.array_equal(x * np.clip(x + 3, 0, 6) / 6, hard * np.clip(hard + 3, 0, 6) / 6)
