"""What costs no speed: other range methods, and equal networks whose numbers round better. Tried before layers stay in float."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from edgecnn.export.budget.bias_correction import corrected
from edgecnn.export.budget.equalize import equalized
from edgecnn.export.config import FORMATS
from edgecnn.export.graph import Deployable
from edgecnn.export.prepared import PreparedModel
from edgecnn.export.quantize.plan import QuantizationPlan
from edgecnn.export.quiet import quiet
from edgecnn.types import Tensors

# A change of the network's numbers; None where the network has nothing to change.
Change = Callable[[Deployable, Sequence[Tensors]], Deployable | None]
BIASES = "biases corrected"
CHANGES: Mapping[str, Change] = {"equalized": equalized, BIASES: corrected}


@dataclass(frozen=True, slots=True)
class Method:
    """A range method, and the ``changes`` that are applied to the network first, by their names in ``CHANGES``."""

    ranges: str
    changes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return ", ".join((*self.changes, self.ranges))


@dataclass(slots=True, eq=False)
class Candidates:
    """Makes int8 programs of one model in one ``format``; networks, conversions and calibrations are made once."""

    prepared: PreparedModel
    format: str
    feeds: list[Tensors]
    networks: dict[tuple[str, ...], PreparedModel | None] = field(default_factory=dict)
    calibrations: dict[tuple[str, ...], Any] = field(default_factory=dict)

    @property
    def changes(self) -> tuple[str, ...]:
        """Names of the changes to try."""
        corrects = getattr(import_module(FORMATS[self.format]), "CORRECTS_BIASES", False)
        return tuple(name for name in CHANGES if not (corrects and name == BIASES))

    @property
    def ranges(self) -> tuple[str, ...]:
        """The range methods that the quantizer of the format has, the usual one first."""
        methods: tuple[str, ...] = import_module(FORMATS[self.format]).RANGES
        return methods

    @property
    def first_layer_bits(self) -> int:
        """Bits of the weights of the first layer."""
        return int(getattr(import_module(FORMATS[self.format]), "FIRST_LAYER_BITS", 8))

    def network(self, changes: tuple[str, ...]) -> PreparedModel | None:
        """The model after ``changes``; None where there is nothing to change."""
        if not changes:
            return self.prepared
        if changes not in self.networks:
            before = self.network(changes[:-1])
            graph = None
            if before is not None and isinstance(before.graph, Deployable):  # a budget is refused for models of tensors
                graph = CHANGES[changes[-1]](before.graph, self.feeds)
            self.networks[changes] = None if graph is None else PreparedModel(graph, self.prepared.card, self.prepared.reference)
        return self.networks[changes]

    def program(self, method: Method, plan: QuantizationPlan) -> Any:
        """The int8 program by ``method``, with the layers of ``plan`` in float; None where there is nothing to change."""
        network = self.network(method.changes)
        if network is None:
            return None
        module = import_module(FORMATS[self.format])
        program = network.program(self.format)
        with quiet():
            if method.changes not in self.calibrations:
                self.calibrations[method.changes] = module.calibrate(program, self.feeds)
            return module.int8(self.calibrations[method.changes], QuantizationPlan(method.ranges, plan.keep, plan.layers))
