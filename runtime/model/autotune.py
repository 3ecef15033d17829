"""Selects the number of threads and requests for a model by measurement, because cores, caches and engines differ."""

from __future__ import annotations

import threading
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from edgecnn.cpus import usable_cpus
from edgecnn.engine_device import CPU, Device
from edgecnn.runtime.model.parallelism import Goal, Parallelism, candidates
from edgecnn.runtime.model.predictor import Predictor, Trial, bind_inputs
from edgecnn.runtime.model.preload import BackendPreloader

TRIAL_S = 0.25  # per candidate, after its first run
SWITCH_BELOW = 0.95  # of the default's time: a candidate that gains less than 5 % is within the noise of a trial this short
_MIN_RUNS, _MAX_TRIAL_S = 3, 1.0  # a slow model gets at least 3 runs, but no more once a second has passed

Key = tuple[str, Device, Goal]


class Autotuner:
    """Opens predictors with the fastest number of threads and requests; measures each model once, for about a second.

    Not thread-safe. ``preloader`` may contain backends that are already being loaded.
    """

    def __init__(self, preloader: BackendPreloader | None = None) -> None:
        self._preloader = preloader
        self._measured: dict[Key, tuple[Parallelism, tuple[Trial, ...]]] = {}

    def open(self, path: Path | str, device: Device = CPU, *, goal: Goal, **options: Any) -> Predictor:
        """Open a predictor with the fastest setting for ``goal``; its ``trials`` are the measurements.

        ``options`` are further arguments of ``Predictor``. Raises the errors of ``Predictor`` and of inference.
        """
        key = (str(path), device, goal)
        if key not in self._measured:
            return self._measure(key, path, options)
        chosen, trials = self._measured[key]
        predictor = self._open(path, device, chosen, options)
        predictor.trials = trials
        return predictor

    def _measure(self, key: Key, path: Path | str, options: dict[str, Any]) -> Predictor:
        """Measure all candidates and return the fastest predictor; at most two models are in memory at a time."""
        _, device, goal = key
        chosen, *others = candidates(usable_cpus(), goal)
        best, trials = self._open(path, device, chosen, options), list[Trial]()
        try:
            if others:
                trials.append(_run_trial(best, chosen))
            for other in others:
                rival = self._open(path, device, other, options)
                try:
                    trials.append(_run_trial(rival, other))
                    # Faster than the default by more than the noise, and faster than every other candidate.
                    if trials[-1].ms < min(trials[0].ms * SWITCH_BELOW, *(trial.ms for trial in trials[:-1])):
                        best, rival, chosen = rival, best, other
                finally:
                    rival.close()
        except BaseException:
            best.close()
            raise
        self._measured[key] = chosen, tuple(trials)
        best.trials = tuple(trials)
        return best

    def _open(self, path: Path | str, device: Device, setting: Parallelism, options: dict[str, Any]) -> Predictor:
        return Predictor(path, device, threads=setting.threads, requests=setting.requests, preloader=self._preloader, **options)


def _run_trial(predictor: Predictor, setting: Parallelism) -> Trial:
    return Trial(setting.threads, setting.requests, _seconds_per_inference(predictor, setting.requests) * 1e3)


def _seconds_per_inference(predictor: Predictor, requests: int) -> float:
    """Return the median seconds of concurrent callers divided by ``requests``. Raises the first error of the model."""
    took: list[float] = []
    errors: list[BaseException] = []

    def call() -> None:
        try:
            # list.append is atomic, so the callers need no lock.
            took.append(_mean_seconds(predictor))
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


def _mean_seconds(predictor: Predictor) -> float:
    run = bind_inputs(predictor.backend, predictor.card).run
    run()  # the first run allocates memory and compiles kernels
    started, runs, took = perf_counter(), 0, 0.0
    while took < TRIAL_S or (runs < _MIN_RUNS and took < _MAX_TRIAL_S):
        run()
        runs, took = runs + 1, perf_counter() - started
    return took / runs
