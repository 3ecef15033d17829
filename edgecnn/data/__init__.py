"""Images with their truth, from files of every common kind or from the built-in scene. NumPy and OpenCV only, never torch."""

from __future__ import annotations

from edgecnn.data.recognise import counterparts, dataset_splits, held_out_split, open_dataset
from edgecnn.data.sample import Boxes, Dataset, Problem, Sample

__all__ = ["Boxes", "Dataset", "Problem", "Sample", "counterparts", "dataset_splits", "held_out_split", "open_dataset"]
