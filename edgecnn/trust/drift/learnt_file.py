"""Where a profile that was learnt from a camera is kept: beside the model file, or with the user's data."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from edgecnn.card import ModelCard
from edgecnn.errors import ArtifactError, InputError
from edgecnn.files import write_file
from edgecnn.json_text import dump_json
from edgecnn.reference_profile.profile import ReferenceProfile
from edgecnn.schema import SchemaError, parse_json
from edgecnn.shipped import is_shipped
from edgecnn.user_folders import data_folder

SUFFIX = ".drift.json"


def learnt_path(model: Path, camera: str) -> Path:
    """The file for a camera: ``model.onnx.door.drift.json``; for a shipped model or a folder that can't be written, in the user's data.

    Raises ``InputError`` where neither can be.
    """
    name = re.sub(r"[^A-Za-z0-9.-]+", "-", camera).strip("-.")[:60] or "camera"
    if name != camera:  # two cameras must not share a file
        name += f"-{hashlib.sha256(camera.encode()).hexdigest()[:8]}"
    beside = model.with_name(f"{model.name}.{name}{SUFFIX}")
    if not is_shipped(model) and os.access(model.parent, os.W_OK):
        return beside
    folder = data_folder()
    if folder is None:
        raise InputError(f"--drift learn: {model.parent} can't be written, and there is no home folder", "set HOME")
    return folder / "drift" / beside.name


def read_learnt(path: Path, card: ModelCard) -> ReferenceProfile | None:
    """The profile that was kept for this model; None without one, or of another model. Raises ``ArtifactError`` for a broken file."""
    if not path.is_file():
        return None
    try:
        found = parse_json(path.read_text(errors="replace"))
    except (OSError, SchemaError) as error:
        raise ArtifactError(f"{path} can't be read ({error})", "delete it, to learn again") from error
    if not isinstance(found, dict) or found.get("model") != _identity(card):
        return None
    return ReferenceProfile.from_record(found.get("profile"), str(path))


def write_learnt(path: Path, card: ModelCard, profile: ReferenceProfile) -> None:
    """Keep a profile for this model. Raises ``InputError`` where the file can't be written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, dump_json({"model": _identity(card), "profile": profile.to_record()}, indent=1) + "\n")


def _identity(card: ModelCard) -> str:
    """What another model differs in."""
    return card.graph_sha256 or card.sha256 or card.name
