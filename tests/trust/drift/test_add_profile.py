"""`edgecnn drift-profile`: the card of a file says what its data look like; the file stays whole."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from edgecnn.cli import main
from edgecnn.integrity.digest import check_digests
from edgecnn.reference_profile.profile import PROFILE_KEY, profile_of
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.runtime.model.selftest import selftest
from edgecnn.shipped import artifact, checkpoint
from edgecnn.trust.drift.learnt_file import learnt_path, read_learnt, write_learnt

DATA = "scene:cups?size=160x120&fps=1&cut=1&seed=3"


def call(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["drift-profile", *words])
    return done.exit_code, done.output + (done.stderr if done.stderr_bytes else "")


def test_a_file_gets_a_profile_and_stays_whole(tmp_path: Path) -> None:
    out = tmp_path / "cups.onnx"
    code, text = call("cups", "--data", DATA, "--limit", "30", "--out", str(out))
    assert code == 0, text
    assert "the profile of 30 images" in text
    assert "brightness" in text
    before, after = check_digests(artifact("cups")), check_digests(out)
    assert before is not None
    assert after is not None
    assert before.graph == after.graph
    assert before.whole != after.whole
    with Predictor(out) as predictor:
        profile = profile_of(predictor.card, "it")
        assert profile is not None
        assert (profile.source, profile.images) == ("data", 30)
        assert {"brightness", "boxes", "layout"} <= profile.ranges.keys()
        assert not selftest(predictor.backend, predictor.card, out).violations
        path = learnt_path(out, "door")
        assert path.parent == tmp_path
        write_learnt(path, predictor.card, profile)
        kept = read_learnt(path, predictor.card)
        assert kept is not None
        assert kept.digest == profile.digest
        assert read_learnt(path, predictor.card.replace(graph_sha256="of another model")) is None


def test_a_checkpoint_gets_a_profile_of_several_sets(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from edgecnn.models.checkpoint import load_checkpoint, read_card

    copy = tmp_path / "cups.safetensors"
    shutil.copy(checkpoint("cups"), copy)
    code, text = call(
        str(copy), "--data", DATA + "&count=40", "--data", "scene:cups?size=96x96&fps=1&cut=1&count=10", "--limit", "30"
    )
    assert code == 0, text
    profile = profile_of(read_card(copy), "it")
    assert profile is not None
    assert (profile.source, profile.images, profile.data) == ("data", 30, "scene:cups")
    _, card = load_checkpoint(copy)  # which compares the digest of the weights
    assert card.training.keys() >= read_card(checkpoint("cups")).training.keys() - {PROFILE_KEY}


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("cups",), "belongs to the installed package; write a copy with --out"),
        (("bearing", "--out", "b.onnx"), "describes images, but the model bearing takes signals"),
        (("cups", "--out", "c.tflite"), "has another suffix than cups.onnx"),
    ],
)
def test_what_can_not_have_a_profile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], problem: str
) -> None:
    monkeypatch.chdir(tmp_path)
    code, text = call(*words, "--data", DATA)
    assert code == 2
    assert problem in text.replace("\n", " ")
    assert not list(tmp_path.iterdir())


def test_few_images_are_no_reference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgecnn.trust.drift.add_profile.LEAST_IMAGES", 31)
    copy = tmp_path / "cups.onnx"
    shutil.copy(artifact("cups"), copy)
    content = copy.read_bytes()
    code, text = call(str(copy), "--data", DATA, "--limit", "30")
    assert (code, "has 30 images that can be read, fewer than 31" in text) == (2, True)
    assert copy.read_bytes() == content
