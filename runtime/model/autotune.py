"""How many threads and requests suit a model on this device: measured, as cores, caches and engines differ, and kept for this run."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from edgecnn.feeds import cpu_count
from edgecnn.runtime.backends import Device
from edgecnn.runtime.model.predictor import Predictor, bound

TRIAL_S = 0.25  # of each candidate, after its first run
CLEARLY = 0.95  # of the time of the usual setting: what is not better by more keeps the usual one
_LEAST_RUNS, _LONGEST_S = 3, 1.0  # of a slow model fewer runs have to do
Key = tuple[str, Device, bool]

_known: dict[Key, tuple[Setting, tuple[Trial, ...]]] = {}


@dataclass(frozen=True, slots=True)
class Setting:
    """``threads`` of the engine in all (None: its choice) and ``requests`` in flight."""

    threads: int | None
    requests: int


@dataclass(frozen=True, slots=True)
class Trial:
    """What a setting took: milliseconds of one inference over ``requests``, so that the least gives the most frames."""

    threads: int | None
    requests: int
    ms: float


def candidates(cpus: int, *, many: bool) -> tuple[Setting, ...]:
    """Settings worth a trial on so many processors, the usual one first.

    ``many`` wants frames per second: one request for each core and one that prepares meanwhile, or one request that has all cores.
    Otherwise one result should come soon: all cores, half of them (two that share a core's units may hinder each other), or one.
    """
    if many:
        tried = [Setting(cpus, cpus + 1), Setting(cpus, cpus), Setting(cpus, 1)]
    else:
        tried = [Setting(None, 1), Setting(max(cpus // 2, 1), 1), Setting(1, 1)]
    return tuple(dict.fromkeys(tried)) if cpus > 1 else (Setting(None, 2 if many else 1),)


def usual(*, many: bool) -> Setting:
    """The setting that suits most models on this machine; ``many`` as in ``candidates``."""
    return candidates(cpu_count(), many=many)[0]


def open_measured(path: Path | str, device: Device = "cpu", *, many: bool, **options: Any) -> Predictor:
    """A predictor with the setting that was best in a trial of about a second; the first for a model measures, later ones remember.

    ``many`` is as in ``candidates``; ``options`` go to ``Predictor``, which raises what it raises. ``trials`` of the predictor says
    what was found.
    """
    key = (str(path), device, many)
    if key not in _known:
        return _measured(key, path, device, many=many, options=options)
    setting, trials = _known[key]
    predictor = _opened(path, device, setting, options)
    predictor.trials = trials
    return predictor


def _measured(key: Key, path: Path | str, device: Device, *, many: bool, options: dict[str, Any]) -> Predictor:
    first, *others = candidates(cpu_count(), many=many)
    best, setting, trials = _opened(path, device, first, options), first, list[Trial]()
    try:
        if others:
            trials.append(_tried(best, first))
        for other in others:
            rival = _opened(path, device, other, options)
            trials.append(_tried(rival, other))
            if trials[-1].ms < min(trials[0].ms * CLEARLY, *(trial.ms for trial in trials[:-1])):
                best, rival, setting = rival, best, other
            rival.close()
    except BaseException:
        best.close()
        raise
    _known[key] = setting, tuple(trials)
    best.trials = tuple(trials)
    return best


def _tried(predictor: Predictor, setting: Setting) -> Trial:
    return Trial(setting.threads, setting.requests, _seconds(predictor, setting.requests) * 1e3)


def _opened(path: Path | str, device: Device, setting: Setting, options: dict[str, Any]) -> Predictor:
    return Predictor(path, device, threads=setting.threads, requests=setting.requests, **options)


def _seconds(predictor: Predictor, requests: int) -> float:
    """Seconds per inference with ``requests`` at once, the median over the callers; an error of the model is raised."""
    took: list[float] = []
    errors: list[BaseException] = []

    def call() -> None:
        try:
            took.append(_trial(predictor))
        except BaseException as error:
            errors.append(error)

    callers = [threading.Thread(target=call, name=f"edgecnn-trial-{n}", daemon=True) for n in range(requests)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    if errors:
        raise errors[0]
    return float(np.median(took)) / requests


def _trial(predictor: Predictor) -> float:
    run = bound(predictor.backend, predictor.card).run
    run()
    started, runs, took = perf_counter(), 0, 0.0
    while took < TRIAL_S or (runs < _LEAST_RUNS and took < _LONGEST_S):
        run()
        runs, took = runs + 1, perf_counter() - started
    return took / runs
