"""Gets a model of the register: downloads it, checks it, writes its card and goldens into it, and puts it where it is found by name."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from edgecnn import got_models, shipped
from edgecnn.download import by_hand, digest, download
from edgecnn.errors import InputError
from edgecnn.files import write_error, write_file
from edgecnn.labels import read_label_file
from edgecnn.runtime.model.card_inference import CardOptions
from edgecnn.runtime.model.wrap import WrapConfig, Wrapped, wrap
from edgecnn.zoo.archive import unpack
from edgecnn.zoo.register import RegisteredModel, find

EXTRA = "get"
# GitHub sends release files and raw files on to these
HOSTS = (
    "release-assets.githubusercontent.com",
    "objects.githubusercontent.com",
    "raw.githubusercontent.com",
    "media.githubusercontent.com",
)
Accept = Callable[[RegisteredModel], bool]
Say = Callable[[str], None]
DOWNLOADS = ".downloads"
GOES_ON = "run it again: it goes on from there"


def get(name: str, accept: Accept, say: Say = lambda line: None) -> Wrapped | None:
    """Get the model ``name``; None where it is there already, as ``say`` tells.

    ``accept`` is asked for a model whose digest nobody vouches for. Another process that gets the same model is waited for. The file
    appears under its name complete, with card, goldens and digests, or not at all. What was downloaded stays after an interrupt,
    and the next call goes on from it; nothing else stays.
    Raises ``InputError`` for an unknown name, one that was not accepted, and what went wrong with download or folder, and what ``wrap``
    raises.
    """
    entry = find(name)
    if _is_there(name, say):
        return None
    if entry.unverified and not accept(entry):
        raise InputError(f"{name} is unverified: {entry.unverified}", "add --accept-unverified to get it all the same")
    try:
        with _own_folder() as folder, _alone(folder / f".{name}.lock", name, say):
            return None if _is_there(name, say) else _made(entry, folder, say)
    except OSError as error:
        raise write_error(got_models.folder() or name, error, "set XDG_DATA_HOME to another place") from error


def remove(name: str) -> list[Path]:
    """Remove a model that was got, and what was downloaded for it; the files. Raises ``InputError`` for a shipped or unknown name."""
    folder = got_models.folder()
    if name in shipped.names():
        raise InputError(f"{name} ships with edgecnn and can't be removed", "name one of those that edgecnn models get brought")
    found = got_models.path(name)
    partial = folder / DOWNLOADS / name if folder is not None else None
    if found is None and not (partial is not None and name and partial.is_dir() and partial.parent.name == DOWNLOADS):
        others = got_models.names()
        raise InputError(f"{name} is not here", f"name one of {', '.join(others)}" if others else "there is no model to remove")
    removed = []
    try:
        if found is not None:
            removed = [file for file in (found, found.with_suffix(".bin")) if file.is_file()]
            for file in removed:
                file.unlink()
            found.with_name(f".{name}.lock").unlink(missing_ok=True)
        if partial is not None:
            shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        raise write_error(found or name, error, "change its permissions") from error
    return removed


def _is_there(name: str, say: Say) -> bool:
    found = got_models.path(name)
    if found is not None:
        say(f"{name} is here already: {found}")
    return found is not None


@contextlib.contextmanager
def _alone(lock: Path, name: str, say: Say) -> Iterator[None]:
    """No other process gets the same model in this block. The file of the lock is removed at its end."""
    while True:
        with lock.open("a") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say(f"another process is getting {name}: waiting for it")
                fcntl.flock(handle, fcntl.LOCK_EX)
            if not _is_open_file(lock, handle):  # the other one has removed it: who comes now locks another file
                continue
            try:
                yield
            finally:
                lock.unlink(missing_ok=True)
            return


def _is_open_file(path: Path, handle: IO[str]) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(handle.fileno()))
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def _own_folder() -> Iterator[Path]:
    """The folder of models that are got; removed at the end where it was made for this and is empty."""
    known = got_models.folder()
    made = [] if known is None else [place for place in (known, *known.parents) if not place.exists()]
    folder = got_models.needed_folder()
    try:
        yield folder
    finally:
        for place in made:
            with contextlib.suppress(OSError):
                place.rmdir()


def _made(entry: RegisteredModel, folder: Path, say: Say) -> Wrapped:
    place, out = folder / DOWNLOADS / entry.name, folder / f"{entry.name}{entry.suffix}"
    place.mkdir(parents=True, exist_ok=True)
    try:
        file = _model_file(entry, place, say)
        options = CardOptions(labels=_labels(entry, place), **{key: _plain(value) for key, value in entry.card.items()})
        done = wrap(WrapConfig(file=file, out=out, options=options, name=entry.name, training=_origin(entry)))
        shutil.rmtree(place, ignore_errors=True)
    finally:
        for empty in (place, place.parent):
            with contextlib.suppress(OSError):
                empty.rmdir()
    return done


def _model_file(entry: RegisteredModel, place: Path, say: Say) -> Path:
    """The model file in ``place``, checked; one of an earlier try, or put there by hand, is used."""
    fetched = place / entry.file_name
    if not fetched.exists():
        say(f"downloading {entry.url}")
        download(entry.url, fetched, entry.remote, extra=EXTRA, hosts=HOSTS, cut_fix=GOES_ON)
    file = fetched
    if entry.member:
        file = place / Path(entry.member).name
        unpack(fetched, entry.member, file)
    found = digest(file)
    if entry.sha256 and found != entry.sha256:
        fetched.unlink()
        file.unlink(missing_ok=True)
        of = f"{entry.member} of {entry.url}" if entry.member else f"{fetched.name} in {place}"
        raise InputError(f"{of} is not what was published (sha256 {found[:16]}...)", f"try again, or {by_hand(fetched)}")
    return file


def _labels(entry: RegisteredModel, place: Path) -> Path | None:
    names = entry.labels
    if entry.labels_url or entry.labels_member:
        file = place / (entry.remote_labels.name if entry.labels_url else Path(entry.labels_member).name)
        if entry.labels_member:
            unpack(place / entry.file_name, entry.labels_member, file)
        elif not file.exists():
            download(entry.labels_url, file, entry.remote_labels, extra=EXTRA, hosts=HOSTS, cut_fix=GOES_ON)
        names = read_label_file(file)[entry.labels_skip :]
    if not names:
        return None
    path = place / "class-names.txt"
    write_file(path, "".join(f"{name}{os.linesep}" for name in names))
    return path


def _plain(value: Any) -> Any:
    """A list of numbers as the tuple that options are."""
    return tuple(value) if isinstance(value, list) else value


def _origin(entry: RegisteredModel) -> dict[str, object]:
    """What the card says of where the file is from."""
    notes = {"what": entry.what, "attribution": entry.home, "published": entry.published}
    source = {"address": entry.url, "licence": entry.licence, "sha256": entry.sha256, "unverified": entry.unverified}
    return {"notes": notes, "source": source}
