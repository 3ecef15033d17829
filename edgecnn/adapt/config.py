"""What `edgecnn adapt` is asked for, and the files in its folder."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgecnn.data.address import shown_address
from edgecnn.errors import InputError
from edgecnn.runtime.sources.redact import redact_address

Say = Callable[[str], None]
Step = Callable[[str, float, float], None]  # what is done, how much of how much; 0 of 0 where that is not known
_NOT_IN_IDENTITY = ("out", "workers", "data")


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptConfig:
    """The options of `edgecnn adapt`.

    ``model`` is a checkpoint (a path or a shipped name) of a detector, ``source`` what ``open_source`` takes, ``teachers`` the addresses
    of detectors that label its frames (``edgecnn.teachers``). ``minutes`` of the source are watched, or of a video less; at most ``frames``
    different ones are kept, at least ``gap_s`` seconds apart. ``data`` are datasets of the same classes that are trained on besides.
    ``votes`` of several teachers must agree. ``lr`` is the peak learning rate. The files of ``precisions`` are exported as ONNX; the last
    of them is compared with the model as it was. Raises ``InputError`` for values out of range.
    """

    model: str
    source: str
    out: Path
    teachers: tuple[str, ...]
    minutes: float = 10.0
    frames: int = 300
    gap_s: float = 1.0
    data: tuple[str, ...] = ()
    votes: int = 2
    epochs: int = 20
    batch: int = 16
    lr: float = 5e-4
    max_train_minutes: float | None = None
    precisions: tuple[str, ...] = ("fp32", "int8")
    seed: int = 0
    workers: int = 2

    def __post_init__(self) -> None:
        if not self.teachers:
            raise InputError("there is no teacher to label the frames", "name a detector with --teacher")
        if not self.precisions:
            raise InputError("there is no precision to export", "name one with --precision")
        if not self.minutes > 0 or not self.gap_s > 0:
            raise InputError(f"--minutes {self.minutes:g} and --gap {self.gap_s:g} must be above 0", "correct them")
        if self.frames < LEAST_FRAMES:
            raise InputError(f"--frames {self.frames} is below {LEAST_FRAMES}", "keep more frames")

    def identity(self) -> dict[str, Any]:
        """All that frames, labels, weights and files depend on; plain values, without passwords."""
        values = {key: value for key, value in dataclasses.asdict(self).items() if key not in _NOT_IN_IDENTITY}
        values |= {"source": _shown(self.source), "teachers": [shown_address(one) for one in self.teachers]}
        return values | {"data": [shown_address(one) for one in self.data], "precisions": list(self.precisions)}


def _shown(source: str) -> str:
    """A source without passwords and without the folders of a file: reports are shared with others."""
    return redact_address(source) if ":" in source else Path(source).name


LEAST_FRAMES = 20


@dataclass(frozen=True, slots=True)
class AdaptFolder:
    """The files in the folder ``root`` of a run."""

    root: Path

    @property
    def settings(self) -> Path:
        """The identity of the run."""
        return self.root / "settings.json"

    @property
    def frames(self) -> Path:
        """The folder of the frames that were kept."""
        return self.root / "frames"

    @property
    def journal(self) -> Path:
        """When each frame was seen, and how far the source was watched."""
        return self.root / "frames.json"

    @property
    def split(self) -> Path:
        """Which frames are to train on, held out, or neither."""
        return self.root / "split.json"

    def names(self, part: str) -> Path:
        """The list of the frames of "train" or "held-out"."""
        return self.root / f"{part}.txt"

    def labelled(self, part: str) -> Path:
        """The COCO dataset of a part."""
        return self.root / "labelled" / part

    @property
    def training(self) -> Path:
        """The folder of the training."""
        return self.root / "training"

    @property
    def tried(self) -> Path:
        """The folder of the exported files, before it is known whether they are better."""
        return self.root / "tried"

    @property
    def report(self) -> Path:
        """The page."""
        return self.root / "adapt.html"

    @property
    def document(self) -> Path:
        """The result as JSON."""
        return self.root / "adapt.json"
