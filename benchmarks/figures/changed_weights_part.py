"""The process of ``changed_weights`` that examines changed files of one model; it reads paths and writes two JSON lines for each."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from edgecnn.card import ModelCard
from edgecnn.engine_device import CPU
from edgecnn.errors import EdgeCnnError
from edgecnn.golden import GOLDENS_KEY, Golden, decode
from edgecnn.json_text import dump_json
from edgecnn.postprocess import decode as decode_outputs
from edgecnn.runtime.backends import Backend, file_format, open_backend
from edgecnn.runtime.backends.engines import engine_for, engine_module
from edgecnn.runtime.model.card_inference import CardOptions, card_for
from edgecnn.runtime.model.selftest import judge_golden, run_golden, selftest_file
from edgecnn.thresholds import SHOWN_SCORE
from edgecnn.types import Classes, Detections, Prediction, Tensors, Values

PIXELS, SCORE = 1.0, 0.01  # a box that moves by more, or a score that changes by more, is another detection


class Model:
    """The unchanged model: its card, its goldens as inputs, and its outputs for them."""

    def __init__(self, path: Path) -> None:
        backend = open_backend(path, threads=1)
        self.card: ModelCard = card_for(backend, path, CardOptions())
        self.goldens: list[Golden] = decode(backend.metadata[GOLDENS_KEY], str(path))
        self.outputs = [run_golden(golden, backend, self.card) for golden in self.goldens]
        backend.close()

    def compare(self, backend: Backend) -> dict[str, bool]:
        """What a changed model computes for the same inputs, decoded by the unchanged card."""
        found = [run_golden(golden, backend, self.card) for golden in self.goldens]
        rows = [judge_golden(golden, outputs, self.card) for golden, outputs in zip(self.goldens, found, strict=True)]
        pairs = list(zip(self.outputs, found, strict=True))
        return {
            "loads": True,
            "noticed_by_goldens": any(row.violations for row in rows),
            "other_outputs": any(not same_outputs(a, b) for a, b in pairs),
            "other_detections": any(self._differ(a, b) for a, b in pairs),
        }

    def _differ(self, before: Tensors, after: Tensors) -> bool:
        try:
            return differ(decode_outputs(before, self.card), decode_outputs(after, self.card))
        except EdgeCnnError:  # the outputs can't be decoded any more
            return True


def same_outputs(before: Tensors, after: Tensors) -> bool:
    """Whether all outputs are equal."""
    return before.keys() == after.keys() and all(np.array_equal(before[name], after[name]) for name in before)


def differ(before: Prediction, after: Prediction) -> bool:
    """Whether a user would see another result: another label, another number of boxes, a box or a score that moved."""
    if isinstance(before, Detections) and isinstance(after, Detections):
        a, b = _shown(before), _shown(after)
        return a.shape != b.shape or bool(np.any(np.abs(a - b) > [PIXELS] * 4 + [SCORE, 0.5]))
    if isinstance(before, Classes) and isinstance(after, Classes):
        return before.top1 != after.top1 or bool(np.any(np.abs(before.score - after.score) > SCORE))
    if isinstance(before, Values) and isinstance(after, Values):
        return not np.array_equal(before.value, after.value)
    return True


def _shown(found: Detections) -> Any:
    rows = np.column_stack([found.xyxy, found.score, found.class_id])[found.score >= SHOWN_SCORE]
    return rows[np.lexsort((rows[:, 1], rows[:, 0], rows[:, 5]))]


def notices(path: Path) -> bool:
    """Whether `edgecnn selftest` of the file fails."""
    try:
        return bool(selftest_file(path, threads=1)[1].violations)
    except EdgeCnnError:
        return True


def without_check(path: Path, model: Model) -> dict[str, bool]:
    """What the engine makes of the file when nobody checks its digests."""
    try:
        engine = engine_module(engine_for(path, file_format(path), None).name)
        backend = engine.open_file(path, CPU, threads=1, requests=1)
    except Exception:
        return {"loads": False}
    try:
        return model.compare(backend)
    except Exception:
        return {"loads": False}
    finally:
        backend.close()


def main(original: Path) -> None:
    """Answer until standard input ends."""
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what an engine prints must not mix with the replies
    model = Model(original)

    def reply(content: dict[str, bool]) -> None:
        replies.write(f"{dump_json(content)}\n")
        replies.flush()

    reply({})
    for line in sys.stdin:
        path = Path(line.strip())
        reply({"noticed": notices(path)})
        reply(without_check(path, model))
    replies.flush()
    os._exit(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
