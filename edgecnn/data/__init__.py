"""Datasets with ground truth, read from files or rendered by the built-in scene; nothing here imports torch."""

from __future__ import annotations

from edgecnn.data.dataset_kinds import dataset_splits, held_out_parts, held_out_split, open_dataset
from edgecnn.data.sample import Dataset, Problem, Sample
from edgecnn.types import Boxes

__all__ = ["Boxes", "Dataset", "Problem", "Sample", "dataset_splits", "held_out_parts", "held_out_split", "open_dataset"]
