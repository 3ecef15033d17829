"""What a training is asked to do; the same values make the same weights."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from edgecnn.data.address import shown_address
from edgecnn.models.options import parse_options
from edgecnn.train.augment_policy import Policy, parse_policy

Amp = Literal["auto", "fp32", "bf16"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainOptions:
    """All of it.

    ``name`` goes into the card (the model's where it is ""). ``data`` are dataset addresses (edgecnn.data.address), put one after the
    other; ``val`` are scored after each epoch, or, where there are none, ``val_fraction`` (0..1) of each dataset, in whole groups.
    ``classes`` is the list that all datasets are brought to, ``group_by`` the regular expression of groups where an address has none.
    ``pseudo`` are teachers for what a dataset does not label. ``strict`` stops at a problem in a dataset. ``lr`` is the peak of the
    schedule. ``coarse`` is the part of the epochs, the first ones, that a detector trains at three quarters of its input size:
    progressive learning, EfficientNetV2, arXiv:2104.00298. ``ema`` is the decay of the averaged weights. ``augment`` says how images
    are changed (``augment_policy``). ``amp`` is the precision of the arithmetic, ``workers`` the processes that read and change images.
    ``model_options`` are arguments of the network, ``model_option`` more of them as text, "width=0.5". ``init`` is a
    checkpoint to start from, ``freeze`` the part of it (stem, backbone, or a number of layers) that is not trained in the first
    ``freeze_epochs`` epochs, in all where that is 0.
    """

    model: str
    data: tuple[str, ...]
    out: Path
    name: str = ""
    val: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    group_by: str = ""
    pseudo: tuple[str, ...] = ()
    strict: bool = False
    model_options: Mapping[str, Any] = field(default_factory=dict)
    model_option: tuple[str, ...] = ()
    init: str = ""
    freeze: str = ""
    freeze_epochs: int = 0
    epochs: int = 10
    batch: int = 64
    lr: float = 2e-3
    weight_decay: float = 0.02
    seed: int = 0
    val_fraction: float = 0.05
    coarse: float = 0.5
    ema: float = 0.998
    augment: str = "standard"
    flip: bool = True
    limit: int | None = None
    val_limit: int | None = None
    amp: Amp = "auto"
    workers: int = 2
    resume: bool = False
    download: bool = False

    def policy(self, task: str) -> Policy:
        """How images are changed; raises ``InputError`` for an unknown ``augment``."""
        return parse_policy(self.augment, task, flip=self.flip)

    def network(self) -> dict[str, Any]:
        """Options of the model that were asked for; raises ``InputError`` for one in ``model_option`` that it does not have."""
        return {**parse_options(self.model, self.model_option), **self.model_options}

    def identity(self) -> dict[str, Any]:
        """What a resumed training must have in common with the one that was stopped: all that changes the result."""
        values = dataclasses.asdict(self)
        for name in ("out", "workers", "resume", "download", "val_limit", "strict"):
            del values[name]
        values["init"] = self.init and Path(self.init).name
        return values | {name: [shown_address(uri) for uri in getattr(self, name)] for name in ("data", "val", "pseudo")}

    def command(self) -> str:
        """The command line that makes the same weights, with folders by name only: a card travels, a user's paths should not."""
        defaults = {item.name: item.default for item in dataclasses.fields(self)}
        words = [f"edgecnn train {self.model}", *(f"--data '{shown_address(uri)}'" for uri in self.data)]
        words += [f"--name {self.name}"] if self.name else []
        words += [f"--{name} {shlex.quote(shown_address(uri))}" for name in ("val", "pseudo") for uri in getattr(self, name)]
        words += [f"--classes {shlex.quote(','.join(self.classes))}"] if self.classes else []
        words += [f"--group-by {shlex.quote(self.group_by)}"] if self.group_by else []
        for name in (
            "epochs",
            "batch",
            "lr",
            "weight_decay",
            "seed",
            "val_fraction",
            "coarse",
            "ema",
            "augment",
            "limit",
            "val_limit",
            "amp",
        ):
            value = getattr(self, name)
            if value != defaults[name] or name in ("epochs", "batch", "lr", "seed"):
                words.append(f"--{name.replace('_', '-')} {shlex.quote(str(value))}")
        words += ["--no-flip"] if not self.flip else []
        words += [f"--size {'x'.join(map(str, self.model_options['size']))}"] if "size" in self.model_options else []
        words += [f"--init {shlex.quote(Path(self.init).name)}"] if self.init else []
        words += [f"--freeze {self.freeze}"] if self.freeze else []
        words += [f"--freeze-epochs {self.freeze_epochs}"] if self.freeze_epochs else []
        words += [f"--model-option {shlex.quote(text)}" for text in self.model_option]
        return " ".join(words)
