"""The accuracy of one model file on a dataset, as `edgecnn evaluate` measures it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from edgecnn.benchmarks.measure.dataset_selection import DatasetSelection
from edgecnn.benchmarks.measure.progress import Progress, no_progress
from edgecnn.benchmarks.measure.record import measured_digest
from edgecnn.card import ModelCard
from edgecnn.data import Dataset, Problem
from edgecnn.data.overlap import Overlap, OverlapWatch
from edgecnn.data.recognition import report_lines
from edgecnn.engine_device import CPU, Device, parse_device
from edgecnn.integrity.signature import require_signature
from edgecnn.metrics import ClassMap, Score
from edgecnn.metrics.ground_truth import GroundTruthSample
from edgecnn.postprocess.final_boxes import NMS_OF
from edgecnn.runtime.backends import file_format
from edgecnn.runtime.model.card_inference import CardOptions
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.shipped import artifact
from edgecnn.tasks import find
from edgecnn.tasks.evaluate import Outcome, outcomes, score_outcomes
from edgecnn.thresholds import EVALUATION_SCORE, MAX_DETECTIONS

SCHEMA, VERSION = "edgecnn.evaluation", 4  # version 1 had neither schema nor version, 2 no details, 3 no intervals at_threshold


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationConfig:
    """A model file, a dataset, and how the file is loaded.

    ``engine``: see ``open_backend``; None: that of the format.
    ``threads``: CPU threads; None: the engine's choice.
    ``require_signature``: public key that must have signed the file.
    """

    file: Path
    data: DatasetSelection
    device: Device = CPU
    engine: str | None = None
    threads: int | None = None
    options: CardOptions = field(default_factory=CardOptions)
    require_signature: Path | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "device", parse_device(self.device))


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """The score of a model file, with the file, the decoder and the dataset it belongs to."""

    file: Path
    format: str
    precision: str
    device: Device
    decoder: str
    decoder_options: Mapping[str, Any]
    dataset: str
    split: str
    image_count: int
    problems: tuple[Problem, ...]
    score: Score
    overlap: Overlap = field(default_factory=Overlap)
    digest: str = ""

    def to_document(self) -> dict[str, Any]:
        """The JSON document of `edgecnn evaluate --json`; benchmarks/README.md documents its fields."""
        return {
            "schema": SCHEMA,
            "version": VERSION,
            "file": str(self.file),
            "format": self.format,
            "precision": self.precision,
            "digest": self.digest,
            "device": str(self.device),
            "decode": {"name": self.decoder, "options": dict(self.decoder_options)},
            "dataset": {
                "name": self.dataset,
                "split": self.split,
                "image_count": self.image_count,
                "problems": [dataclasses.asdict(problem) for problem in self.problems],
            },
            "overlap": self.overlap.to_document(),
            "score": self.score.to_dict(),
        }


class Outcomes(Protocol):
    """What a model says of each sample of a dataset, in order; ``not_finite`` counts the outputs elsewhere with NaN or infinity."""

    @property
    def not_finite(self) -> int: ...  # noqa: D102

    def __iter__(self) -> Iterator[tuple[GroundTruthSample, Outcome]]: ...


@dataclass(frozen=True, slots=True)
class OpenedModel:
    """A model file that is loaded with a dataset that fits it.

    ``opened`` is the dataset as it was read, ``dataset`` has the classes that are measured, ``classes`` maps the model's to those.
    ``warnings`` say why the results of the file can't be right. ``overlap`` compares the images of ``dataset`` with those of the training.
    """

    predictor: Predictor
    opened: Dataset
    dataset: Dataset
    classes: ClassMap
    warnings: tuple[str, ...]
    overlap: OverlapWatch

    @property
    def card(self) -> ModelCard:
        """The card of the file."""
        return self.predictor.card


@contextmanager
def opened_model(config: EvaluationConfig, report: Progress = no_progress) -> Iterator[OpenedModel]:
    """Load the file, an artifact or a PyTorch checkpoint, and open the dataset; raises what these raise.

    ``report`` gets lines about problems of the dataset and the file. Detectors keep all boxes that the measure of mAP needs.
    """
    require_signature(artifact(config.file), config.require_signature)
    file_format(config.file)  # a wrong path is reported before a large dataset is read
    options = whole_curve(config.options)
    with Predictor(config.file, config.device, threads=config.threads, options=options, engine=config.engine) as predictor:
        card = predictor.card
        find(card.task).check_measure()
        opened = config.data.open(task=card.task)
        for line in report_lines(opened):
            report(line)
        warnings = predictor.warnings(probe=True)
        for warning in warnings:
            report(f"warning: {warning}")
        dataset, classes = config.data.match_classes(opened, card)
        overlap = config.data.watch(dataset, {config.file.name: card})
        yield OpenedModel(predictor, opened, overlap.dataset, classes, warnings, overlap)


def evaluate_file(
    config: EvaluationConfig,
    *,
    predicted: Callable[[Dataset], Outcomes] | None = None,
    watch: Callable[[OpenedModel, Outcomes], Outcomes] | None = None,
    report: Progress = no_progress,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Measure the accuracy of a model file on a dataset; classes are matched by name.

    ``report`` gets lines about problems of the dataset before the measurement, ``progress`` (done, total) after each image.
    ``predicted`` gives what the same file says elsewhere; None: it runs here. ``watch`` may look at the outcomes as they come.
    Raises what loading the file and opening the dataset raise, ``InputError`` where they do not fit together, and ``OverlapError`` for
    images that the model was trained or calibrated on.
    """
    with opened_model(config, report) as model:
        if predicted is not None:
            model.overlap.compare()  # others read the images
        found: Outcomes = Local(model.predictor, model.dataset) if predicted is None else predicted(model.dataset)
        found = found if watch is None else watch(model, found)
        return evaluate_opened(config, model, found, progress=progress, is_read_here=predicted is None)


def evaluate_opened(
    config: EvaluationConfig,
    model: OpenedModel,
    found: Outcomes,
    *,
    progress: Callable[[int, int], None] | None = None,
    is_read_here: bool = True,
) -> Evaluation:
    """The accuracy of what the file of ``config``, opened as ``model``, says of the samples of its dataset.

    ``is_read_here``: not where others read the images. Raises ``OverlapError``.
    """
    card, opened = model.card, model.opened
    score = score_outcomes(found, model.dataset, classes=model.classes, progress=progress, strict=config.data.strict)
    if is_read_here:
        model.overlap.compare(None)  # those of parts that were kept
    overlap = model.overlap.finish()
    score = dataclasses.replace(score, notes=(*score.notes, *_graph_note(card), *model.warnings, *overlap.notes))
    # those of the trial for warnings, and those of images
    not_finite = model.predictor.monitor.not_finite + found.not_finite
    if not_finite:
        note = f"the outputs held NaN or infinity for {not_finite} of {len(opened)} images"
        score = dataclasses.replace(score, notes=(*score.notes, note))
    return Evaluation(
        file=config.file,
        format=file_format(config.file),
        precision=card.precision,
        device=config.device,
        decoder=card.decode.name,
        decoder_options=card.decode.options,
        dataset=opened.name,
        split=opened.split,
        image_count=len(opened),
        problems=tuple(opened.problems),
        score=score,
        overlap=overlap,
        digest=measured_digest(artifact(config.file), card),
    )


class Local:
    """What ``predictor`` says in this process of the samples of ``dataset``; the predictor itself counts what is not finite."""

    not_finite = 0

    def __init__(self, predictor: Predictor, dataset: Dataset) -> None:
        self._predictor, self._dataset = predictor, dataset

    def __iter__(self) -> Iterator[tuple[GroundTruthSample, Outcome]]:
        return outcomes(self._predictor, self._dataset.samples)


def _graph_note(card: ModelCard) -> tuple[str, ...]:
    """What NMS in the graph leaves out of the precision-recall curve, else ()."""
    own = card.decode.options
    if NMS_OF not in own or own["score_threshold"] <= EVALUATION_SCORE:
        return ()
    return (f"NMS in the graph keeps boxes from a score of {own['score_threshold']:g} on, so the curve ends there",)


def whole_curve(options: CardOptions) -> CardOptions:
    """``options`` with thresholds for measuring mAP, where the user set none.

    mAP is the area under the whole precision-recall curve; a normal score threshold would cut off the part with high recall.
    """
    return dataclasses.replace(
        options,
        score_threshold=EVALUATION_SCORE if options.score_threshold is None else options.score_threshold,
        max_detections=MAX_DETECTIONS if options.max_detections is None else options.max_detections,
    )
