"""A card written into a file of another tool: from then on it runs, tests itself and is guarded like an exported one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from edgecnn.cli import main
from edgecnn.errors import ArtifactError, InputError
from edgecnn.integrity.digest import check_digests
from edgecnn.runtime.model.card_inference import CardOptions
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.runtime.model.selftest import selftest_file
from edgecnn.runtime.model.wrap import WrapConfig, wrap
from edgecnn.types import Classes
from tests.contracts.tiny import Graph, write

KINDS = ("onnx", "openvino", "tflite")
PACKAGES = {"onnx": "onnxruntime", "openvino": "openvino", "tflite": "ai_edge_litert"}
LABELS = "day,night,dusk"


def foreign(folder: Path, kind: str = "onnx", **changes: Any) -> Path:
    """A classifier without a card, as another tool makes it: the mean of the image decides."""
    pytest.importorskip(PACKAGES[kind])
    folder.mkdir(exist_ok=True)
    return write(folder, kind, Graph({"scores": np.array([[0.0, 1.0, 0.5]], np.float32)}, **changes))


def options(**changes: Any) -> CardOptions:
    given = {"task": "classify", "labels": Path(LABELS), "color": "rgb", "mean": (0.0,), "std": (1.0,)}
    return CardOptions(**{**given, **changes})


@pytest.mark.parametrize("kind", KINDS)
def test_a_wrapped_file_is_one_of_ours(kind: str, tmp_path: Path) -> None:
    file = foreign(tmp_path / "theirs", kind)
    before = file.read_bytes()
    (tmp_path / "mine").mkdir()
    done = wrap(WrapConfig(file=file, out=tmp_path / "mine" / file.name, options=options()))
    assert file.read_bytes() == before
    assert done.card.labels == ("day", "night", "dusk")
    digests = check_digests(done.path)
    assert digests is not None
    assert digests.graph == done.card.graph_sha256
    card, result = selftest_file(done.path)
    assert (card.precision, result.violations) == ("fp32", [])
    assert [row.kind for row in result.rows] == ["black", "noise", "gradient"]
    with Predictor(done.path) as predictor:
        found = predictor(np.zeros((8, 8, 3), np.uint8))
    assert isinstance(found, Classes)
    assert found.top1 == 1


def test_a_changed_weight_is_noticed_afterwards(tmp_path: Path) -> None:
    done = wrap(WrapConfig(file=foreign(tmp_path / "theirs"), out=tmp_path / "mine.onnx", options=options()))
    content = done.path.read_bytes()
    place = content.index(np.float32(0.5).tobytes())
    done.path.write_bytes(content[:place] + np.float32(0.75).tobytes() + content[place + 4 :])
    with pytest.raises(ArtifactError, match="are not those that were verified"):
        selftest_file(done.path)


def test_real_images_give_a_golden_with_the_prediction(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for value in (10, 200):
        cv2.imwrite(str(photos / f"{value}.png"), np.full((12, 9, 3), value, np.uint8))
    file = foreign(tmp_path / "theirs", gain=0.0)
    done = wrap(WrapConfig(file=file, out=tmp_path / "mine.onnx", options=options(), verify=f"{photos}?format=images"))
    assert done.kinds == ("real", "black", "noise", "gradient")
    assert isinstance(done.prediction, Classes)
    assert done.prediction.top1 == 1
    real = selftest_file(done.path)[1].rows[0]
    assert (real.kind, real.agree) == ("real", 1.0)


def test_the_original_is_changed_only_by_force(tmp_path: Path) -> None:
    file = foreign(tmp_path / "theirs")
    with pytest.raises(InputError, match="is not changed without --force"):
        wrap(WrapConfig(file=file, options=options()))
    assert wrap(WrapConfig(file=file, options=options(), force=True)).path == file
    with pytest.raises(InputError, match="has a card already"):
        wrap(WrapConfig(file=file, options=options(), force=True))


def test_nothing_is_written_over_another_file(tmp_path: Path) -> None:
    file, out = foreign(tmp_path / "theirs"), tmp_path / "mine.onnx"
    out.write_bytes(b"precious")
    with pytest.raises(InputError, match=r"mine\.onnx exists already"):
        wrap(WrapConfig(file=file, out=out, options=options()))
    with pytest.raises(InputError, match="has another suffix"):
        wrap(WrapConfig(file=file, out=tmp_path / "mine.tflite", options=options()))
    assert out.read_bytes() == b"precious"
    assert not (tmp_path / "mine.tflite").exists()


def test_a_missing_option_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    file = foreign(tmp_path / "theirs")
    with pytest.raises(InputError, match="give --labels, or --task classify"):
        wrap(WrapConfig(file=file, out=tmp_path / "mine.onnx"))
    assert not (tmp_path / "mine.onnx").exists()


def test_outputs_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    file = foreign(tmp_path / "theirs", gain=float("nan"))
    with pytest.raises(ArtifactError, match="NaN or infinite"):
        wrap(WrapConfig(file=file, out=tmp_path / "mine.onnx", options=options()))


def test_the_command_says_what_it_wrote(tmp_path: Path) -> None:
    file, out = foreign(tmp_path / "theirs"), tmp_path / "mine.onnx"
    given = ["--task", "classify", "--labels", LABELS, "--color", "rgb", "--mean", "0", "--std", "1"]
    result = CliRunner().invoke(main, ["wrap", str(file), "--out", str(out), *given], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert f"wrote      {out}" in result.output
    assert "day, night, dusk" in result.output
    tested = CliRunner().invoke(main, ["selftest", str(out)], catch_exceptions=False)
    assert "All goldens agree with the outputs recorded by edgecnn wrap." in tested.output
