"""Transfer learning: copies matching tensors of a checkpoint into a new network, wider ones too, and freezes its first layers."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from edgecnn.card import ModelCard
from edgecnn.errors import InputError
from edgecnn.models.checkpoint import find_checkpoint, load_checkpoint, read_weights
from edgecnn.train.config import TrainConfig
from edgecnn.train.widen import widened

SHOWN = 4  # names of new tensors in a card
COUNTERS = "num_batches_tracked"  # of batch-norm; not weights
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


@dataclass(frozen=True, slots=True)
class ReusedWeights:
    """Names of the network's tensors that were ``kept`` from the checkpoint ``file`` with its ``card``, and of the ``new`` ones.

    ``widened`` are those of the kept that have more channels than in the checkpoint.
    """

    file: str
    card: ModelCard
    kept: tuple[str, ...]
    new: tuple[str, ...]
    widened: tuple[str, ...] = ()

    def record(self) -> dict[str, Any]:
        """The reused checkpoint as plain values, for the card of the trained network."""
        shown = list(self.new[:SHOWN]) + ([f"and {len(self.new) - SHOWN} more"] if len(self.new) > SHOWN else [])
        source = {"file": self.file, "name": self.card.name, "sha256": self.card.sha256}
        more = {"widened": len(self.widened)} if self.widened else {}
        return {**source, "reused": len(self.kept), "tensors": len(self.kept) + len(self.new), **more, "new": shown}

    def __str__(self) -> str:
        record = self.record()
        new = f"; new: {', '.join(record['new'])}" if self.new else ""
        more = f", {len(self.widened)} of them widened to more channels with the same outputs" if self.widened else ""
        return f"reuses {record['reused']} of {record['tensors']} tensors of {self.card.name} ({self.file}){more}{new}"


def reuse(model: nn.Module, checkpoint: str, seed: int = 0) -> ReusedWeights:
    """Copy every tensor of ``checkpoint`` (a path or a shipped name) into ``model`` whose name and shape match.

    Layers of the same kind of network with fewer channels are widened, see ``edgecnn.train.widen``; ``seed`` chooses the channels that are
    copied. Other tensors of another shape, because of another number of classes or input channels, are not copied.
    Raises what reading a checkpoint raises, and ``InputError`` where no tensor matches.
    """
    weights, card = read_weights(checkpoint)
    own = {key: tensor.shape for key, tensor in model.state_dict().items()}
    wide = _widened(model, weights, checkpoint, seed)
    weights = weights | wide
    fits = {key: weights[key] for key, shape in own.items() if key in weights and weights[key].shape == shape}
    counted = [key for key in own if not key.endswith(COUNTERS)]
    kept = tuple(key for key in counted if key in fits)
    if not kept:
        raise InputError(
            f"--init: none of the {len(weights)} tensors of {checkpoint}, a {card.model.get('name', 'network without a name')}, "
            f"fits this network (such as {counted[0]} {tuple(own[counted[0]])})",
            "name a checkpoint of the same kind of network, or leave --init out",
        )
    model.load_state_dict(fits, strict=False)
    new, more = tuple(key for key in counted if key not in fits), tuple(key for key in kept if key in wide)
    return ReusedWeights(find_checkpoint(checkpoint).name, card, kept, new, more)


def _widened(model: nn.Module, weights: Mapping[str, Tensor], checkpoint: str, seed: int) -> dict[str, Tensor]:
    """Tensors of ``model`` where it has more channels than the checkpoint with ``weights``; empty for other kinds of networks."""
    shapes = [(tensor.shape, weights[key].shape) for key, tensor in model.state_dict().items() if key in weights]
    if not any(len(own) == len(old) and any(ours > theirs for ours, theirs in zip(own, old, strict=True)) for own, old in shapes):
        return {}
    old, card = load_checkpoint(checkpoint)
    if type(old) is not type(model):
        return {}
    size = card.preprocess.size
    return widened(model, old, torch.zeros(1, card.preprocess.channels, size[0], size[1]), seed)


@dataclass(slots=True, eq=False)
class FrozenLayers:
    """Layers of ``model`` by name that are frozen for the first ``epochs`` epochs (0: for all), batch-norm statistics included."""

    model: nn.Module
    layers: tuple[str, ...]
    epochs: int
    _on: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        if self.layers:
            self.model.register_forward_pre_hook(self._freeze_statistics)

    def at(self, epoch: int) -> None:
        """Freeze or unfreeze the layers for the epoch that follows ``epoch`` whole epochs."""
        self._on = not self.epochs or epoch < self.epochs
        for name in self.layers:
            self.model.get_submodule(name).requires_grad_(not self._on)

    def _freeze_statistics(self, model: nn.Module, _: Any) -> None:
        """Before each forward pass, because the training loop puts all layers in train mode, in which batch-norm updates them."""
        for name in self.layers if self._on else ():
            layer = model.get_submodule(name)
            if isinstance(layer, NORMS):
                layer.eval()


def layers_of(model: nn.Module, part: str) -> tuple[str, ...]:
    """Names of the layers of a ``part``: stem, backbone, or a number of convolutions and dense layers, counted with their norms.

    Raises ``InputError`` for another word, and for a number that leaves nothing to train.
    """
    leaves = [name for name, layer in model.named_modules() if not list(layer.children()) and list(layer.parameters())]
    if part.isdigit():
        return _first(model, leaves, int(part))
    places: Any = {"stem": getattr(model, "stem_parts", ()), "backbone": getattr(model, "backbone_parts", ())}.get(part, ())
    found = tuple(name for name in leaves if any(name == place or name.startswith(f"{place}.") for place in places))
    if not found:
        raise InputError(f"--freeze: {part!r} is no part of this network", "use stem, backbone or a number of layers")
    return found


def _first(model: nn.Module, leaves: Sequence[str], count: int) -> tuple[str, ...]:
    # a layer is frozen together with the norm that follows it
    starts = [index for index, name in enumerate(leaves) if not isinstance(model.get_submodule(name), NORMS)]
    if not 0 < count < len(starts):
        raise InputError(f"--freeze: {count} is out of range", f"freeze 1 to {len(starts) - 1} layers, or leave --freeze out")
    return tuple(leaves[: starts[count]])


@dataclass(frozen=True, slots=True, eq=False)
class Transfer:
    """The reused weights and frozen layers of a training; ``reused`` is None where all weights are random."""

    reused: ReusedWeights | None
    frozen: FrozenLayers

    @property
    def record(self) -> dict[str, Any]:
        """Plain values for the card."""
        return {} if self.reused is None else {"init": self.reused.record()}

    @property
    def lines(self) -> list[str]:
        """Lines that describe it before the training."""
        if self.reused is None:
            return []
        return [str(self.reused), *([_frozen_line(self.frozen)] if self.frozen.layers else [])]


def initialize(model: nn.Module, card: ModelCard, config: TrainConfig) -> tuple[Transfer, ModelCard]:
    """Copy the tensors of ``config.init`` into ``model``; the card gets the pixel scale and color order that they were trained with.

    Raises ``InputError`` for a checkpoint of which no tensor fits, and for a part that can't be frozen.
    """
    if not config.init:
        if config.freeze or config.freeze_epochs:
            raise InputError("--freeze: there are no trained layers to freeze", "name a checkpoint with --init")
        return Transfer(None, FrozenLayers(model, (), 0)), card
    if config.freeze_epochs and not config.freeze:
        raise InputError("--freeze-epochs: there is nothing to freeze", "name a part with --freeze")
    reused = reuse(model, config.init, config.seed)
    layers = layers_of(model, config.freeze) if config.freeze else ()
    unknown = [name for name in reused.new if name.rpartition(".")[0] in layers]
    if unknown:
        raise InputError(f"--freeze: {unknown[0]} is new, {reused.card.name} has no weights for it", "freeze fewer layers")
    # The reused first layer expects the pixels it was trained with.
    theirs, ours = reused.card.preprocess, card.preprocess
    if theirs.channels == ours.channels:
        ours = dataclasses.replace(ours, color=theirs.color, mean=theirs.mean, std=theirs.std)
    return Transfer(reused, FrozenLayers(model, layers, config.freeze_epochs)), card.replace(preprocess=ours)


def _frozen_line(frozen: FrozenLayers) -> str:
    held = sum(parameter.numel() for name in frozen.layers for parameter in frozen.model.get_submodule(name).parameters())
    whole = sum(parameter.numel() for parameter in frozen.model.parameters())
    span = f" for the first {frozen.epochs} epochs" if frozen.epochs else ""
    return f"frozen{span}: {held:,} of {whole:,} parameters, {frozen.layers[0]} to {frozen.layers[-1]}"
