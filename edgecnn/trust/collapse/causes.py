"""Names why a file gives wrong results, from what it computes on a few images and from the file itself; labels are not needed."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edgecnn.counts import counted
from edgecnn.metrics.estimate import Interval
from edgecnn.parity import TOLERANCES
from edgecnn.runtime.model.output_checks import COARSE_STEP, COSTLY_STEP, SHARED, SPLIT, output_warnings
from edgecnn.runtime.model.output_ranges import output_ranges
from edgecnn.trust.collapse.score_steps import ScoreSteps
from edgecnn.trust.collapse.watch import OutputWatch
from edgecnn.trust.collapse.weights import starved_weights
from edgecnn.types import Array

AGREEMENT = TOLERANCES["int8"].agree  # of an int8 file with its float model, as `edgecnn export` requires
DRIFT = TOLERANCES["int8"].score  # mean change of scores, likewise
COLLAPSED = 0.5  # less agreement than this is a collapse, whatever the cause
SATURATED = 0.05  # share of the values of a tensor at an end of its range, on average over the images
_CLASS_IMAGES = 2  # so many images of a class at least
_COVERED = 0.25  # a class that was calibrated on saturates at most this share of what the others do
_OTHERS_SATURATE = 0.01  # share of the tensor that saturates most, of the other classes
LAYERS = "edgecnn sensitivity says which layers lose most"


@dataclass(frozen=True, slots=True)
class CollapseCause:
    """Why a file is wrong: ``name`` is a word with dashes, ``words`` a sentence without its end, ``evidence`` plain JSON values.

    ``fatal``: the results can't be right; else they are worse than those of the float model.
    """

    name: str
    words: str
    fatal: bool
    evidence: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ImageComparison:
    """What a comparison with the float file found, image by image: its class (-1: none), and the share that agrees (NaN: nothing).

    ``share`` and ``interval`` are those of all images, ``drift`` the mean size of the change of a score.
    """

    classes: Sequence[int]
    agreement: Sequence[float]
    share: float
    interval: Interval | None
    drift: float
    labels: Sequence[str]

    @property
    def differs(self) -> bool:
        """Whether the files surely agree less than an int8 file should, or scores moved by more."""
        return self._highest < AGREEMENT or self.drift > DRIFT

    @property
    def collapsed(self) -> bool:
        """Whether most of the results are others."""
        return self._highest < COLLAPSED

    @property
    def _highest(self) -> float:
        return self.share if self.interval is None else self.interval.high


def find_causes(watch: OutputWatch, compared: ImageComparison | None = None) -> list[CollapseCause]:
    """Each cause that the file of ``watch`` shows, the surest first; [] for a file that gives no reason to doubt it.

    ``compared`` has one row for each image of ``watch``, in order. Causes inside the network (calibration on one class, saturation,
    weights) are only named where the file does not agree with the float file: a good file may saturate a little, too.
    """
    found = [*_of_outputs(watch)]
    if found and compared is not None and not compared.differs:
        return [dataclasses.replace(one, fatal=False) for one in found]
    if found or compared is None or not compared.differs:
        return found
    return [_inside(watch, compared, fatal=compared.collapsed)]


def _of_outputs(watch: OutputWatch) -> list[CollapseCause]:
    shared = _shared_scale(watch)
    if shared is not None:
        return [shared]
    if watch.not_finite:
        words = f"its outputs hold NaN or infinity for {watch.not_finite} of {counted(watch.images, 'image')}; export it again in float32"
        return [CollapseCause("not-finite", words, True, {"images": watch.not_finite})]
    if watch.constant and not watch.changing:
        # what saturates behind the place where the images are lost is no cause, but a result of it
        saturated = _saturation(watch, fatal=True, until=watch.first_dead)
        return [saturated or _constant(watch)]
    predictor = watch.predictor
    known = [] if predictor.card.parity.get("passed") else output_warnings(predictor.backend, predictor.card, predictor.path)
    return [CollapseCause("output-range", words, True) for words in known if "can't be right" in words]


def _constant(watch: OutputWatch) -> CollapseCause:
    words = f"its outputs are the same for all of {counted(watch.images, 'image')}, so nothing of the image reaches them"
    evidence: dict[str, Any] = {}
    if watch.inner is not None and watch.first_dead is not None:
        dead = watch.inner.tensors[watch.first_dead]
        words += f"; from {dead.name} ({dead.low:.3g} to {dead.high:.3g}) on nothing differs"
        evidence = {"tensor": dead.name, "low": float(dead.low), "high": float(dead.high)}
    return CollapseCause("constant", f"{words}; quantize it again, with images as in use for calibration", True, evidence)


def _shared_scale(watch: OutputWatch) -> CollapseCause | None:
    """Whether boxes and scores share one scale that is too coarse for scores; the scale of the file counts where it can be read."""
    steps = watch.score_steps
    if steps is None:
        return None
    ranges = list(output_ranges(watch.predictor.backend, watch.predictor.path).values())
    step = ranges[0].step if len(ranges) == 1 else steps.step
    if step < COSTLY_STEP:
        return None
    source = "read from the file" if len(ranges) == 1 else f"measured on {counted(watch.images, 'image')}"
    fatal = step >= COARSE_STEP
    worth = (
        "so scores can hardly be other than 0 or 1" if fatal else f"so a score can only take {_possible(step)} values from 0 to 1"
    )
    words = f"{SHARED}: steps of {step:.3g} ({source}), {worth}; {SPLIT}"
    return CollapseCause("shared-scale", words, fatal, {"step": step, "source": source, **_evidence(steps)})


def _possible(step: float) -> int:
    return int(1 / step + 1e-6) + 1


def _evidence(steps: ScoreSteps) -> dict[str, Any]:
    return {"score_values": steps.levels, "output_values": steps.count, "highest": steps.highest}


def _inside(watch: OutputWatch, compared: ImageComparison, *, fatal: bool) -> CollapseCause:
    """The cause inside the network that the evidence fits best."""
    shares = np.array(watch.shares) if watch.shares else np.zeros((0, 0))
    only = _calibrated_on_one(shares, compared) if shares.size else None
    if only is not None:
        name = compared.labels[only[0]] if compared.labels else f"class {only[0]}"
        words = (
            f"it was calibrated on one class only: images of {name} stay inside the ranges ({only[1]:.1%} of the values of a tensor "
            f"are at an end), those of other classes do not ({only[2]:.1%}); quantize it again, with images of all classes for calibration"
        )
        return CollapseCause("one-class-calibration", words, fatal, {"class": name, "own": only[1], "others": only[2]})
    saturated = _saturation(watch, fatal=fatal)
    if saturated is not None:
        return saturated
    weights = starved_weights(watch.predictor.path)
    if weights.starved:
        words = (
            f"weights have one scale for all channels of a layer: in {weights.starved} of {weights.layers} layers small channels keep "
            f"only a few codes (up to {weights.worst:.0%} of the channels); quantize it again with a scale for each channel"
        )
        return CollapseCause(
            "weight-scale", words, fatal, {"layers": weights.layers, "starved": weights.starved, "worst": weights.worst}
        )
    return CollapseCause("inside", f"the loss is inside the network, not at its outputs; {LAYERS}", fatal)


def _saturation(watch: OutputWatch, *, fatal: bool, until: int | None = None) -> CollapseCause | None:
    """Whether tensors inside, the last of which is at ``until``, have many values at an end of their range, on average over the images."""
    mean = np.nan_to_num(np.array(watch.shares)).mean(0) if watch.shares else np.zeros(0)
    mean = mean if until is None else mean[: until + 1]
    if watch.inner is None or not mean.size or mean.max() < SATURATED:
        return None
    worst = watch.inner.tensors[int(mean.argmax())]
    words = (
        f"values inside saturate: {np.count_nonzero(mean >= SATURATED)} of {len(mean)} tensors have more than {SATURATED:.0%} of their "
        f"values at an end of their range, {worst.name} ({worst.low:.3g} to {worst.high:.3g}) {mean.max():.0%}; "
        "quantize it again, with images as in use for calibration"
    )
    return CollapseCause("saturation", words, fatal, {"tensor": worst.name, "share": float(mean.max())})


def _calibrated_on_one(shares: Array, compared: ImageComparison) -> tuple[int, float, float] | None:
    """The class whose images hardly saturate while those of all others do, with both shares; None where there is no such class."""
    every = np.nan_to_num(shares)
    by_image = every[:, int(every.mean(0).argmax())]  # of the tensor that saturates most
    classes, agreement = np.array(compared.classes), np.array(compared.agreement)
    present = [index for index in set(classes.tolist()) - {-1} if np.count_nonzero(classes == index) >= _CLASS_IMAGES]
    if len(present) < 2:
        return None
    own = {index: float(by_image[classes == index].mean()) for index in present}
    best = min(own, key=lambda index: own[index])
    others = float(np.median([value for index, value in own.items() if index != best]))
    kept, lost = (float(np.nanmean(agreement[mask])) for mask in (classes == best, (classes != best) & (classes >= 0)))
    if others < _OTHERS_SATURATE or own[best] > _COVERED * others or kept <= lost:
        return None
    return best, own[best], others
