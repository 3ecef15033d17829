"""Transfer learning: a new network takes over what fits of a checkpoint, and may keep the first part of it as it is for a while."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from edgecnn.card import ModelCard
from edgecnn.errors import InputError
from edgecnn.models.checkpoint import find_checkpoint, read_weights
from edgecnn.train.options import TrainOptions

SHOWN = 4
COUNTERS = "num_batches_tracked"  # of batch-norm; no weights
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


@dataclass(frozen=True, slots=True)
class Reused:
    """Names of the network's tensors that are those of ``file``, of ``card``, and of those that stay ``new``."""

    file: str
    card: ModelCard
    kept: tuple[str, ...]
    new: tuple[str, ...]

    def record(self) -> dict[str, Any]:
        """Plain values for the card of what is trained."""
        shown = list(self.new[:SHOWN]) + ([f"and {len(self.new) - SHOWN} more"] if len(self.new) > SHOWN else [])
        source = {"file": self.file, "name": self.card.name, "sha256": self.card.sha256}
        return {**source, "reused": len(self.kept), "tensors": len(self.kept) + len(self.new), "new": shown}

    def __str__(self) -> str:
        record = self.record()
        new = f"; new: {', '.join(record['new'])}" if self.new else ""
        return f"re-uses {record['reused']} of {record['tensors']} tensors of {self.card.name} ({self.file}){new}"


def reuse(model: nn.Module, checkpoint: str) -> Reused:
    """Fill ``model`` with every tensor of ``checkpoint`` (a path or a shipped name) that has its name and shape.

    Pruned channels and other numbers of classes or channels leave the tensors new that they change.
    Raises what reading a checkpoint raises, and ``InputError`` where nothing fits.
    """
    weights, card = read_weights(checkpoint)
    own = {key: tensor.shape for key, tensor in model.state_dict().items()}
    fits = {key: weights[key] for key, shape in own.items() if key in weights and weights[key].shape == shape}
    counted = [key for key in own if not key.endswith(COUNTERS)]
    kept = tuple(key for key in counted if key in fits)
    if not kept:
        raise InputError(
            f"a checkpoint with tensors that fit this network (such as {counted[0]} {tuple(own[counted[0]])})",
            f"none among {len(weights)} of {checkpoint}, a {card.model.get('name', 'network without a name')}",
            "name one of the same kind of network, or leave --init out",
        )
    model.load_state_dict(fits, strict=False)
    return Reused(find_checkpoint(checkpoint).name, card, kept, tuple(key for key in counted if key not in fits))


@dataclass(slots=True, eq=False)
class Frozen:
    """Layers of ``model`` by name that are not trained in the first ``epochs`` epochs (0: in all), batch-norms at their old statistics."""

    model: nn.Module
    layers: tuple[str, ...]
    epochs: int
    _on: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        if self.layers:
            self.model.register_forward_pre_hook(self._hold)

    def at(self, epoch: int) -> None:
        """Freeze or thaw, whichever is right after ``epoch`` whole epochs."""
        self._on = not self.epochs or epoch < self.epochs
        for name in self.layers:
            self.model.get_submodule(name).requires_grad_(not self._on)

    def _hold(self, model: nn.Module, _: Any) -> None:
        """Before each forward: the loop has put all layers in train mode."""
        for name in self.layers if self._on else ():
            layer = model.get_submodule(name)
            if isinstance(layer, NORMS):
                layer.eval()


def layers_of(model: nn.Module, part: str) -> tuple[str, ...]:
    """Names of the layers of a ``part``: stem, backbone, or as a number the first so many convolutions and dense layers with their norms.

    Raises ``InputError`` for another word, and for a number that leaves nothing to train.
    """
    leaves = [name for name, layer in model.named_modules() if not list(layer.children()) and list(layer.parameters())]
    if part.isdigit():
        return _first(model, leaves, int(part))
    places: Any = {"stem": getattr(model, "stem_parts", ()), "backbone": getattr(model, "backbone_parts", ())}.get(part, ())
    found = tuple(name for name in leaves if any(name == place or name.startswith(f"{place}.") for place in places))
    if not found:
        raise InputError("a part to --freeze: stem, backbone or a number of layers", repr(part), "name one of them")
    return found


def _first(model: nn.Module, leaves: Sequence[str], count: int) -> tuple[str, ...]:
    starts = [index for index, name in enumerate(leaves) if not isinstance(model.get_submodule(name), NORMS)]
    if not 0 < count < len(starts):
        raise InputError(f"a number of layers to --freeze of 1 to {len(starts) - 1}", str(count), "name a smaller one, or none")
    return tuple(leaves[: starts[count]])


@dataclass(frozen=True, slots=True, eq=False)
class Transfer:
    """What a training starts with beside random weights; nothing where ``reused`` is None."""

    reused: Reused | None
    frozen: Frozen

    @property
    def record(self) -> dict[str, Any]:
        """Plain values for the card."""
        return {} if self.reused is None else {"init": self.reused.record()}

    @property
    def lines(self) -> list[str]:
        """What is said of it before the training."""
        if self.reused is None:
            return []
        return [str(self.reused), *([_frozen_line(self.frozen)] if self.frozen.layers else [])]


def start(model: nn.Module, card: ModelCard, options: TrainOptions) -> tuple[Transfer, ModelCard]:
    """Fill ``model`` as ``options.init`` says; gives the card with the pixel scale and colours that the re-used layers know.

    Raises ``InputError`` for a checkpoint of which nothing fits, and for a part that can't be frozen.
    """
    if not options.init:
        if options.freeze or options.freeze_epochs:
            raise InputError("a checkpoint to freeze a part of", "--freeze without --init", "name one with --init")
        return Transfer(None, Frozen(model, (), 0)), card
    if options.freeze_epochs and not options.freeze:
        raise InputError("what to freeze", "--freeze-epochs without --freeze", "name a part with --freeze")
    reused = reuse(model, options.init)
    layers = layers_of(model, options.freeze) if options.freeze else ()
    unknown = [name for name in reused.new if name.rpartition(".")[0] in layers]
    if unknown:
        raise InputError(f"a part to freeze that {reused.card.name} fills", f"{unknown[0]}, which is new", "freeze less of it")
    theirs, ours = reused.card.preprocess, card.preprocess
    if theirs.channels == ours.channels:
        ours = dataclasses.replace(ours, color=theirs.color, mean=theirs.mean, std=theirs.std)
    return Transfer(reused, Frozen(model, layers, options.freeze_epochs)), card.replace(preprocess=ours)


def _frozen_line(frozen: Frozen) -> str:
    held = sum(parameter.numel() for name in frozen.layers for parameter in frozen.model.get_submodule(name).parameters())
    whole = sum(parameter.numel() for parameter in frozen.model.parameters())
    span = f" for the first {frozen.epochs} epochs" if frozen.epochs else ""
    return f"frozen{span}: {held:,} of {whole:,} parameters, {frozen.layers[0]} to {frozen.layers[-1]}"
