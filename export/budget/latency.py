"""Latency of files on this machine, measured in turns."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from time import perf_counter

from edgecnn.card import CARD_KEY, ModelCard
from edgecnn.preprocess import Preprocessor
from edgecnn.runtime.backends import Backend, open_backend
from edgecnn.synthetic_inputs import pattern

ROUNDS, SETTLE = 8, 2
SECONDS = 0.3  # of one file in one round, after it has settled


def latencies_ms(files: Sequence[Path]) -> list[float]:
    """Median milliseconds of one run of the engine for each file; rounds alternate between the files, so that load meets all alike."""
    with ExitStack() as stack:
        runs = [_run_of(path, stack.enter_context(closing(open_backend(path)))) for path in files]
        samples: list[list[float]] = [[] for _ in runs]
        for turn in range(ROUNDS):
            # forwards and backwards, so that no file always follows the same other one
            for place in range(len(runs)) if turn % 2 == 0 else range(len(runs) - 1, -1, -1):
                samples[place] += _round(runs[place])
    return [statistics.median(own) for own in samples]


def _run_of(path: Path, backend: Backend) -> Callable[[], object]:
    card = ModelCard.from_json(backend.metadata[CARD_KEY], str(path))
    feeds, _ = Preprocessor(card.preprocess, backend.inputs[0])(pattern("noise", 480, 640))
    return lambda: backend.run(feeds)


def _round(run: Callable[[], object]) -> list[float]:
    for _ in range(SETTLE):
        run()
    found: list[float] = []
    until = perf_counter() + SECONDS
    while perf_counter() < until:
        started = perf_counter()
        run()
        found.append((perf_counter() - started) * 1e3)
    return found
