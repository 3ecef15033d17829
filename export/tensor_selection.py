"""Selects samples of tensors that calibrate and verify: .npy and .npz files of a folder, never the same ones for both."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edgecnn.data.calibration import MINIMUM
from edgecnn.errors import InputError
from edgecnn.export.quantize.calibration import Calibration
from edgecnn.runtime.sources.tensors import list_files, read_sample
from edgecnn.types import Image, TensorSpec


def select_tensors(
    specs: Sequence[TensorSpec],
    calibration: str | None,
    count: int,
    seed: int,
    verify: str | None,
    verify_count: int,
    *,
    force: bool = False,
) -> tuple[Calibration | None, list[Image], str]:
    """The calibration set (or None), samples to verify with, packed as ``edgecnn.tensor_pack``, and where those are from.

    Raises ``InputError`` for a folder without such files, for files that do not hold the inputs ``specs``, and for too few of them.
    """
    checking = [] if verify is None else _files("--verify-data", verify)
    if calibration is None:
        return None, _read(checking[:verify_count], specs), Path(verify).name if verify else ""
    files = [file for file in _files("--calibration", calibration) if file not in checking]
    order = [files[index] for index in np.random.default_rng(seed).permutation(len(files))]
    needed = count if checking else min(count, max(len(order) - verify_count, min(MINIMUM, len(order) * 3 // 4)))
    name = Path(calibration).name
    chosen = Calibration(_read(order[:needed], specs), name, {"seed": seed}, force=force)
    apart = checking[:verify_count] or sorted(order[needed : needed + verify_count])
    return chosen, _read(apart, specs), Path(verify).name if verify else f"others of {name}"


def _files(option: str, place: str) -> list[Path]:
    folder = Path(place)
    files = list_files(folder) if folder.is_dir() else []
    if not files:
        raise InputError(f"{option}: {place} is no folder with .npy or .npz files", "store each sample in a file of its own")
    return files


def _read(files: Sequence[Path], specs: Sequence[TensorSpec]) -> list[Image]:
    return [read_sample(file, specs) for file in files]
