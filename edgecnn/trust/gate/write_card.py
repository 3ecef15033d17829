"""Writes the result of a check into the card of the file that was checked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgecnn.card import ModelCard
from edgecnn.check_record import CHECK_KEY, SCHEMA, VERSION
from edgecnn.integrity.keys import Ask
from edgecnn.json_text import finite
from edgecnn.trust import card_file
from edgecnn.trust.gate.report import CheckReport
from edgecnn.trust.gate.verdict import BudgetVerdict

RESULT = "the result"


def check_target(file: Path, target: Path, *, key: Path | None, force: bool) -> None:
    """Raise ``InputError`` where the result can't be written into ``file``, or into a copy at ``target``, before the long work.

    A signed file needs the ``key`` to be signed again, or ``force`` to lose its signature.
    """
    card_file.check_target(file, target, RESULT, key=key, force=force)


def write_result(found: CheckReport, target: Path, key: Path | None, ask: Ask) -> bool:
    """Write the file with its result to ``target``; whether a signature was lost. ``ask`` asks for the password of an encrypted key."""
    card = own_card(found.file)
    card = card.replace(calibration={**card.calibration, CHECK_KEY: card_record(found)})
    return card_file.write_card(found.file, target, card, key, ask)


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
    return card_file.own_card(file, RESULT)
