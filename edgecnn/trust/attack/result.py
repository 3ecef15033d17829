"""What attacks found: accuracy by file, method and strength, as plain values."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from edgecnn.data.overlap import Overlap
from edgecnn.types import Image

SCHEMA, VERSION = "edgecnn.attack", 1
WIDE_INTERVAL = 0.2  # of a 95 % interval: with fewer images than this needs, a figure says nothing
NONE = "none"  # the method of the images as they are


@dataclass(frozen=True, slots=True, kw_only=True)
class AttackLevel:
    """The accuracy of a file under ``method`` with a strength of ``eps`` grey levels of 255.

    ``value`` is a fraction of 1 of the metric with the key ``metric`` (top-1 or AP50), ``low`` and ``high`` its 95 % interval.
    """

    method: str
    eps: int
    metric: str
    value: float
    low: float | None
    high: float | None
    images: int

    @property
    def too_few(self) -> bool:
        """Whether there are too few images to tell: no interval, or one that is wide."""
        return self.low is None or self.high is None or self.high - self.low > WIDE_INTERVAL


@dataclass(frozen=True, slots=True, kw_only=True)
class CertifiedCurve:
    """Certified accuracy of a smoothed classifier: ``accuracy`` at each of ``radii`` (L2, fractions of the pixel range).

    ``sigma``: standard deviation of the noise in the same unit. ``samples``: noisy copies of each image. ``alpha``: the chance that
    the certificate of an image is wrong. ``abstained``: share of images for which no class could be certified. ``low`` and ``high``
    are 95 % intervals over the images.
    """

    sigma: float
    samples: int
    alpha: float
    images: int
    abstained: float
    clean: float
    radii: tuple[float, ...]
    accuracy: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AttackedFile:
    """The levels of one file, that without attack first."""

    name: str
    format: str
    precision: str
    digest: str = ""
    levels: tuple[AttackLevel, ...]
    certified: CertifiedCurve | None = None
    agreement: float | None = None

    def curve(self, method: str) -> tuple[AttackLevel, ...]:
        """The levels of a method by strength, that without attack first; () where it was not measured."""
        own = sorted((level for level in self.levels if level.method == method), key=lambda level: level.eps)
        return (*(level for level in self.levels if level.method == NONE), *own) if own else ()


@dataclass(frozen=True, slots=True, eq=False)
class AttackPicture:
    """One attacked image: ``pixels`` (h, w, 3) BGR, ``difference`` to the clean one, made visible, and what each file says of it.

    ``said`` are pairs of a file and its answer; ``method`` NONE is the clean image, which has no difference.
    """

    method: str
    eps: int
    pixels: Image
    difference: Image | None
    said: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AttackReport:
    """The result of `edgecnn attack`.

    ``methods`` and ``strengths`` that were measured; ``source`` is the checkpoint that gave gradients, "" for none. ``left_out`` are
    images that could not be read. ``pictures`` are by image: its name, what is true, and the clean image with its attacked ones.
    """

    dataset: str
    split: str
    images: int
    metric: str
    methods: tuple[str, ...]
    strengths: tuple[int, ...]
    source: str
    steps: int
    queries: int
    seed: int
    files: tuple[AttackedFile, ...]
    warnings: tuple[str, ...]
    left_out: tuple[str, ...]
    pictures: tuple[tuple[str, str, tuple[AttackPicture, ...]], ...] = ()
    overlap: Overlap = field(default_factory=Overlap)
    notes: tuple[str, ...] = ()

    def to_document(self) -> dict[str, Any]:
        """The JSON document of `edgecnn attack --json`; docs/trust.md describes its fields."""
        return {
            "schema": SCHEMA,
            "version": VERSION,
            "dataset": {"name": self.dataset, "split": self.split, "image_count": self.images, "left_out": list(self.left_out)},
            "overlap": self.overlap.to_document(),
            "metric": self.metric,
            "methods": list(self.methods),
            "strengths_grey_levels": list(self.strengths),
            "gradients_from": self.source or None,
            "pgd_steps": self.steps,
            "square_queries": self.queries,
            "seed": self.seed,
            "warnings": list(self.warnings),
            "notes": list(self.notes),
            "files": [_file(one) for one in self.files],
        }


def _file(one: AttackedFile) -> dict[str, Any]:
    return {
        "name": one.name,
        "format": one.format,
        "precision": one.precision,
        "digest": one.digest,
        "agreement_with_gradients": one.agreement,
        "levels": [
            {
                "method": level.method,
                "eps_grey_levels": level.eps,
                "value": level.value,
                "low": level.low,
                "high": level.high,
                "images": level.images,
            }
            for level in one.levels
        ],
        "certified": None if one.certified is None else asdict(one.certified),
    }
