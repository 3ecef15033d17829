"""What a task is: everything that depends on whether a model classifies, detects, ... is a member of ``Task``.

Metrics and measures of agreement are imported by the methods that need them, because a run on a device needs none.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar

from edgecnn.card import ModelCard, Resize
from edgecnn.preprocess import Geometry
from edgecnn.task_names import TaskName
from edgecnn.types import Array, Float32, Prediction, Tensors, TensorSpec

if TYPE_CHECKING:
    from edgecnn.metrics.classmap import ClassMap
    from edgecnn.metrics.ground_truth import GroundTruthSample
    from edgecnn.metrics.score import Score
    from edgecnn.parity import Agreement, Tolerance

P = TypeVar("P", bound=Prediction)
P_contra = TypeVar("P_contra", bound=Prediction, contravariant=True)


class Picker(Protocol):
    """Gives an array of a golden by its name, see ``edgecnn.npz.picked``; ``columns`` is 0 for (n,), else (n, columns), or alternatives."""

    def __call__(self, name: str, dtype: type, columns: int | tuple[int, ...] = 0) -> Array: ...  # noqa: D102


class Accumulator(Protocol[P_contra]):
    """Adds up predictions image by image to a score."""

    def add(self, prediction: P_contra, sample: GroundTruthSample, classes: ClassMap) -> None:
        """Add the prediction for ``sample``; ``classes`` maps the model's classes to the dataset's.

        Raises ``InputError`` (``wrong_task``) for a sample without the ground truth of the task, or one that does not fit.
        """
        ...

    def score(self, notes: tuple[str, ...]) -> Score:
        """The score of all images added; ``notes`` say what was left out."""
        ...


class Task(ABC, Generic[P]):
    """One task; ``edgecnn.tasks.TASKS`` holds one object of each.

    ``prediction`` is the type of what its decoders return; the first task with a type also shows predictions of that type for others.
    ``model`` and ``data`` describe a model and a dataset of the task in messages, with article ("a detector", "boxes").
    ``decoders`` can be named for it, ``default_decoder`` is used where none is named ("" where one has to be).
    ``compared`` is what two predictions are compared by, as the title of a column;
    ``by_parts``: ``compare`` counts parts that agree, else the errors of the tensors say all.
    ``metric`` is the key of the primary metric in
    ``Score.values``, ``allowed_drop`` how much of it an exported file may lose, as a fraction of 1. ``golden`` names the arrays
    that hold a prediction in a golden; where the first is there, the others are.
    ``has_boxes``: its predictions are ``Detections``, which can be tracked, counted and put together from tiles.
    ``truth`` is the field of a sample that holds its ground truth, "" where no dataset has it. ``has_classes``: the labels are classes,
    of which a dataset may lack some. ``has_threshold``: parts of a prediction with a low score are left out, which a measure needs.
    ``needs_labels``: a model without names can't be used. ``in_rows``: the parts of a record are rows of a CSV file, with its columns.
    ``tiled``: the input is never resized; an image of another size is worked on in tiles of the size of the input.
    ``has_tensors``: ``tensors`` gives arrays. ``any_input``: the input may be something else than one image.
    ``resize`` is the resize rule where nothing else is known.
    """

    name: ClassVar[TaskName]
    prediction: ClassVar[type[Prediction]]
    model: ClassVar[str]
    data: ClassVar[str]
    decoders: ClassVar[tuple[str, ...]]
    default_decoder: ClassVar[str] = ""
    truth: ClassVar[str] = ""
    compared: ClassVar[str]
    by_parts: ClassVar[bool] = True
    metric: ClassVar[str] = ""
    allowed_drop: ClassVar[float] = 0.01
    golden: ClassVar[tuple[str, ...]] = ()
    has_boxes: ClassVar[bool] = False
    has_classes: ClassVar[bool] = True
    has_threshold: ClassVar[bool] = False
    tiled: ClassVar[bool] = False
    needs_labels: ClassVar[bool] = True
    in_rows: ClassVar[bool] = True
    has_tensors: ClassVar[bool] = False
    any_input: ClassVar[bool] = False
    resize: ClassVar[Resize] = "crop"

    # --- a model file -----------------------------------------------------------------------------

    @abstractmethod
    def output_names(self, decoder: str, count: int) -> tuple[str, ...]:
        """The usual names of a model's ``count`` outputs; () where there are none."""

    @abstractmethod
    def check_outputs(self, outputs: Sequence[TensorSpec], card: ModelCard) -> None:
        """Raise ``InputError`` where the shapes of the outputs can't be those of the task, or do not fit the labels of the card."""

    def resembles(self, outputs: Sequence[TensorSpec]) -> bool:
        """Whether outputs of these shapes are more likely of this task than of any other; only a hint for messages."""
        return False

    # --- a prediction -----------------------------------------------------------------------------

    def to_source(self, prediction: P, place: Geometry) -> P:
        """Model-input pixels to pixels of the source image; unchanged where a prediction has no places."""
        return prediction

    @abstractmethod
    def compare(self, expected: P, got: P, tolerance: Tolerance) -> Agreement:
        """How far the predictions of two engines for one image agree."""

    def in_order(self, outputs: Tensors, card: ModelCard, expected: P, place: Geometry | None, iou: float) -> Tensors:
        """Outputs whose rows have no fixed order, in the order of ``expected``; NaN where a row has no partner there.

        ``expected`` is in pixels of the source at ``place`` (None: of the input); a partner overlaps by at least ``iou``. Other outputs
        are returned unchanged, as the same object.
        """
        return outputs

    @abstractmethod
    def record(self, prediction: P, labels: Sequence[str]) -> dict[str, Any]:
        """Plain JSON values under one key, such as {"detections": [...]}: a list with one record for each part."""

    @abstractmethod
    def headline(self, prediction: P, labels: Sequence[str]) -> str:
        """A few words for one line of the page: ``2 cup, 1 glass``."""

    @abstractmethod
    def text(self, prediction: P, labels: Sequence[str]) -> list[str]:
        """A summary, then lines with the details, for the terminal."""

    def tensors(self, prediction: P) -> Tensors:
        """The arrays of a prediction to be written as .npy, by name; {} where there is nothing but the record."""
        return {}

    def confidence(self, prediction: P) -> float:
        """How certain the model is, from 0 to 1, to choose a telling image; 0 where it does not say."""
        return 0.0

    def measures(self, prediction: P, pixels: int) -> dict[str, float]:
        """Numbers that describe what was said of an image of ``pixels`` pixels, by name, to compare a stream with a dataset; {} for none.

        A number that this image does not have, such as the mean score of no boxes, is left out.
        """
        return {}

    def said(self, prediction: P) -> tuple[int, ...]:
        """The classes of its parts, one for each part; () where it names none."""
        return ()

    def direction(self, prediction: P) -> Float32 | None:
        """The vector (D,) of length 1 by which the model describes the image; None where it gives none."""
        return None

    def at_least(self, prediction: P, score: float) -> P:
        """The prediction without parts that score below ``score``; unchanged where a score leaves nothing out."""
        return prediction

    def smoothed(self, prediction: P, average: Callable[[Float32], Float32]) -> P:
        """The prediction with its numbers averaged over time by ``average``; unchanged where that makes no sense."""
        return prediction

    # --- goldens ----------------------------------------------------------------------------------

    def to_arrays(self, prediction: P) -> dict[str, Array]:
        """The prediction as the arrays that ``golden`` names."""
        return {}

    def from_arrays(self, pick: Picker) -> P:
        """The prediction that ``to_arrays`` stored; ``pick`` and this raise ``SchemaError`` for damaged arrays."""
        raise NotImplementedError

    # --- a dataset --------------------------------------------------------------------------------

    def match_labels(self, model: Sequence[str], data: Sequence[str]) -> ClassMap:
        """The classes of a model by those of a dataset; raises ``InputError`` where they have none in common."""
        from edgecnn.metrics.classmap import match_labels

        return match_labels(model, data)

    def check_measure(self) -> None:
        """Raise ``MissingExtraError`` before long work where a package is missing that the measure needs."""

    @abstractmethod
    def accumulator(self, labels: tuple[str, ...]) -> Accumulator[P]:
        """Measures predictions for a dataset with these labels; raises the error of ``check_measure``."""

    def tuned(self, card: ModelCard, values: Mapping[str, float]) -> ModelCard:
        """The card of a trained model with options that its score on held-out images (``Score.values``) suggests."""
        return card

    @property
    def needed(self) -> str:
        """The kind of model that a dataset of the task needs, with article."""
        return self.model

    def model_of(self, prediction: P) -> str:
        """The kind of model that makes such predictions, with article: "a regression model with 3 values"."""
        return self.model
