"""A tiny detector of cups for the tests of adaptation."""

from __future__ import annotations

from pathlib import Path

NETWORK = {"size": (64, 96), "widths": (8, 8, 16, 16, 16), "depths": (1, 1, 1, 1), "neck": 8, "head_depth": 1}


def write_checkpoint(folder: Path) -> Path:
    """A checkpoint with random weights."""
    from edgecnn.models import create, save_checkpoint
    from edgecnn.models.new_card import new_card
    from edgecnn.shipped import read

    labels = read("cups")[0].labels
    options = {**NETWORK, "classes": len(labels)}
    path = folder / "tiny.safetensors"
    save_checkpoint(path, create("edgedet", **options), new_card("edgedet", options, labels).replace(name="tiny"))
    return path
