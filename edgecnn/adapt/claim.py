"""Which run a folder holds: what may differ when it is gone on with, which steps are then made again; one process at a time."""

from __future__ import annotations

import fcntl
import json
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any

from edgecnn.adapt.collect import FrameJournal
from edgecnn.adapt.config import AdaptConfig, AdaptFolder, Say
from edgecnn.adapt.label import HELD_OUT, TRAIN
from edgecnn.errors import InputError
from edgecnn.files import write_error, write_file
from edgecnn.json_text import dump_json

ANOTHER = "name another folder with --out"
# the lock ends with the processes that have the file open: where a run was killed, those that made its batches end a moment later
LOCKED_WITHIN_S = 5.0
# minutes and frames are in none: what was kept stays, and the rest is watched
FRAMES = ("source", "gap_s")
STEPS = {
    "labels": ("model", "teachers", "votes"),
    "training": ("data", "epochs", "batch", "lr", "max_train_minutes", "seed"),
    "files": ("precisions",),
}


@contextmanager
def alone(folder: AdaptFolder) -> Iterator[None]:
    """No other process works in the folder inside this block. Raises ``InputError`` where one does, or where it can't be written to."""
    _make(folder)
    try:
        handle = (folder.root / ".lock").open("a")
    except OSError as error:
        raise write_error(folder.root, error, ANOTHER) from error
    with handle:
        if not _locked(handle):
            raise InputError(f"another edgecnn adapt is working in {folder.root}", f"wait for its end, or {ANOTHER}")
        yield


def _locked(handle: IO[str]) -> bool:
    """Whether the file is locked now, after ``LOCKED_WITHIN_S`` at most."""
    end = time.monotonic() + LOCKED_WITHIN_S
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                return False
            time.sleep(0.1)
        else:
            return True


def claim(config: AdaptConfig, folder: AdaptFolder, say: Say) -> None:
    """Note the settings in the folder; where a run was begun there with others, the steps that depend on them are made again.

    The folder is locked by ``alone``. Raises ``InputError`` for a folder with frames of another source, and one that can't be written to.
    """
    own: dict[str, Any] = json.loads(dump_json(config.identity()))
    before = _settings(folder)
    if before is not None and _differ(before, own, FRAMES):
        if FrameJournal.read(folder.journal).at_s:
            shown = ", ".join(f"{key} {before.get(key)!r}" for key in _differ(before, own, FRAMES))
            raise InputError(f"{folder.root} holds frames of another run, with {shown}", f"repeat its options, or {ANOTHER}")
        folder.journal.unlink(missing_ok=True)  # nothing came of it, such as after a mistyped source
    elif before is not None:
        _again(before, own, folder, say)
    write_file(folder.settings, dump_json(own, indent=1))


def discard(folder: AdaptFolder, step: str) -> bool:
    """Remove what a step of ``STEPS`` and those after it have made; whether there was anything."""
    places = {
        "labels": (folder.labelled(TRAIN), folder.labelled(HELD_OUT)),
        "training": (folder.training,),
        "files": (folder.tried,),
    }
    names = list(places)
    made = [place for name in names[names.index(step) :] for place in places[name] if place.exists()]
    for place in made:
        shutil.rmtree(place)
    return bool(made)


def _again(before: Mapping[str, Any], own: Mapping[str, Any], folder: AdaptFolder, say: Say) -> None:
    """Discard the first step that was made with other settings, and all after it; the settings are noted only then."""
    names = list(STEPS)
    for number, step in enumerate(names):
        changed = _differ(before, own, STEPS[step])
        if changed:
            if discard(folder, step):
                say(f"other options than before ({', '.join(changed)}): {_listed(names[number:])} are made again")
            return


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _differ(before: Mapping[str, Any], own: Mapping[str, Any], keys: tuple[str, ...]) -> list[str]:
    return [key for key in keys if before.get(key) != own[key]]


def _settings(folder: AdaptFolder) -> dict[str, Any] | None:
    if not folder.settings.exists():
        return None
    try:
        found = json.loads(folder.settings.read_text())
    except (ValueError, OSError) as error:
        raise InputError(f"{folder.settings} is damaged", ANOTHER) from error
    if not isinstance(found, dict):
        raise InputError(f"{folder.settings} is damaged", ANOTHER)
    return found


def _make(folder: AdaptFolder) -> None:
    """The folder, which may be there if it is empty: a hidden file is the draft of a run that was killed."""
    try:
        ours = not folder.root.exists() or folder.settings.exists()
        if not ours and not all(one.name.startswith(".") for one in folder.root.iterdir()):
            raise InputError(f"{folder.root} holds something else already", ANOTHER)
        folder.root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(folder.root, error, ANOTHER) from error
