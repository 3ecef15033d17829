"""What came out of an adaptation, in words."""

from __future__ import annotations

from collections.abc import Iterator

from edgecnn.adapt.run import Adapted
from edgecnn.counts import counted
from edgecnn.trust.paired.text import mean_words

KEPT = (".onnx", ".safetensors")  # suffixes of the files that get their names where the new model is better


def verdict(found: Adapted) -> str:
    """Whether the new model is taken, in one sentence."""
    interval = found.change.interval
    if found.better:
        return "the new model is better on held-out frames of this camera"
    if interval is None:
        return f"too few held-out frames to tell the models apart ({found.held_out.images}): the old model stays"
    worse = "is worse" if interval.high < 0 else "is not better beyond chance"
    return f"the new model {worse} on held-out frames of this camera: the old model stays"


def advice(found: Adapted) -> str:
    """What to do next, in one sentence; files by name only, because the page is shared with others."""
    if found.better:
        file = found.files[-2].name  # the last one is the checkpoint, the one before it was compared
        return f"use {file} in place of {found.compared.before.file.name}"
    if found.change.interval is None:
        return "watch longer: the same command with more --minutes goes on"
    return "what may help: more frames (the same command with more --minutes), a better teacher, the data of the model (--data)"


def lines(found: Adapted) -> list[str]:
    """The verdict, both scores, what to do, and where the files are."""
    kept = [f"wrote {path}" for path in found.files]
    tried = [] if found.files else [f"what was tried is in {found.folder.tried}", *_earlier(found)]
    return [
        verdict(found),
        f"  {mean_words(found.compared)} ({counted(found.held_out.images, 'frame')}, by the labels of the teachers)",
        *(f"  note: {note}" for note in found.compared.notes),
        f"  {advice(found)}",
        *kept,
        *tried,
    ]


def _earlier(found: Adapted) -> Iterator[str]:
    """That there are files of an earlier call, which was better with other frames or options."""
    names = sorted(path.name for path in found.folder.root.iterdir() if path.suffix in KEPT)
    if names:
        yield f"{', '.join(names)} in {found.folder.root} {'is' if len(names) == 1 else 'are'} of an earlier call"
