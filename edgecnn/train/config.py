"""The configuration of a training run; equal configurations give equal weights."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from edgecnn.data.address import shown_address
from edgecnn.models.options import parse_options
from edgecnn.train.augment_policy import AugmentPolicy, parse_policy

Amp = Literal["auto", "fp32", "bf16"]
Loader = Literal["auto", "workers", "device"]
Balance = Literal["none", "weights", "sampling"]

# without effect on the weights, but for the limit of time, of which a resumed training has a new one
NOT_COMPARED = ("out", "workers", "resume", "download", "val_limit", "strict", "max_minutes")
SHOWN = ("epochs", "batch", "lr", "weight_decay", "seed", "val_fraction", "multiscale_fraction", "ema", "augment")
SHOWN_LAST = ("adversarial", "balance", "limit", "val_limit", "amp", "loader", "max_minutes", "pseudo_votes", "pseudo_iou")
ALWAYS_SHOWN = ("epochs", "batch", "lr", "seed")  # in the command even where they have their defaults


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """The options of `edgecnn train`; each field has the name of its option.

    Data: ``data`` are dataset addresses (``edgecnn.data.address``), concatenated in this order. ``val`` are evaluated after each epoch;
    without them ``val_fraction`` (0..1) of each dataset is split off, in whole groups. ``group_by`` is a regular expression on file
    names, for addresses without their own. ``classes`` are the class names that all datasets are mapped to. ``pseudo`` are the model
    files that label the classes that a dataset lacks; where several know one, ``pseudo_votes`` of them must agree by an IoU of
    ``pseudo_iou``. ``limit`` and ``val_limit`` bound the number of images. ``strict`` raises at the
    first problem in a dataset.

    Network: ``model_options`` are arguments of the model's class, ``model_option`` more of them as text, such as "width=0.5". ``init`` is
    a checkpoint whose tensors are reused where they fit; ``freeze`` is the part of it (stem, backbone, or a number of layers) that is
    not trained for the first ``freeze_epochs`` epochs, 0 for all.

    Optimization: ``lr`` is the peak of the schedule. ``ema`` is the decay of the averaged weights. ``multiscale_fraction`` (0..1) is the
    fraction of the epochs, the first ones, that a detector trains at three quarters of its input size: progressive learning,
    EfficientNetV2, arXiv:2104.00298. ``augment`` names an augmentation policy (``augment_policy``), ``flip`` False switches mirroring
    off. ``amp`` is the precision of matrix products. ``loader`` is where batches are made: in ``workers`` processes, or on the training
    device with all images in its memory; "auto" is the device where that is a GPU and the task allows it. ``max_minutes`` limits the
    time: fewer epochs are trained, and the schedule ends with the time. ``adversarial`` is the strength of adversarial training, as text:
    grey levels of 255 and steps, such as "8:3" (``edgecnn.train.adversarial``); "" for none. ``balance`` makes rare classes of a
    classifier count as much as frequent ones: by ``weights`` of the loss, or by ``sampling`` their images more often.
    """

    model: str
    data: tuple[str, ...]
    out: Path
    name: str = ""
    val: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    group_by: str = ""
    pseudo: tuple[str, ...] = ()
    pseudo_votes: int = 2
    pseudo_iou: float = 0.5
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
    multiscale_fraction: float = 0.5
    ema: float = 0.998
    balance: Balance = "none"
    augment: str = "standard"
    flip: bool = True
    adversarial: str = ""
    limit: int | None = None
    val_limit: int | None = None
    amp: Amp = "auto"
    loader: Loader = "auto"
    max_minutes: float | None = None
    workers: int = 2
    resume: bool = False
    download: bool = False

    def policy(self, task: str) -> AugmentPolicy:
        """The augmentation policy for a task; raises ``InputError`` for an unknown ``augment``."""
        return parse_policy(self.augment, task, flip=self.flip)

    def network(self) -> dict[str, Any]:
        """The options of the model; raises ``InputError`` for one in ``model_option`` that the model does not have."""
        return {**parse_options(self.model, self.model_option), **self.model_options}

    def identity(self) -> dict[str, Any]:
        """Everything that changes the weights: a resumed training must agree with the stopped one in all of it."""
        values = dataclasses.asdict(self)
        for name in NOT_COMPARED:
            del values[name]
        # by name: a resumed run may see its files at another path
        values["init"] = self.init and Path(self.init).name
        return values | {name: [shown_address(uri) for uri in getattr(self, name)] for name in ("data", "val", "pseudo")}

    def command(self) -> str:
        """The command line that gives the same weights; folders by name only, because a card is shared and local paths are private."""
        words = [f"edgecnn train {self.model}", *(f"--data '{shown_address(uri)}'" for uri in self.data)]
        words += [f"--name {self.name}"] if self.name else []
        words += [f"--{name} {shlex.quote(shown_address(uri))}" for name in ("val", "pseudo") for uri in getattr(self, name)]
        words += [f"--classes {shlex.quote(','.join(self.classes))}"] if self.classes else []
        words += [f"--group-by {shlex.quote(self.group_by)}"] if self.group_by else []
        words += self._changed((*SHOWN, *SHOWN_LAST))
        words += ["--no-flip"] if not self.flip else []
        words += [f"--size {'x'.join(map(str, self.model_options['size']))}"] if "size" in self.model_options else []
        words += [f"--init {shlex.quote(Path(self.init).name)}"] if self.init else []
        words += [f"--freeze {self.freeze}"] if self.freeze else []
        words += [f"--freeze-epochs {self.freeze_epochs}"] if self.freeze_epochs else []
        words += [f"--model-option {shlex.quote(text)}" for text in self.model_option]
        return " ".join(words)

    def _changed(self, names: tuple[str, ...]) -> list[str]:
        """``--name value`` for each field that differs from its default or is always shown."""
        defaults = {item.name: item.default for item in dataclasses.fields(self)}
        shown = [name for name in names if name in ALWAYS_SHOWN or getattr(self, name) != defaults[name]]
        return [f"--{name.replace('_', '-')} {shlex.quote(str(getattr(self, name)))}" for name in shown]
