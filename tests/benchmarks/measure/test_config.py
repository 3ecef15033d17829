from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgecnn.benchmarks import BenchmarkConfig, DatasetSelection
from edgecnn.cpus import usable_cpus


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        pytest.param({"files": ()}, "at least one model file", id="no file"),
        pytest.param({"clocks": ()}, "name one or more of model, task, age", id="no clock"),
        pytest.param({"clocks": ("model", "wall")}, "'wall'", id="unknown clock"),
        pytest.param({"threads": 0}, "threads is 0", id="no thread"),
    ],
)
def test_a_wrong_value_is_refused_when_the_config_is_made(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        BenchmarkConfig(**{"files": (Path("a.onnx"),), **wrong})


def test_every_engine_gets_the_same_threads_whatever_the_requests() -> None:
    config = BenchmarkConfig(files=(Path("a.onnx"),))
    assert config.load_options(1).threads == config.load_options(4).threads == usable_cpus()
    assert config.load_options(4).requests == 4
    assert BenchmarkConfig(files=(Path("a.onnx"),), threads=3).load_options(1).threads == 3


@pytest.mark.parametrize("wrong", [{"limit": 0}, {"every": 0}])
def test_a_selection_of_no_image_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="both must be 1 or more"):
        DatasetSelection("scene:cups", **wrong)


def test_every_and_limit_select_images() -> None:
    uri = "scene:cups?seed=3&size=96x64&count=10"
    names = [sample.name for sample in DatasetSelection(uri).open().samples]
    assert [sample.name for sample in DatasetSelection(uri, every=3, limit=2).open().samples] == [names[0], names[3]]
    assert len(DatasetSelection(uri, limit=2).open(at_least=4)) == 4
