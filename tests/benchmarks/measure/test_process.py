from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from edgecnn.benchmarks.measure.process import LoadOptions, ModelProcess
from edgecnn.errors import ArtifactError, BackendError, EdgeCnnError, InputError
from edgecnn.runtime.model.card_inference import CardOptions


def test_a_process_tells_its_cold_start_memory_and_card(classifier: Path) -> None:
    with ModelProcess(classifier, LoadOptions(threads=1)) as process:
        report = process.load_report
    assert list(report.cold_start) == ["python_ms", "import_ms", "load_ms", "first_prediction_ms"]
    assert min(report.cold_start.values()) > 0
    assert report.peak_memory_mib > 10
    assert report.card.name == "tiny-classifier"
    assert report.concurrency >= 1


def test_options_of_the_user_reach_the_process(detector: Path, tmp_path: Path) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("a\nb\nc\nd\n")
    options = CardOptions(labels=labels, score_threshold=0.5)
    with ModelProcess(detector, LoadOptions(options=options)) as process:
        assert process.load_report.card.labels == ("a", "b", "c", "d")
        assert process.load_report.card.decode.options["score_threshold"] == 0.5


def test_a_process_that_dies_is_one_error_that_names_file_and_signal(classifier: Path) -> None:
    with ModelProcess(classifier, LoadOptions()) as process:
        os.kill(process.pid, signal.SIGSEGV)
        with pytest.raises(BackendError, match=r"the process measuring tiny-fp32\.onnx ended by signal SIGSEGV"):
            process.ask("use", folder="/nowhere")


def test_garbage_is_refused_with_the_engine_s_own_error(tmp_path: Path) -> None:
    path = tmp_path / "garbage.onnx"
    path.write_bytes(b"not a model" * 10)
    with pytest.raises(BackendError, match="garbage"):
        ModelProcess(path, LoadOptions())


def test_a_missing_file_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"the model file .*missing\.onnx does not exist"):
        ModelProcess(tmp_path / "missing.onnx", LoadOptions())


def test_an_unknown_decoder_keeps_its_class(detector: Path) -> None:
    with pytest.raises((InputError, ArtifactError), match="nonsense"):
        ModelProcess(detector, LoadOptions(options=CardOptions(decode="nonsense")))


def test_an_error_inside_an_answer_does_not_end_the_process(classifier: Path, tmp_path: Path) -> None:
    with ModelProcess(classifier, LoadOptions()) as process:
        with pytest.raises(EdgeCnnError):
            process.ask("no_such_request")
        assert process.ask("use", folder=str(tmp_path)) == 0


def test_close_ends_the_process(classifier: Path) -> None:
    process = ModelProcess(classifier, LoadOptions())
    process.close()
    process.close()
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)
