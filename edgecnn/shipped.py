"""The models that are used by name: those shipped in the package, and those of `edgecnn models get`; read without torch or safetensors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgecnn import got_models
from edgecnn.card import CARD_KEY, ModelCard
from edgecnn.errors import ArtifactError
from edgecnn.integrity.checkpoint_header import SUFFIX, read_header, texts

FOLDER = Path(__file__).parent / "models" / "weights"
CHECKPOINT, ARTIFACT = SUFFIX, ".onnx"
# no parameters of the network: statistics of batch-norm, and the ranges of activations of a network that was trained for int8
STATISTICS = (".running_mean", ".running_var", ".num_batches_tracked", ".range", ".stretch")
_AGAIN = "install edgecnn again"


def names() -> tuple[str, ...]:
    """Names of the shipped models."""
    return tuple(sorted(path.stem for path in FOLDER.glob(f"*{CHECKPOINT}")))


def is_shipped(file: Path) -> bool:
    """Whether this is a file of the installed package, which no command changes."""
    return file.parent == FOLDER


def checkpoint(name: str) -> Path:
    """The checkpoint of a shipped model, for export or further training."""
    return FOLDER / f"{name}{CHECKPOINT}"


def artifact(file: str | Path) -> Path:
    """The file of the model of that name: the int8 ONNX file of a shipped one, or the file of one that was got.

    ``file`` itself where it exists, or is no such name. A shipped model without ONNX file is its checkpoint, which the format `torch`
    opens.
    """
    if Path(file).exists():
        return Path(file)
    if str(file) in names():
        inside = FOLDER / f"{file}{ARTIFACT}"
        return inside if inside.exists() else checkpoint(str(file))
    return got_models.path(str(file)) or Path(file)


def read(name: str) -> tuple[ModelCard, int]:
    """Card and number of parameters of a shipped model; raises ``ArtifactError`` where its file is broken."""
    path = checkpoint(name)
    header = read_header(path, _AGAIN)
    text = texts(header).get(CARD_KEY)
    if text is None:
        raise ArtifactError(f"{path} has no card", _AGAIN)
    return ModelCard.from_json(text, str(path)), sum(_size(key, item) for key, item in header.items())


def _size(key: str, item: Mapping[str, Any]) -> int:
    if key == "__metadata__" or key.endswith(STATISTICS):
        return 0
    size = 1
    for length in item["shape"]:
        size *= length
    return size
