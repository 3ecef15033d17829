"""The result of an evaluation: primary metric, other metrics, the metric by class, and notes on excluded data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from edgecnn.task_names import TaskName
from edgecnn.types import Float32, Int64

if TYPE_CHECKING:
    from edgecnn.metrics.box_matches import BoxMatches

IN_UNITS = ("mae", "rmse", "threshold", "psnr", "psnr_input", "ssim", "ssim_input")  # in the units of the value, not fractions
TITLES = {
    "top1": "top-1",
    "top1_low": "top-1, 95 % interval from",
    "top1_high": "top-1, 95 % interval to",
    "top5": "top-5",
    "precision": "mean precision",
    "balanced_accuracy": "balanced accuracy",
    "f1": "mean F1",
    "ece": "calibration error (ECE)",
    "adaptive_ece": "ECE, bins of equal size",
    "map": "mAP@50-95",
    "map_low": "mAP@50-95, 95 % interval from",
    "map_high": "mAP@50-95, 95 % interval to",
    "ap50": "AP50",
    "ap50_low": "AP50, 95 % interval from",
    "ap50_high": "AP50, 95 % interval to",
    "ap75": "AP75",
    "ap_small": "AP small",
    "ap_medium": "AP medium",
    "ap_large": "AP large",
    "ar": "AR (100 boxes)",
    "label_map": "mAP of the labels",
    "f1_micro": "F1, all labels together",
    "f1_macro": "F1, mean of the labels",
    "exact": "all labels right",
    "r2": "R²",
    "mae": "mean absolute error",
    "rmse": "root mean square error",
    "recall1": "recall@1",
    "recall5": "recall@5",
    "accept": "same class accepted",
    "threshold": "at a similarity of",
    "miou": "mean IoU",
    "dice": "mean Dice",
    "pixel_accuracy": "pixels that are right",
    "oks_ap": "OKS AP@50-95",
    "oks_ap50": "OKS AP50",
    "oks_ap75": "OKS AP75",
    "oks_ap_medium": "OKS AP medium",
    "oks_ap_large": "OKS AP large",
    "oks_ar": "OKS AR (20 objects)",
    "psnr": "PSNR in dB",
    "ssim": "SSIM",
    "psnr_input": "PSNR of the input",
    "ssim_input": "SSIM of the input",
}


def points(title: str, value: float) -> float:
    """A value of the metric called ``title`` as it is printed: in points of a hundred, or in its own units."""
    return value if title in {TITLES[key] for key in IN_UNITS} else 100 * value


@dataclass(frozen=True, slots=True, eq=False)
class Score:
    """Accuracy on ``n`` images; all values are fractions of 1, except those in ``IN_UNITS``.

    ``values`` has the keys of ``TITLES`` that apply, ``metric`` is the key of the primary one. ``per_class`` is the metric by label
    that ``measured`` names, ``ap50_per_class`` AP50 by label (detection), ``support`` the number of what is ``counted`` by label.
    ``confusion`` (C, C) int64 has true classes as rows, predicted classes as columns (classification). ``pairs`` (n, 2) float32 are
    true and predicted values (regression). ``left_out`` is the primary metric without each group of images, see ``left_out.py``;
    ``images_digest`` tells which images they are, "" where unknown. ``matches`` says which detections are right (detection).
    """

    task: TaskName
    n: int
    labels: tuple[str, ...]
    values: Mapping[str, float]
    per_class: Mapping[str, float]
    support: Mapping[str, int]
    confusion: Int64 | None = None
    notes: tuple[str, ...] = field(default_factory=tuple)
    pairs: Float32 | None = None
    ap50_per_class: Mapping[str, float] = field(default_factory=dict)
    counted: str = "images"
    measured: str = "accuracy"
    metric: str = field(kw_only=True)
    matches: BoxMatches | None = None
    left_out: tuple[float, ...] = ()
    images_digest: str = ""

    @property
    def primary(self) -> float:
        """The value of the primary metric."""
        return self.values[self.metric]

    @property
    def primary_title(self) -> str:
        """Display name of the primary metric."""
        return TITLES[self.metric]

    def to_dict(self) -> dict[str, Any]:
        """As plain values for JSON."""
        own: dict[str, Any] = {} if self.pairs is None else {"pairs": self.pairs.tolist()}
        if self.ap50_per_class:
            own["ap50_per_class"] = dict(self.ap50_per_class)
        return {
            "task": self.task,
            "n": self.n,
            "labels": list(self.labels),
            "values": dict(self.values),
            "per_class": dict(self.per_class),
            "support": dict(self.support),
            "confusion": None if self.confusion is None else self.confusion.tolist(),
            "notes": list(self.notes),
            "left_out": list(self.left_out),
            "images_digest": self.images_digest,
            **own,
        }
