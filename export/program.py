"""A `.pt2` file: the program that torch.export.save wrote, read without running code that may be inside."""

from __future__ import annotations

import contextlib
import hashlib
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn

from edgecnn.errors import EdgeCnnError, InputError
from edgecnn.export.inference_check import check_program
from edgecnn.export.quiet import quiet
from edgecnn.models.weights_file import check_stored

SUFFIX = ".pt2"
PICKLED = ("custom_obj_", "opaque_obj_")  # archive members that torch unpickles: pickles can run arbitrary code
SAVE_AGAIN = "save it again with torch.export.save"


def read_program(path: Path) -> tuple[nn.Module, tuple[int, ...], str]:
    """The module of the program, the shape of its one image input, and the file's sha256.

    Raises ``InputError`` for a file that is missing, broken, holds pickled objects, or takes other inputs than one image.
    """
    if not path.is_file():
        raise InputError(f"{path} does not exist", "check the path")
    try:
        _check_archive(path)
        with quiet(), _data_only():
            program = torch.export.load(path)
        check_program(program, path)
        inputs = [node.meta["val"] for node in program.graph.nodes if node.name in program.graph_signature.user_inputs]
        shapes = [tuple(int(size) for size in value.shape) for value in inputs]
        with quiet():
            module = program.module()
    except (EdgeCnnError, MemoryError):
        raise
    except Exception as error:  # of ZIP, JSON, pickle and torch; a damaged program can fail in any of them
        raise InputError(f"{path} can't be read as a torch.export program ({type(error).__name__})", SAVE_AGAIN) from error
    if len(shapes) != 1 or len(shapes[0]) != 4:
        raise InputError(f"{path} takes inputs {shapes}, not one batch of images", "export a module that takes one image")
    return module, shapes[0], hashlib.sha256(path.read_bytes()).hexdigest()


def _check_archive(path: Path) -> None:
    if not zipfile.is_zipfile(path):
        raise InputError(f"{path} is not an archive written by torch.export.save", SAVE_AGAIN)
    with zipfile.ZipFile(path) as archive:
        check_stored(archive, path)
        pickled = [name for name in archive.namelist() if any(part in name for part in PICKLED)]
    if pickled:
        raise InputError(f"{path} contains a pickled object ({pickled[0]}), which could run code when it is read", SAVE_AGAIN)


@contextlib.contextmanager
def _data_only() -> Iterator[None]:
    """Forbid the full unpickling that torch.export.load falls back to, by torch's own environment variable."""
    name = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
    before = os.environ.get(name)
    os.environ[name] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
