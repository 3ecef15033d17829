"""`edgecnn check --write-card`: the card holds the result, and the file stays whole."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edgecnn.card import ModelCard
from edgecnn.check_record import CHECK_KEY
from edgecnn.cli import main
from edgecnn.errors import ArtifactError
from edgecnn.integrity.digest import check_digests
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.runtime.model.selftest import selftest
from edgecnn.shipped import artifact

POLICY = 'data = "scene:cups?size=160x120&fps=1&cut=1&seed=3&count=12"\n[accuracy]\nmin_percent = 1\n[size]\nmax_mb = {size}\n'


def call(*words: object) -> Result:
    return CliRunner().invoke(main, list(map(str, words)))


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copy(artifact("cups"), tmp_path / "cups.onnx"))


def policy(folder: Path, size: float = 100) -> Path:
    path = folder / "policy.toml"
    path.write_text(POLICY.format(size=size))
    return path


def test_the_result_is_in_the_card_and_the_file_stays_whole(copy: Path) -> None:
    before = check_digests(copy)
    result = call("check", copy, "--policy", policy(copy.parent), "--write-card")
    assert result.exit_code == 0, result.output
    after = check_digests(copy)
    assert before is not None
    assert after is not None
    assert before.graph == after.graph
    assert before.whole != after.whole
    with Predictor(copy) as predictor:
        found = predictor.card.calibration[CHECK_KEY]
        assert not selftest(predictor.backend, predictor.card, copy).violations
    assert found["passed"] is True
    assert found["data"]["images"] == 12
    assert [one["budget"] for one in found["budgets"]] == ["size.max_mb", "accuracy.min_percent"]
    assert found["budgets"][1]["low"] < found["budgets"][1]["value"] < found["budgets"][1]["high"]
    shown = call("info", copy).output
    assert "passed policy.toml (sha256 " in shown
    assert "on 12 images of scene:cups" in shown


def test_a_failed_check_is_written_too_and_a_copy_leaves_the_file_alone(copy: Path, tmp_path: Path) -> None:
    content, out = copy.read_bytes(), tmp_path / "out.onnx"
    result = call("check", copy, "--policy", policy(tmp_path, size=0.01), "--write-card", "--out", out)
    assert result.exit_code == 1
    assert copy.read_bytes() == content
    assert "failed policy.toml" in call("info", out).output


def test_a_file_of_the_package_is_not_changed(tmp_path: Path) -> None:
    result = call("check", "cups", "--policy", policy(tmp_path), "--write-card")
    assert result.exit_code == 2
    assert "belongs to the installed package; write a copy with --out" in result.output


def test_a_signature_is_kept_only_with_the_key(copy: Path, tmp_path: Path) -> None:
    pytest.importorskip("cryptography")
    key = tmp_path / "owner"
    assert call("sign", "--new-key", key).exit_code == 0
    assert call("sign", copy, "--key", key).exit_code == 0
    content, rules = copy.read_bytes(), policy(tmp_path)
    result = call("check", copy, "--policy", rules, "--write-card")
    assert result.exit_code == 2
    assert "is signed, and another card makes its signature invalid" in result.output
    assert copy.read_bytes() == content
    assert call("check", copy, "--policy", rules, "--write-card", "--key", key).exit_code == 0
    assert call("verify", copy, "--key", f"{key}.pub").exit_code == 0
    result = call("check", copy, "--policy", rules, "--write-card", "--force")
    assert result.exit_code == 0
    assert "warning: the file was signed" in result.output
    assert "is not signed" in call("verify", copy, "--key", f"{key}.pub").output


def test_a_damaged_result_is_refused_at_load() -> None:
    with Predictor(artifact("cups")) as predictor:
        card = predictor.card
    broken = card.replace(calibration={**card.calibration, CHECK_KEY: {"passed": True}})
    with pytest.raises(ArtifactError, match=r"calibration.check.schema is missing"):
        ModelCard.from_json(broken.to_json())


def test_a_model_card_is_made_from_a_check(copy: Path, tmp_path: Path) -> None:
    document, page = tmp_path / "check.json", tmp_path / "card.md"
    assert call("check", copy, "--policy", policy(tmp_path), "--json", document).exit_code == 0
    result = call("model-card", copy, "--from", document, "--out", page)
    assert result.exit_code == 0, result.output
    assert "mAP@50-95" in page.read_text()
    (tmp_path / "policy.toml").write_text("[size]\nmax_mb = 100\n")
    assert call("check", copy, "--policy", tmp_path / "policy.toml", "--json", document).exit_code == 0
    result = call("model-card", copy, "--from", document, "--out", page)
    assert result.exit_code == 2
    assert "measured nothing that a model card shows" in result.output
