"""Tensors of each frame as .npy files: names, contents, refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgecnn.errors import InputError
from edgecnn.runtime.sinks.files.npy_files import NpySink
from edgecnn.types import Classes, Frame, Prediction, RawTensors, Result


def result(index: int, prediction: Prediction, camera: str = "") -> Result:
    return Result(Frame(index, 0.0, np.zeros((4, 4, 3), np.uint8)), prediction, {}, 0.0, camera)


def test_each_tensor_of_each_frame_is_a_file(tmp_path: Path) -> None:
    sink = NpySink(tmp_path / "new")
    mask, count = np.arange(6, dtype=np.float32).reshape(1, 2, 3), np.int64([3])
    sink.write(result(7, RawTensors({"net/mask:0": mask, "count": count})))
    sink.write(result(8, RawTensors({"count": count + 1}), "door 1"))
    sink.close()
    files = {path.name: np.load(path) for path in (tmp_path / "new").iterdir()}
    assert files.keys() == {"000007-net_mask_0.npy", "000007-count.npy", "door_1-000008-count.npy"}
    assert files["000007-net_mask_0.npy"].dtype == np.float32
    np.testing.assert_array_equal(files["000007-net_mask_0.npy"], mask)
    assert files["door_1-000008-count.npy"].tolist() == [4]


def test_what_has_no_tensors_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the results hold no tensors"):
        NpySink(tmp_path).write(result(0, Classes(np.float32([1]))))


def test_a_folder_that_can_not_be_made_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="can't write"):
        NpySink(tmp_path / "file")
