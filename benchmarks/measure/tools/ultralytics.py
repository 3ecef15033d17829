"""Ultralytics' `benchmark()` and `ProfileModels`: ultralytics/utils/benchmarks.py."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence

from edgecnn.benchmarks.measure.tools.engine import LoadedFile
from edgecnn.benchmarks.measure.tools.report import ToolDefinition, ToolReport, Values

PROFILE_S, PROFILE_RUNS, PROFILE_WARM_UPS = 60.0, 100, 10
BENCHMARK = ToolDefinition(
    "the stage inference of each image; preprocessing and post-processing apart",
    "one prediction",
    "each image of the dataset once, batch 1",
    "mean; FPS = 1000 / (inference + 0.001), without the other stages",
    "yolo benchmark (its accuracy is that of edgecnn evaluate)",
)
PROFILE = ToolDefinition(
    "one run on random input",
    "3 times 10 runs",
    "60 s worth of runs, at least 100",
    "mean and standard deviation after values beyond 2 sigma are deleted (up to 5 times)",
    "ProfileModels, the speeds in the tables of models",
)


def measure(file: LoadedFile) -> ToolReport:
    """The loop of a validation over the images."""
    worker = file.predictor.worker()
    worker(file.images[0])
    started = file.now()
    stages = [worker(image)[1] for image in file.images]
    seconds = file.now() - started
    means = {name: statistics.fmean(one[name] for one in stages) for name in ("preprocess", "infer", "postprocess")}
    values: Values = {
        "Inference time (ms/im)": means["infer"],
        "FPS": 1000 / (means["infer"] + 0.001),
        "Speed: preprocess (ms)": means["preprocess"],
        "Speed: postprocess (ms)": means["postprocess"],
        "images": len(stages),
    }
    notes = ("its mean includes slow first images and has no percentile",)
    return ToolReport(values, tuple(one["infer"] for one in stages), seconds, notes)


def profile(file: LoadedFile) -> ToolReport:
    """The profile of the tables."""
    run = file.inference(file.random_feed())
    spent = 0.0
    for _ in range(3):
        begun = file.now()
        for _ in range(PROFILE_WARM_UPS):
            run()
        spent = file.now() - begun
    runs = max(round(PROFILE_S * file.scale / (spent + 1e-9) * PROFILE_WARM_UPS), PROFILE_RUNS)
    started = file.now()
    samples = [file.time(run) for _ in itertools.repeat(None, runs)]
    seconds = file.now() - started
    kept = clipped(samples)
    values: Values = {
        "Speed mean (ms/im)": statistics.fmean(kept),
        "Speed std (ms/im)": statistics.pstdev(kept),
        "runs": runs,
        "runs deleted": runs - len(kept),
    }
    return ToolReport(values, tuple(samples), seconds, ("threads are those of this measurement; the tool uses 8",))


def clipped(samples: Sequence[float], sigma: float = 2.0, times: int = 5) -> list[float]:
    """The samples within ``sigma`` standard deviations of their mean, again until none is deleted."""
    kept = list(samples)
    for _ in range(times):
        mean, spread = statistics.fmean(kept), statistics.pstdev(kept)
        inside = [value for value in kept if mean - sigma * spread < value < mean + sigma * spread]
        if len(inside) in (0, len(kept)):
            break
        kept = inside
    return kept
