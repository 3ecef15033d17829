from __future__ import annotations

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgecnn.benchmarks.measure.config import BenchmarkConfig
from edgecnn.benchmarks.measure.dataset_selection import DatasetSelection
from edgecnn.benchmarks.measure.measurement import measure
from edgecnn.benchmarks.measure.process import LoadOptions, ModelProcess
from edgecnn.benchmarks.measure.protocol import Protocol
from edgecnn.benchmarks.measure.record import Record
from edgecnn.benchmarks.report.document import to_document
from edgecnn.errors import InputError
from edgecnn.runtime.model.card_inference import CardOptions


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two images for each of two of the model's classes, by folder."""
    root = tmp_path_factory.mktemp("classes")
    random = np.random.default_rng(0)
    for name in ("mug", "plate"):
        (root / name).mkdir()
        for index in range(2):
            cv2.imwrite(str(root / name / f"{index}.png"), random.integers(0, 256, (40, 60, 3), np.uint8))
    return root


def test_everything_is_measured_of_every_file(classifier: Path, detector: Path, brief: Protocol) -> None:
    steps: list[str] = []
    found = measure(BenchmarkConfig(files=(classifier, detector), threads=1, protocol=brief), steps.append)
    assert [own.name for own in found.files] == ["tiny-fp32.onnx", "boxes-fp32.onnx"]
    assert found.reference is found.files[0]
    for own in found.files:
        _check_complete(found, own.name, brief)
    assert any("round 2 of 2" in step for step in steps)


def _check_complete(found: Record, name: str, brief: Protocol) -> None:
    own = next(own for own in found.files if own.name == name)
    assert list(own.clocks) == ["model", "task", "age"]
    for measured in own.clocks.values():
        assert [len(samples) for samples in measured.rounds] == [brief.runs_per_round] * brief.rounds
        assert min(measured.latency.samples_ms) > 0
    task = own.clocks["task"]
    assert set(task.stages) == {"preprocess", "infer", "postprocess"}
    for index, whole in enumerate(task.latency.samples_ms):
        assert sum(values[index] for values in task.stages.values()) <= whole
    ledger = own.clocks["age"].ledger
    assert ledger["captured"] == ledger["processed"] + ledger["dropped"] + ledger["failed"]
    assert len(own.cold_starts) == len(own.peak_memory_mib) == brief.cold_starts
    assert own.size_bytes == own.path.stat().st_size
    assert own.throughput is not None
    assert min(own.throughput.fps.values()) > 0
    assert own.score is None


def test_only_the_clocks_asked_for_are_measured(classifier: Path, brief: Protocol) -> None:
    found = measure(BenchmarkConfig(files=(classifier,), threads=1, protocol=brief, clocks=("model",), throughput=False))
    assert found.clocks == ("model",)
    assert found.files[0].throughput is None
    assert "random" in found.inputs


def interrupted(text: str) -> None:
    """A progress that breaks off in the task clock, as a signal does."""
    if text.startswith("task clock: round 2"):
        raise KeyboardInterrupt


def interrupted_in_throughput(text: str) -> None:
    if text.startswith("throughput"):
        raise KeyboardInterrupt


def test_an_interrupt_keeps_the_clocks_that_are_complete_where_asked(classifier: Path, classes: Path, brief: Protocol) -> None:
    config = BenchmarkConfig(
        files=(classifier, classifier),
        protocol=brief,
        threads=1,
        clocks=("model", "task"),
        data=DatasetSelection(str(classes)),
        keep_partial=True,
        profile=True,
    )
    found = measure(config, interrupted)
    assert found.partial
    assert found.clocks == ("model",)
    for own in found.files:
        assert len(own.clocks["model"].latency.samples_ms) >= brief.runs
        assert own.throughput is None
        assert own.score is None
    assert found.notes()[0] == "this record is partial: the benchmark was interrupted before its end"
    assert to_document(found)["partial"] is True
    later = measure(config, interrupted_in_throughput)
    assert later.partial
    assert later.clocks == ("model", "task")
    assert later.files[0].throughput is None
    assert later.files[0].score is not None
    with pytest.raises(KeyboardInterrupt):
        measure(dataclasses.replace(config, keep_partial=False), interrupted)
    with pytest.raises(KeyboardInterrupt):  # nothing is complete
        measure(dataclasses.replace(config, clocks=("task",)), interrupted)


def test_accuracy_is_that_of_the_timed_file(classifier: Path, classes: Path, brief: Protocol) -> None:
    found = measure(
        BenchmarkConfig(
            files=(classifier,),
            threads=1,
            protocol=brief,
            clocks=("task",),
            data=DatasetSelection(str(classes)),
            throughput=False,
        )
    )
    score = found.files[0].score
    assert score is not None
    assert score.n == 4
    assert "4 images" in found.inputs
    assert found.data == classes.name


def test_boxes_of_every_score_count_for_map_unless_the_user_says_otherwise(detector: Path) -> None:
    pytest.importorskip("pycocotools")
    data = DatasetSelection("scene:cups?seed=5&every=40&size=160x120", limit=8)
    with ModelProcess(detector, LoadOptions(threads=1)) as process:
        every = process.ask("accuracy", data=data, options=CardOptions())
        strict = process.ask("accuracy", data=data, options=CardOptions(score_threshold=0.05))
    assert every.values["ar"] > 0
    assert strict.values["ar"] == 0


def test_a_dataset_for_another_task_is_refused_before_anything_is_measured(
    detector: Path, classes: Path, brief: Protocol
) -> None:
    steps: list[str] = []
    with pytest.raises(InputError, match="classes0 is a dataset to classify, but tiny-detector is a model to detect"):
        measure(
            BenchmarkConfig(files=(detector,), threads=1, protocol=brief, clocks=("model",), data=DatasetSelection(str(classes))),
            steps.append,
        )
    assert not any("round" in step for step in steps)


def test_one_model_without_accuracy_does_not_stop_the_others(
    classifier: Path, detector: Path, classes: Path, brief: Protocol
) -> None:
    config = BenchmarkConfig(
        files=(detector, classifier),
        threads=1,
        protocol=brief,
        clocks=("model",),
        data=DatasetSelection(str(classes)),
        throughput=False,
    )
    found = measure(config)
    without, scored = found.files
    assert (without.score, scored.score is not None, scored.no_score_because) == (None, True, "")
    assert "is a dataset to classify, but tiny-detector is a model to detect" in without.no_score_because
    assert any(note.startswith("no accuracy of boxes-fp32.onnx: ") for note in found.notes())
    row = to_document(found)["files"][0]
    assert (row["accuracy"], row["no_accuracy_because"]) == (None, without.no_score_because)


def test_a_strict_selection_of_a_dataset_with_problems_is_refused(tmp_path: Path) -> None:
    for kind in ("images", "labels"):
        (tmp_path / kind).mkdir()
    cv2.imwrite(str(tmp_path / "images" / "a.png"), np.zeros((30, 30, 3), np.uint8))
    (tmp_path / "labels" / "a.txt").write_text("3 .5 .5 .5 .5\n")
    assert len(DatasetSelection(str(tmp_path), labels="mug").open()) == 1
    with pytest.raises(InputError, match=r"--strict: .* has 1 problem, the first labels/a\.txt:1"):
        DatasetSelection(str(tmp_path), labels="mug", strict=True).open()


def test_plain_images_are_inputs_without_accuracy(detector: Path, tmp_path: Path, brief: Protocol) -> None:
    cv2.imwrite(str(tmp_path / "one.png"), np.zeros((30, 30, 3), np.uint8))
    found = measure(
        BenchmarkConfig(
            files=(detector,),
            threads=1,
            protocol=brief,
            clocks=("model",),
            data=DatasetSelection(str(tmp_path)),
            throughput=False,
        )
    )
    assert found.files[0].score is None
    assert found.inputs.startswith("1 images of ")


def test_a_missing_file_is_said_before_any_process_starts(classifier: Path, tmp_path: Path) -> None:
    steps: list[str] = []
    with pytest.raises(InputError, match=r"the model file .*missing\.onnx does not exist"):
        measure(BenchmarkConfig(files=(classifier, tmp_path / "missing.onnx")), steps.append)
    assert steps == []
