"""Lists the models that were got and those that can be got, and describes one, for `edgecnn models`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from edgecnn import got_models, shipped
from edgecnn.card import CARD_KEY, ModelCard
from edgecnn.columns import align_columns
from edgecnn.errors import ArtifactError, InputError
from edgecnn.integrity.sections import BrokenFileError, split
from edgecnn.runtime.model import shipped_models
from edgecnn.runtime.model.description import card_rows
from edgecnn.zoo.register import RegisteredModel, registered


def check_name(name: str) -> None:
    """Raise ``InputError`` where no model, shipped, got or registered, has this name."""
    known = (*shipped.names(), *got_models.names(), *registered())
    if name not in known:
        raise InputError(
            f"no model is named {name!r}", f"name one of {', '.join(dict.fromkeys(known))}, or see edgecnn info FILE"
        )


def table() -> list[str]:
    """All models in lines: those that ship, those that were got, and those that can be got."""
    lines = ["shipped:", *_indented(shipped_models.table())]
    got = [_got_row(name) for name in got_models.names()]
    if got:
        lines += ["", "got (edgecnn models remove NAME removes one):"]
        lines += _columns([("name", "task", "input", "file", "licence"), *got])
    others = [_register_row(model) for model in registered().values() if got_models.path(model.name) is None]
    if others:
        lines += ["", "to be had (edgecnn models get NAME downloads one; * is not verified, see edgecnn models NAME):"]
        lines += _columns([("name", "task", "size", "licence", "what"), *others])
    return lines


def details(name: str) -> list[str]:
    """One model in lines of name and value. Raises ``ArtifactError`` for a file that is broken."""
    if name in shipped.names():
        return shipped_models.details(name)
    entry, found = registered().get(name), got_models.path(name)
    rows = [] if entry is None else _entry_rows(entry)
    if found is None:
        rows.append(("get it", f"edgecnn models get {name}{' --accept-unverified' if entry and entry.unverified else ''}"))
    else:
        rows = [("file", f"{found}, {found.stat().st_size / 1e6:.1f} MB"), *rows]
        rows += [row for row in card_rows(_card(name)) if row[0] not in dict(rows)]
    return shipped_models.as_lines(rows)


def to_document(name: str) -> dict[str, Any]:
    """The JSON document of one model; "kind" says whether it is shipped, got or registered."""
    if name in shipped.names():
        return {"kind": "shipped", **shipped_models.to_document(name)}
    entry, found = registered().get(name), got_models.path(name)
    document: dict[str, Any] = {"kind": "registered" if found is None else "got"}
    if entry is not None:
        keys = ("what", "task", "licence", "published", "url", "size", "sha256", "sha256_from", "unverified", "home")
        document["register"] = {key: getattr(entry, key) for key in keys}
    if found is not None:
        document |= {"file": str(found), "size_bytes": found.stat().st_size, "card": json.loads(_card(name).to_json())}
    return document


def names() -> list[str]:
    """The names of all models, those that ship first."""
    return list(dict.fromkeys((*shipped.names(), *got_models.names(), *registered())))


def _entry_rows(entry: RegisteredModel) -> list[tuple[str, str]]:
    return [
        ("name", entry.name),
        ("what", entry.what),
        ("licence", entry.licence),
        ("published", entry.published),
        ("from", entry.home),
        ("address", entry.url),
        ("size", _megabytes(entry.size)),
        ("sha256", f"{entry.sha256}, from {entry.sha256_from}" if entry.sha256 else "not known"),
        ("unverified", entry.unverified),
    ]


def _card(name: str) -> ModelCard:
    """The card of a model that was got, read without its engine."""
    path = got_models.path(name)
    assert path is not None
    try:
        text = split(path).texts[CARD_KEY]
    except (BrokenFileError, OSError, KeyError) as error:
        raise ArtifactError(f"{path} is damaged ({error})", f"run: edgecnn models remove {name}") from error
    return ModelCard.from_json(text.decode(errors="replace"), str(path))


def _got_row(name: str) -> tuple[str, ...]:
    path = got_models.path(name)
    assert path is not None
    try:
        card = _card(name)
    except ArtifactError:
        return name, "damaged", "", path.name, ""
    height, width = card.preprocess.size
    size = f"{path.suffix} {_megabytes(path.stat().st_size)} {card.precision}"
    licence = str(card.training.get("source", {}).get("licence", ""))
    return name, card.task, f"{height}x{width} {card.preprocess.color}", size, licence


def _register_row(model: RegisteredModel) -> tuple[str, ...]:
    mark = "*" if model.unverified else ""
    return f"{model.name}{mark}", model.task, _megabytes(model.size), model.licence, model.what


def _megabytes(size: int | None) -> str:
    return "-" if size is None else f"{size / 1e6:.1f} MB"


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    return _indented(align_columns(rows, len(rows[0])).splitlines())


def _indented(lines: Iterable[str]) -> list[str]:
    return [f"  {line}" for line in lines]
