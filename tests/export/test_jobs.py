"""Files that crash a converter or an engine, run without end or ask for all memory: only these fail."""

from __future__ import annotations

import os
import resource
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from edgecnn.card import ModelCard
from edgecnn.errors import BackendError, EdgeCnnError, InputError, LimitError
from edgecnn.export import ExportConfig, artifact_builder, child, jobs
from edgecnn.export.artifact import Artifact
from edgecnn.export.failures import FailedExportsError
from edgecnn.export.jobs import Outcome, Target, run_targets
from edgecnn.export.run import export_all
from edgecnn.export.steps import ExportStep, Note
from edgecnn.export.verify.parity import Parity

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="copies of a process need fork")
TARGETS = [("onnx", "fp32"), ("onnx", "int8"), ("tflite", "fp32")]


@pytest.fixture(autouse=True)
def forking(monkeypatch: pytest.MonkeyPatch) -> None:
    """The files of these tests start no thread, so that copies are safe also where another test has loaded an engine."""
    monkeypatch.setattr(jobs, "can_fork", lambda: True)
    monkeypatch.setattr(child, "_limit_memory", lambda: resource.setrlimit(resource.RLIMIT_CORE, (0, 0)))


def artifact(target: Target, card: ModelCard) -> Artifact:
    return Artifact(Path("-".join(target)), target[0], card, Parity(target[1], (), "none"), 0.0)


def outcomes(fault: Any, card: ModelCard, *, shared: bool = False) -> dict[Target, Outcome]:
    """What comes of the targets if ``fault`` is called while onnx fp32 is made."""

    def export(target: Target, note: Note) -> Artifact:
        note(ExportStep("the tool", "while it converts", shared))
        if target == TARGETS[0]:
            fault()
        return artifact(target, card)

    found: dict[Target, Outcome] = {}
    run_targets(TARGETS, export, lambda target, outcome: found.update({target: outcome}))
    return found


def failed(found: dict[Target, Outcome]) -> dict[Target, str]:
    return {target: str(outcome) for target, outcome in found.items() if isinstance(outcome, EdgeCnnError)}


def die(name: str) -> None:
    os.kill(os.getpid(), getattr(signal, name))


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGABRT"])
def test_a_crash_costs_its_own_file(name: str, classifier: tuple[nn.Module, ModelCard]) -> None:
    found = outcomes(lambda: die(name), classifier[1])
    assert failed(found) == {TARGETS[0]: f"the tool crashed ({name}) while it converts; export it in another precision or format"}
    assert set(found) == set(TARGETS)


def test_a_crash_in_a_step_that_all_precisions_share_is_not_tried_again(classifier: tuple[nn.Module, ModelCard]) -> None:
    found = outcomes(lambda: die("SIGSEGV"), classifier[1], shared=True)
    assert set(failed(found)) == set(TARGETS[:2])
    assert isinstance(found[TARGETS[2]], Artifact)


def test_an_endless_step_is_ended(classifier: tuple[nn.Module, ModelCard], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "STEP_CPU_S", 0.3)

    def spin() -> None:
        while True:
            pass

    text = failed(outcomes(spin, classifier[1]))[TARGETS[0]]
    assert text.startswith("the tool does not end within")


def test_a_process_that_waits_for_nothing_is_ended(
    classifier: tuple[nn.Module, ModelCard], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child, "IDLE_S", 0.5)
    text = failed(outcomes(signal.pause, classifier[1]))[TARGETS[0]]
    assert text.startswith("the tool has stood still")


def raised(error: BaseException) -> Any:
    def fault() -> None:
        raise error

    return fault


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        pytest.param(InputError("an operator is missing", "replace it"), InputError, id="refused"),
        pytest.param(MemoryError(), LimitError, id="memory"),
        pytest.param(KeyError("x"), BackendError, id="fault-of-edgecnn"),
    ],
)
@pytest.mark.parametrize("forks", [True, False])
def test_an_error_costs_its_own_file(
    error: Exception,
    kind: type[EdgeCnnError],
    forks: bool,
    classifier: tuple[nn.Module, ModelCard],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(jobs, "can_fork", lambda: forks)
    found = outcomes(raised(error), classifier[1])
    assert list(failed(found)) == [TARGETS[0]]
    assert type(found[TARGETS[0]]) is kind


def test_a_crash_of_an_engine_leaves_the_other_formats_and_nothing_hidden(
    classifier: tuple[nn.Module, ModelCard], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = artifact_builder.verify

    def verify(path: Path, evidence: Any) -> Any:
        return right(path, evidence) if "fp32" in path.name else die("SIGSEGV")

    monkeypatch.setattr(artifact_builder, "verify", verify)
    reports: list[str] = []
    config = ExportConfig(model="x", formats=("onnx",), precisions=("fp16", "fp32"), out=tmp_path, name="net")
    with pytest.raises(BackendError, match=r"ONNX Runtime crashed \(SIGSEGV\) while it runs the file"):
        export_all(config, *classifier, report=reports.append)
    assert {path.name for path in tmp_path.iterdir()} == {"net-fp32.onnx", "net-fp32.onnx.parity.json"}
    assert any(text.startswith("net-fp16.onnx: NOT EXPORTED\nONNX Runtime crashed") for text in reports)


def test_several_reasons_are_all_told() -> None:
    errors = {"a.onnx": InputError("one", "x"), "b.onnx": BackendError("two", "y")}
    error = FailedExportsError(errors, 3)
    assert str(error).startswith("2 of 3 files were not exported: a.onnx (one), b.onnx (two); ")
    assert error.exit_code == 2
