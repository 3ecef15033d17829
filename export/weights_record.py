"""What the card of a factory's model says about the origin of its weights, and the line about it in the output of an export."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgecnn.card import ModelCard

KEY = "weights"  # in the training record of the card
FACTORY, RANDOM = "factory", "random"


def line(card: ModelCard) -> str:
    """The line about the weights; empty for a checkpoint, whose card says how they were trained."""
    record = card.training.get(KEY)
    if not isinstance(record, Mapping):
        return ""
    if record.get("source") == RANDOM:
        return "weights: random, the factory draws new ones on each call; give trained ones with --weights\n"
    if record.get("source") == FACTORY:
        return "weights: as the factory returns them, no --weights was given\n"
    return f"weights: {record['file']}, {'; '.join(_parts(record))}\n"


def _parts(record: Mapping[str, Any]) -> list[str]:
    where = [f"key {record['key']}"] if record.get("key") else []
    where += [f"names without {record['prefix'].rstrip('.')}"] if record.get("prefix") else []
    kind = "a moving average" if record.get("average") else ""
    parts = [", ".join(filter(None, [*where, f"{record['tensors']} tensors", kind]))]
    parts += [f"not taken: {', '.join(record['beside'])}"] if record.get("beside") else []
    parts += [f"left out: {', '.join(record['left_out'])}"] if record.get("left_out") else []
    return [*parts, *record.get("remarks", ())]
