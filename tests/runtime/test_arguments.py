"""A wrong argument of Python code is one error that names it, at once and before anything is opened."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecnn.errors import EdgeCnnError, InputError, SourceError
from edgecnn.runtime.arguments import check_arguments
from edgecnn.runtime.model.detector import Detector
from edgecnn.runtime.pipeline.stream import stream
from edgecnn.runtime.sources import open_source


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        pytest.param(lambda: Detector(None), "model is NoneType, not a path or an address", id="no-model"),  # type: ignore[arg-type]
        pytest.param(lambda: Detector("cups", threads="two"), "threads is 'two', not a whole number from 1", id="threads"),  # type: ignore[arg-type]
        pytest.param(lambda: Detector("cups", requests=0), "requests is 0, not a whole number from 1 to 4096", id="requests"),
        pytest.param(lambda: Detector("cups", score_threshold=[1]), "score_threshold is a list", id="threshold"),  # type: ignore[arg-type]
        pytest.param(
            lambda: next(stream("scene:cups", "cups", policy="al")), "policy is 'al', not one of latest, all", id="policy"
        ),
        pytest.param(lambda: next(stream("scene:cups", "cups", max_frames=-1)), "max_frames is -1", id="max-frames"),
        pytest.param(lambda: next(stream("scene:cups", "cups", timeout=None)), "timeout is null", id="timeout"),  # type: ignore[arg-type]
        pytest.param(lambda: next(stream(None, "cups")), "source is NoneType", id="no-source"),  # type: ignore[arg-type]
        pytest.param(lambda: next(stream("a\0b", "cups")), "source contains a zero byte", id="zero-byte"),
    ],
)
def test_a_wrong_argument_is_named(call: Callable[[], Any], problem: str) -> None:
    with pytest.raises(InputError, match=rf"^the argument {problem}"):
        call()


def test_options_of_a_camera_may_be_longer_than_a_path() -> None:
    assert open_source("0?" + "&".join(["fps=10"] * 1000)).live


def test_a_pattern_with_a_zero_byte_is_one_line() -> None:
    with pytest.raises(SourceError, match="contains a zero byte"):
        open_source("a\0b/*.png")


def test_paths_and_numbers_of_numpy_are_right() -> None:
    check_arguments(model=Path("cups"), source=0, threads=np.int64(2), requests=np.int32(1), score_threshold=np.float32(0.25))
    check_arguments(threads=None, score_threshold=None, policy=None, max_frames=None)


@pytest.mark.parametrize("text", [pytest.param("a" * 5000, id="long"), pytest.param("%d" * 500, id="pattern")])
def test_an_address_that_can_not_be_a_path_is_one_line(text: str) -> None:
    with pytest.raises(SourceError, match="can't be opened: ") as error:
        open_source(text)
    assert isinstance(error.value, EdgeCnnError)
    assert len(str(error.value)) < 600
