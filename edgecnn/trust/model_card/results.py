"""Reads the JSON documents of measurements, and keeps of each what belongs to one model file, by its digest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgecnn.errors import InputError
from edgecnn.schema import SchemaError, parse_json
from edgecnn.text_files import read_text

EVALUATION, GROUPS, PAIRED = "edgecnn.evaluation", "edgecnn.groups", "edgecnn.paired_evaluation"
CHECK = "edgecnn.check"  # holds the documents of several measurements
ROBUSTNESS, SHORTCUTS, ATTACK, BENCHMARK = "edgecnn.robustness", "edgecnn.shortcuts", "edgecnn.attack", "edgecnn.benchmark"


@dataclass(frozen=True, slots=True)
class MeasuredResult:
    """A document of one ``schema``, and in it what is said of the file (``own``); ``source`` is the name of the JSON file."""

    schema: str
    document: Mapping[str, Any]
    own: Mapping[str, Any]
    source: str


def read_results(paths: Sequence[Path], file: str, digests: frozenset[str]) -> tuple[MeasuredResult, ...]:
    """The documents at ``paths``, each with the entry of the model file called ``file``, which one of the ``digests`` names.

    Raises ``InputError`` for a document that can't be read, is of another kind, or measured other files only.
    """
    return tuple(_measured(path, document, file, digests) for path in paths for document in _documents(path))


def _documents(path: Path) -> list[Any]:
    """The document at ``path``; of a check those of its measurements."""
    try:
        document = parse_json(read_text(path))
    except SchemaError as error:
        raise InputError(f"{path}: {error}", "name a JSON document of edgecnn") from error
    if not isinstance(document, dict) or document.get("schema") != CHECK:
        return [document]
    found = [document[name] for name in ("evaluation", "groups", "benchmark") if document.get(name) is not None]
    if not found:
        raise InputError(f"{path}: this check measured nothing that a model card shows", "leave the document out")
    return found


def _measured(path: Path, document: Any, file: str, digests: frozenset[str]) -> MeasuredResult:
    schema = document.get("schema") if isinstance(document, dict) else None
    entries = _ENTRIES.get(schema) if isinstance(schema, str) else None
    if entries is None:
        raise InputError(f"{path} is no measurement that a model card shows", f"name documents of {', '.join(_COMMANDS)}")
    with_entries = entries(document)
    named = [one for one in with_entries if isinstance(one, dict)]
    own = next((one for one in named if digests & {one.get("digest"), one.get("graph_sha256"), one.get("sha256")}), None)
    if own is not None:
        return MeasuredResult(str(schema), document, own, path.name)
    if any(one.get("digest") or one.get("sha256") for one in named):
        others = ", ".join(dict.fromkeys(Path(str(one.get("file") or one.get("name"))).name for one in named))
        raise InputError(
            f"{path.name} holds figures of another file than {file}, by its digest: {others}",
            "measure this very file, or leave the document out",
        )
    raise InputError(f"{path.name} does not say by a digest which file it measured", "measure again with this edgecnn")


def _files(document: Mapping[str, Any]) -> list[Any]:
    found = document.get("files")
    return found if isinstance(found, list) else []


_ENTRIES: Mapping[str, Callable[[Mapping[str, Any]], list[Any]]] = {
    EVALUATION: lambda document: [document],
    GROUPS: lambda document: [document],
    PAIRED: lambda document: [document.get("after"), document.get("before")],
    **dict.fromkeys((ROBUSTNESS, SHORTCUTS, ATTACK, BENCHMARK), _files),
}
_COMMANDS = ("evaluate", "evaluate A B", "evaluate --group-by", "robustness", "shortcuts", "attack", "benchmark", "check")
