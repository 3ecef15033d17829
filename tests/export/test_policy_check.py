"""A policy in an export: what it refuses is not written, the others are, and int8 is compared with the fp32 of the run."""

from __future__ import annotations

from pathlib import Path

import pytest
from torch import nn

from edgecnn.card import ModelCard
from edgecnn.errors import EdgeCnnError, InputError
from edgecnn.export.config import ExportConfig
from edgecnn.export.failures import FailedExportsError
from edgecnn.export.policy_check import PolicyGate, PolicyVerdict, RefusedByPolicyError, fp32_first
from edgecnn.export.run import export_all
from edgecnn.trust.gate.for_export import export_gate
from edgecnn.trust.gate.policy import DropBudget, Policy, SizeBudget
from edgecnn.trust.gate.write_card import own_card


class Recorder:
    """Refuses files whose name holds a word, and keeps what it was called with."""

    def __init__(self, refused: str = "none of them") -> None:
        self.refused, self.seen = refused, list[tuple[str, str]]()

    def __call__(self, path: Path, reference: Path | None) -> PolicyVerdict:
        self.seen.append((path.name, "" if reference is None else reference.name))
        broken = "size 3 MB (at most 2 MB)" if self.refused in path.name else ""
        return PolicyVerdict(broken, "the table", own_card(path))


def exported(detector: tuple[nn.Module, ModelCard], out: Path, gate: PolicyGate, **more: object) -> list[str]:
    config = ExportConfig(model="tiny", formats=("onnx",), out=out, name="tiny", **more)  # type: ignore[arg-type]
    try:
        made = export_all(config, *detector, gate=gate)
    except EdgeCnnError as error:
        return [str(error)]
    return [artifact.path.name for artifact in made]


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgecnn.export.jobs.can_fork", lambda: False)  # so that the recorder is seen


def test_what_is_refused_is_not_written_and_the_others_are(detector: tuple[nn.Module, ModelCard], tmp_path: Path) -> None:
    recorder = Recorder(refused="fp32")
    found = exported(detector, tmp_path, PolicyGate(recorder, "policy.toml"), precisions=("fp16", "fp32"))
    assert found == [
        "tiny-fp32.onnx is not written, because it does not keep to policy.toml: size 3 MB (at most 2 MB); "
        "train or export it otherwise, or change the policy"
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tiny-fp16.onnx", "tiny-fp16.onnx.parity.json"]
    # fp32 comes first, and is compared with also where it was refused
    assert recorder.seen == [("tiny-fp32.onnx", "tiny-fp32.onnx"), ("tiny-fp16.onnx", "tiny-fp32.onnx")]


def test_without_fp32_there_is_no_reference(detector: tuple[nn.Module, ModelCard], tmp_path: Path) -> None:
    recorder = Recorder()
    assert exported(detector, tmp_path, PolicyGate(recorder, "policy.toml"), precisions=("fp16",)) == ["tiny-fp16.onnx"]
    assert recorder.seen == [("tiny-fp16.onnx", "")]


def test_an_older_file_stays_where_the_new_one_is_refused(detector: tuple[nn.Module, ModelCard], tmp_path: Path) -> None:
    old = tmp_path / "tiny-fp32.onnx"
    old.write_bytes(b"old")
    exported(detector, tmp_path, PolicyGate(Recorder(refused="fp32"), "policy.toml"), force=True)
    assert old.read_bytes() == b"old"


def test_a_policy_decides_and_its_result_is_in_the_card(detector: tuple[nn.Module, ModelCard], tmp_path: Path) -> None:
    good = export_gate(Policy(size=SizeBudget(max_mb=10)), ("fp32",))
    assert exported(detector, tmp_path / "good", good) == ["tiny-fp32.onnx"]
    assert own_card(tmp_path / "good" / "tiny-fp32.onnx").calibration["check"]["passed"] is True
    bad = export_gate(Policy(size=SizeBudget(max_mb=0.001)), ("fp32",))
    assert "is not written, because it does not keep to policy: file size" in exported(detector, tmp_path / "bad", bad)[0]
    assert not (tmp_path / "bad").exists()


def test_a_drop_needs_a_float_file() -> None:
    policy = Policy(data="scene:cups", drop=DropBudget(max_points=1))
    with pytest.raises(InputError, match="add fp32 to --precision"):
        export_gate(policy, ("int8",))
    assert not export_gate(policy, ("int8", "fp32")).alone


def test_refusals_alone_end_with_exit_code_1() -> None:
    refused = RefusedByPolicyError("a", "b")
    assert FailedExportsError({"x": refused, "y": RefusedByPolicyError("c", "d")}, 2).exit_code == 1
    assert FailedExportsError({"x": refused, "y": InputError("c", "d")}, 2).exit_code == 2


def test_fp32_goes_first() -> None:
    targets = (("onnx", "int8"), ("onnx", "fp32"), ("tflite", "int8"))
    assert fp32_first(targets) == (("onnx", "fp32"), ("onnx", "int8"), ("tflite", "int8"))
