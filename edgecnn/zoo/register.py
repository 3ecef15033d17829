"""Reads the register of other people's models, register.toml, which describes its fields."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from edgecnn import got_models, shipped
from edgecnn.download import RemoteFile
from edgecnn.errors import InputError
from edgecnn.labels import COCO_80
from edgecnn.schema import SchemaError, either, integer, items, mapping, number, one_of, plain, record, text
from edgecnn.task_names import TASK_NAMES
from edgecnn.text_files import read_text

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FILE = Path(__file__).with_name("register.toml")
VARIABLE = "EDGECNN_REGISTER"  # names another register, such as one of a company
_LICENCES = ("Apache-2.0", "MIT", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "CC-BY-4.0")
_sha256 = text(0, 64)
_MODELS = record(
    {
        "models": items(
            record(
                {
                    "name": text(1, 60),
                    "what": text(1, 200),
                    "task": one_of(*TASK_NAMES),
                    "home": text(1, 300),
                    "licence": one_of(*_LICENCES),
                    "url": text(1, 500),
                    "sha256": _sha256,
                    "unverified": text(0, 200),
                },
                {
                    "published": text(0, 200),
                    "sha256_from": text(0, 200),
                    "size": integer(1, 1 << 31),
                    "member": text(1, 200),
                    "labels": either(one_of("coco"), items(text(1, 100), least=1, most=2000)),
                    "labels_url": text(1, 500),
                    "labels_size": integer(1, 1 << 20),
                    "labels_sha256": _sha256,
                    "labels_member": text(1, 200),
                    "labels_skip": integer(0, 10),
                    "card": mapping(either(plain, items(number(), least=1, most=3)), most=20),
                },
            ),
            most=1000,
        )
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredModel:
    """An entry of the register; the fields are those of the file. ``labels`` () where the names are in a file or in the model."""

    name: str
    what: str
    task: str
    home: str
    licence: str
    url: str
    sha256: str
    unverified: str
    published: str = ""
    sha256_from: str = ""
    size: int | None = None
    member: str = ""
    labels: tuple[str, ...] = ()
    labels_url: str = ""
    labels_size: int | None = None
    labels_sha256: str = ""
    labels_member: str = ""
    labels_skip: int = 0
    card: Mapping[str, Any] = field(default_factory=dict)

    @property
    def file_name(self) -> str:
        """The name of the file at the address."""
        return PurePosixPath(urlsplit(self.url).path).name

    @property
    def suffix(self) -> str:
        """That of the model file."""
        return PurePosixPath(self.member or self.file_name).suffix

    @property
    def remote(self) -> RemoteFile:
        """What is at the address: of an archive neither size nor digest are known."""
        return RemoteFile(self.file_name, None, "") if self.member else RemoteFile(self.file_name, self.size, self.sha256)

    @property
    def remote_labels(self) -> RemoteFile:
        """The file of class names."""
        return RemoteFile(PurePosixPath(urlsplit(self.labels_url).path).name, self.labels_size, self.labels_sha256)


def registered() -> Mapping[str, RegisteredModel]:
    """All models of the register by name. Raises ``InputError`` for a register of $EDGECNN_REGISTER that can't be read."""
    return _read(Path(os.environ.get(VARIABLE) or FILE))


def find(name: str) -> RegisteredModel:
    """The model of that name. Raises ``InputError`` for a shipped one, and for one that is not there."""
    known = registered()
    if name in shipped.names():
        raise InputError(f"{name} ships with edgecnn: there is nothing to get", f"use it: edgecnn run {name} --source 0")
    if name not in known:
        close = get_close_matches(name, list(known), 1)
        raise InputError(
            f"no model of the register is named {name!r}",
            f"did you mean {close[0]}?" if close else f"name one of {', '.join(known)}",
        )
    return known[name]


def check_got(name: str | Path) -> None:
    """Raise ``InputError`` where ``name`` is no file, but a model of the register that was not got yet, or nearly the name of a model."""
    word = str(name)
    if Path(word).exists() or word in shipped.names() or got_models.path(word) is not None:
        return
    model = registered().get(word)
    if model is not None:
        accept = " --accept-unverified" if model.unverified else ""
        raise InputError(f"the model {word} is not here yet", f"get it with edgecnn models get {word}{accept}")
    near = [] if Path(word).suffix else get_close_matches(word, [*shipped.names(), *registered()], n=1)
    if near:
        raise InputError(f"the model file {word} does not exist", f"did you mean {near[0]}? `edgecnn models` lists all names")


@lru_cache(maxsize=4)
def _read(path: Path) -> Mapping[str, RegisteredModel]:
    try:
        rows = _MODELS(tomllib.loads(read_text(path)), "")["models"]
    except (tomllib.TOMLDecodeError, SchemaError) as error:
        raise InputError(f"the register {path}: {error}", "correct it") from error
    models = [
        RegisteredModel(**{**row, "labels": COCO_80 if row.get("labels") == "coco" else row.get("labels", ())}) for row in rows
    ]
    return {model.name: model for model in models}
