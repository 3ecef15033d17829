"""Writes the result of a check into the card of the file that was checked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgecnn.card import CARD_KEY, ModelCard
from edgecnn.check_record import CHECK_KEY, SCHEMA, VERSION
from edgecnn.errors import InputError
from edgecnn.files import check_writable
from edgecnn.integrity.keys import Ask, check_private_key, read_private_key
from edgecnn.integrity.rewrite import is_signed, write_with_card
from edgecnn.integrity.sections import has_sections, split
from edgecnn.json_text import finite
from edgecnn.shipped import is_shipped
from edgecnn.trust.gate.report import CheckReport
from edgecnn.trust.gate.verdict import BudgetVerdict


def check_target(file: Path, target: Path, *, key: Path | None, force: bool) -> None:
    """Raise ``InputError`` where the result can't be written into ``file``, or into a copy at ``target``, before the long work.

    A signed file needs the ``key`` to be signed again, or ``force`` to lose its signature.
    """
    if not has_sections(file):
        raise InputError(f"{file.name} can't hold the result", "name an .onnx, .xml, .tflite or .pte file with a card")
    if target.suffix.lower() != file.suffix.lower():
        raise InputError(f"--out: {target} has another suffix than {file.name}", f"give a name that ends in {file.suffix}")
    if target == file and is_shipped(file):
        raise InputError(f"{file.name} belongs to the installed package", "write a copy with --out")
    if is_signed(file) and key is None and not force:
        raise InputError(
            f"{file.name} is signed, and another card makes its signature invalid",
            "sign it again with --key KEY, or lose the signature with --force",
        )
    if key is not None:
        check_private_key(key)
    own_card(file)
    check_writable(target)


def write_result(found: CheckReport, target: Path, key: Path | None, ask: Ask) -> bool:
    """Write the file with its result to ``target``; whether a signature was lost. ``ask`` asks for the password of an encrypted key."""
    private = None if key is None else read_private_key(key, ask)
    card = own_card(found.file)
    card = card.replace(calibration={**card.calibration, CHECK_KEY: card_record(found)})
    return write_with_card(found.file, target, card, private)


def card_record(found: CheckReport) -> dict[str, Any]:
    """The result as the card holds it."""
    host = (found.benchmark or {}).get("host")
    record: Mapping[str, Any] = finite(
        {
            "schema": SCHEMA,
            "version": VERSION,
            **found.head(),
            **({} if host is None else {"host": host}),
            "budgets": [_budget(one) for one in found.verdicts],
        }
    )
    return dict(record)


def _budget(one: BudgetVerdict) -> dict[str, Any]:
    values = one.to_dict()
    kept = ("budget", "title", "at_least", "at_most", "unit", "verdict", "detail")
    ends = {name: None if values[name] is None else round(values[name], 4) for name in ("value", "low", "high")}
    return {**{name: values[name] for name in kept if name in values}, **ends}


def own_card(file: Path) -> ModelCard:
    """The card in the file itself: that of a predictor has the thresholds of the caller."""
    text = split(file).texts.get(CARD_KEY)
    if text is None:
        raise InputError(f"{file.name} has no card, which holds the result", "write one with edgecnn wrap")
    return ModelCard.from_json(text.decode(errors="replace"), str(file))
