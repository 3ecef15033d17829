"""The result of a check against a policy, as the card of a model file holds it: verdicts with figures, policy, data, date, device.

It lies in the card's notes of calibration: versions before it take any notes, but refuse a card with a field that they do not know.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from edgecnn.counts import counted
from edgecnn.schema import flag, integer, items, nullable, number, one_of, record, text

CHECK_KEY: Final = "check"
SCHEMA, VERSION = "edgecnn.check-result", 1
_SHA256 = text(most=64)
_BUDGET = record(
    {
        "budget": text(1),
        "title": text(1),
        "unit": text(most=20),
        "value": nullable(number()),
        "low": nullable(number()),
        "high": nullable(number()),
        "verdict": one_of("passed", "not certain", "failed"),
    },
    {"at_least": number(), "at_most": number(), "detail": text()},
)
CHECK_RECORD: Final = record(
    {
        "schema": one_of(SCHEMA),
        "version": integer(VERSION, VERSION),
        "passed": flag,
        "date": text(most=40),
        "edgecnn": text(most=40),
        "device": text(),
        "policy": record({"name": text(), "sha256": _SHA256, "certain": flag}),
        "data": nullable(record({"name": text(), "split": text(), "images": integer(0, 2**53), "sha256": _SHA256})),
        "budgets": items(_BUDGET, least=1, most=256),
    },
    {"host": text()},
)


def check_words(notes: Mapping[str, Any]) -> str:
    """The result in the ``notes`` of calibration in one line, "" where there is none."""
    found = notes.get(CHECK_KEY)
    if found is None:
        return ""
    budgets = found["budgets"]
    counts = {name: sum(one["verdict"] == name for one in budgets) for name in ("passed", "not certain", "failed")}
    kinds = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    data = f" on {counted(found['data']['images'], 'image')} of {found['data']['name']}" if found["data"] else ""
    policy = f"{found['policy']['name']} (sha256 {found['policy']['sha256'][:16]})"
    return f"{'passed' if found['passed'] else 'failed'} {policy}{data}, {found['date'][:10]}: {kinds}"
