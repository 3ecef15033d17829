"""Reads other people's weights (.safetensors, torch.save) as plain values; no code that a file brings along is run."""

from __future__ import annotations

import io
import pickletools
import struct
import warnings
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

from edgecnn.errors import InputError, first_line
from edgecnn.models.stand_ins import NumpyArray, StandIn, StandInDict, stand_ins

AGAIN = "save or copy it again"
SAVE_STATE = "save model.state_dict() with torch.save or safetensors"
PICKLES = 5  # in a file of torch before 1.6: magic number, version, sizes of types, the object, names of the storages
RENAMED = {"__builtin__": "builtins", "copy_reg": "copyreg"}  # modules of Python 2 in pickles of protocol 2
TORCH = "WeightsUnpickler error: "  # before the reason, below advice to trust the file
DEPTH = 24  # of nested dictionaries


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """A tensor of a file, and the ``group``, the keys of the dictionary or module that it lies in, such as ("ema", "module")."""

    tensor: Tensor
    group: tuple[str, ...]


def read_tensors(path: Path) -> dict[str, StoredTensor]:
    """All tensors of a weights file by their path through its dictionaries, lists and modules, such as ema.module.0.weight.

    NumPy arrays count as tensors. Objects of other classes are not made: of a pickled module the tensors are taken, of all else nothing.
    Raises ``InputError`` for a file that is missing, broken, of another kind or without tensors.
    """
    found = tensors_in(read_values(path))
    if not found:
        raise InputError(f"{path} holds no tensors by name", SAVE_STATE)
    return found


def tensors_in(values: Any) -> dict[str, StoredTensor]:
    """The tensors in what ``read_values`` returned, by their path."""
    found: dict[str, StoredTensor] = {}
    _collect(values, (), (), found, [])
    return found


def _collect(
    value: Any, place: tuple[str, ...], group: tuple[str, ...], found: dict[str, StoredTensor], above: list[Any]
) -> None:
    """Add the tensors in ``value`` to ``found``; ``above`` are the containers around it."""
    if isinstance(value, NumpyArray):
        array = value.array()
        value = None if array is None else torch.from_numpy(array)
    if isinstance(value, Tensor):
        found.setdefault(".".join(place), StoredTensor(value.detach(), group))
        return
    if len(above) > DEPTH or any(value is one for one in above):  # a dictionary that holds itself
        return
    # modules in a module belong to its state dict, everything else is a group of its own
    inside = group if _is_module(value) and above and _is_module(above[-1]) else place
    for name, part in _children(value):
        _collect(part, (*place, *name.split(".")), inside, found, [*above, value])


def _is_module(value: Any) -> bool:
    return isinstance(value, StandIn) and value.is_module


def _children(value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, StandIn):
        return list(value.children())
    if isinstance(value, Mapping):
        return [(name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name), part) for name, part in value.items()]
    if isinstance(value, list | tuple):
        return [(str(index), part) for index, part in enumerate(value)]
    return []


def read_values(path: Path) -> Any:
    """The content of a weights file: dictionaries, lists, tensors, plain values, and a ``StandIn`` for each object of another class.

    Raises ``InputError`` for a file that is missing, broken or of another kind.
    """
    if not path.is_file():
        raise InputError(f"{path} {'is a folder' if path.is_dir() else 'does not exist'}", "check the path")
    if not path.stat().st_size:
        raise InputError(f"{path} is empty", AGAIN)
    try:
        with path.open("rb") as stream:
            start = stream.read(9)
        if path.suffix == ".safetensors" or (start[8:] == b"{" and struct.unpack("<Q", start[:8])[0] < path.stat().st_size):
            return _read_safetensors(path)
        return _read_pickle(path)
    except InputError:
        raise
    except MemoryError:
        raise
    except Exception as error:
        raise InputError(
            f"{path} is damaged, or neither a .safetensors file nor saved by torch.save ({reason_of(error)})", SAVE_STATE
        ) from error


def _read_safetensors(path: Path) -> Any:
    from safetensors.torch import load_file

    return load_file(path)


def _read_pickle(path: Path) -> Any:
    archived = zipfile.is_zipfile(path)
    names = _names_in_archive(path) if archived else _names_before_storages(path)
    try:
        return _load(path, names, StandIn, archived)
    except Exception as error:
        if "SETITEM" not in str(error):
            raise
        # an object of a class that is a dictionary: the unpickler sets items only in dictionaries
        return _load(path, names, StandInDict, archived)


def _load(path: Path, names: set[str], other: type[StandIn], archived: bool) -> Any:
    with warnings.catch_warnings(), torch.serialization.safe_globals(stand_ins(names, other)):  # type: ignore[arg-type]
        warnings.simplefilter("ignore")
        if archived:
            return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        # from memory: reading a damaged length from a file would ask for that much memory
        return torch.load(io.BytesIO(path.read_bytes()), map_location="cpu", weights_only=True)


def _names_in_archive(path: Path) -> set[str]:
    """The names of classes and functions in the pickle of an archive of torch.save; raises ``InputError`` for other archives."""
    with zipfile.ZipFile(path) as archive:
        members = {info.filename.partition("/")[2]: info for info in archive.infolist()}
        if "constants.pkl" in members or any(name.startswith("code/") for name in members):
            raise InputError(
                f"{path} is a TorchScript program, not weights",
                f"{SAVE_STATE}, or save a program of torch.export (.pt2), which edgecnn exports without a factory",
            )
        if any(name.startswith("models/") or name == "archive_format" for name in members):
            raise InputError(
                f"{path} is a program of torch.export, not weights", "name it with the suffix .pt2 as the model itself"
            )
        if "data.pkl" not in members:
            raise InputError(f"{path} is a ZIP archive, but not one of torch.save", SAVE_STATE)
        check_stored(archive, path)
        return _globals(io.BytesIO(archive.read(members["data.pkl"])))


def check_stored(archive: zipfile.ZipFile, path: Path) -> None:
    """Raise ``InputError`` for an archive of torch whose parts are compressed, larger than the file, or differ from their checksums."""
    size = path.stat().st_size
    if any(info.compress_type != zipfile.ZIP_STORED or info.file_size > size for info in archive.infolist()):
        raise InputError(f"{path} is damaged, or was packed again by another program", AGAIN)
    damaged = archive.testzip()  # torch itself does not compare them
    if damaged is not None:
        raise InputError(f"{path} is damaged: the bytes of {damaged} do not match their checksum", AGAIN)


def _names_before_storages(path: Path) -> set[str]:
    names: set[str] = set()
    stream = io.BytesIO(path.read_bytes())
    with suppress(Exception):  # what is wrong with the file is said by torch.load
        for _ in range(PICKLES):
            names |= _globals(stream)
    return names


def _globals(stream: IO[bytes]) -> set[str]:
    found = {str(value) for code, value, _ in pickletools.genops(stream) if code.name == "GLOBAL"}
    pairs = [name.partition(" ") for name in found]
    return {f"{RENAMED.get(module, module)}.{name}" for module, _, name in pairs}


def reason_of(error: Exception) -> str:
    """The kind of an error and the line of its text that explains, at most 160 characters."""
    lines = (line.strip() for line in str(error).splitlines())
    text = next((line.removeprefix(TORCH) for line in lines if line.startswith(TORCH)), first_line(error))
    text = text.partition(" Re-running ")[0]  # torch's advice to load the pickle anyway
    return f"{type(error).__name__}: {text[:160].rstrip('. ')}"
