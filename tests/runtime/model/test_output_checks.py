"""Outputs that can't be right are said where a file is loaded, with the cause."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from edgecnn.cli import main
from edgecnn.errors import ArtifactError
from edgecnn.runtime.backends import open_backend
from edgecnn.runtime.model.card_inference import CardOptions, card_for
from edgecnn.runtime.model.description import describe
from edgecnn.runtime.model.output_checks import output_warnings
from edgecnn.runtime.model.output_ranges import output_ranges
from edgecnn.runtime.model.selftest import selftest_file
from edgecnn.runtime.model.wrap import WrapConfig, wrap
from tests.contracts.tiny import Graph, write

CELLS = 84  # of 64 x 64 pixels
UNIT = (1 / 256, -128)  # int8: 0 to 0.996, what a sigmoid gets
RAW = CardOptions(color="rgb", mean=(0.0,), std=(1.0,))


def file(
    folder: Path, shape: tuple[int, ...], quantized: tuple[float, int] | None = None, kind: str = "onnx", **fields: Any
) -> Path:
    """A file with one output of zeros that follows the image."""
    size = (1, 64, 64, 3) if kind == "tflite" else (1, 3, 64, 64)
    constant = fields.pop("constant", np.zeros(shape, np.float32))
    graph = Graph({"o": constant}, size, "float32", fields.pop("gain", 0.001), {}, {} if quantized is None else {"o": quantized})
    return write(folder, kind, graph, **fields)


def warnings(path: Path, *, probe: bool = False, **options: Any) -> tuple[str, ...]:
    backend = open_backend(path)
    try:
        given = CardOptions(**{"color": "rgb", "mean": (0.0,), "std": (1.0,), **options})
        return output_warnings(backend, card_for(backend, path, given), path, probe=probe)
    finally:
        backend.close()


@pytest.mark.parametrize("kind", ["onnx", "openvino", "tflite"])
def test_the_range_of_a_quantized_output(kind: str, tmp_path: Path) -> None:
    path = file(tmp_path, (1, CELLS, 7), (0.05, -100), kind)
    backend = open_backend(path)
    (found,) = output_ranges(backend, path).values()
    backend.close()
    np.testing.assert_allclose([found.low, found.high, found.step], [-1.4, 11.35, 0.05], rtol=1e-5)


@pytest.mark.parametrize("kind", ["onnx", "openvino", "tflite"])
def test_a_float_output_has_no_range(kind: str, tmp_path: Path) -> None:
    path = file(tmp_path, (1, CELLS, 7), kind=kind)
    backend = open_backend(path)
    assert output_ranges(backend, path) == {}
    backend.close()


@pytest.mark.parametrize("kind", ["onnx", "openvino", "tflite"])
def test_one_scale_for_boxes_and_scores_is_told(kind: str, tmp_path: Path) -> None:
    (found,) = warnings(file(tmp_path, (1, CELLS, 7), UNIT, kind), labels=Path("a,b"))
    assert "results of tiny" in found
    assert "can't be right: boxes and scores share one quantization scale: its output o can only be 0 to 0.996" in found
    assert "\n" not in found


@pytest.mark.parametrize("kind", ["onnx", "openvino", "tflite"])
def test_coarse_steps_of_scores_are_told_in_one_line(kind: str, tmp_path: Path) -> None:
    path = file(tmp_path, (1, CELLS, 7), (0.12, -40), kind)
    (found,) = warnings(path, labels=Path("a,b"))
    assert found.startswith(
        f"the results of {path.name} are worse than those of its float model: boxes and scores share one quantization scale, "
        "so the smallest step of a score is 0.12; quantize the file again"
    )
    assert "\n" not in found


@pytest.mark.parametrize("kind", ["onnx", "openvino", "tflite"])
def test_a_wrapped_file_still_says_it(kind: str, tmp_path: Path) -> None:
    """Its goldens are its own outputs, with which it agrees."""
    out = tmp_path / "out"
    out.mkdir()
    given = CardOptions(color="rgb", mean=(0.0,), std=(1.0,), labels=Path("a,b"))
    done = wrap(WrapConfig(file=file(tmp_path, (1, CELLS, 7), (0.12, -40), kind, gain=1.0), out=out, options=given))
    _, result = selftest_file(done.path)
    assert not result.violations
    assert result.warnings == done.warnings == describe(done.path).warnings
    (said,) = [line for line in CliRunner().invoke(main, ["selftest", str(done.path)]).output.splitlines() if "warning" in line]
    assert said == f"warning: {result.warnings[0]}"


@pytest.mark.parametrize(
    ("shape", "quantized", "options", "cause"),
    [
        pytest.param((1, CELLS, 7), UNIT, {"labels": Path("a,b")}, "need negative values", id="yolox-0-to-1"),
        pytest.param((1, CELLS, 7), (0.05, -40), {"labels": Path("a,b")}, "", id="yolox"),
        pytest.param((1, 6, CELLS), (2.5, -128), {"labels": Path("a,b")}, "hardly be other than 0 or 1", id="yolo-scores-coarse"),
        pytest.param((1, 6, CELLS), (0.1, -128), {"labels": Path("a,b")}, "but boxes reach 64 pixels", id="yolo-boxes-cut"),
        pytest.param((1, 6, CELLS), (0.24, -128), {"labels": Path("a,b")}, "smallest step of a score is 0.24", id="yolo-steps"),
        pytest.param((1, CELLS, 7), (0.12, -40), {"labels": Path("a,b")}, "smallest step of a score is 0.12", id="yolox-steps"),
        pytest.param((1, CELLS, 7), (0.09, -40), {"labels": Path("a,b")}, "", id="yolox-fine-enough"),
        pytest.param((1, 6, CELLS), UNIT, {"labels": Path("a,b")}, "", id="yolo-fractions"),
        pytest.param((1, 6, CELLS), (0.0005, -128), {"labels": Path("a,b")}, "no score reaches the threshold", id="yolo-below"),
        pytest.param((1, 3), UNIT, {"labels": Path("a,b,c")}, "", id="probabilities"),
        pytest.param((1, 3), (0.5, -128), {"labels": Path("a,b,c"), "decode": "probabilities"}, "too coarse", id="coarse"),
        pytest.param((1, 3), (0.5, 0), {"labels": Path("a,b,c")}, "", id="logits"),
        pytest.param((1, 1), (0.5, 0), {"task": "regress"}, "", id="value"),
    ],
)
def test_ranges_that_do_not_hold_the_results(
    shape: tuple[int, ...], quantized: tuple[float, int], options: dict[str, Any], cause: str, tmp_path: Path
) -> None:
    found = warnings(file(tmp_path, shape, quantized), score_threshold=0.25, **options)
    assert len(found) == bool(cause)
    assert cause in "".join(found)


@pytest.mark.parametrize(
    ("constant", "gain", "cause"),
    [
        pytest.param([[1.0, 2.0, 3.0]], 0.0, "the same for every image", id="constant"),
        pytest.param([[np.nan] * 3], 1.0, "its outputs are NaN", id="nan"),
        pytest.param([[1.0, 2.0, np.nan]], 1.0, "", id="one-nan"),
        pytest.param([[1.0, 2.0, 3.0]], 1.0, "", id="alive"),
    ],
)
def test_outputs_that_ignore_the_image(constant: list[list[float]], gain: float, cause: str, tmp_path: Path) -> None:
    path = file(tmp_path, (1, 3), constant=np.array(constant, np.float32), gain=gain)
    found = warnings(path, probe=True, labels=Path("a,b,c"))
    assert len(found) == bool(cause)
    assert cause in "".join(found)
    assert warnings(path, labels=Path("a,b,c")) == ()  # a run does not spend the time


@pytest.mark.parametrize("score", [0.0, 0.9])
def test_a_graph_with_nms_may_find_nothing(score: float, tmp_path: Path) -> None:
    table = np.zeros((1, 5, 6), np.float32)
    table[0, 0, 4] = score
    found = warnings(file(tmp_path, table.shape, constant=table, gain=0.0), probe=True, labels=Path("a,b"))
    assert len(found) == (score > 0)


def test_the_commands_say_it(tmp_path: Path) -> None:
    cv2 = pytest.importorskip("cv2")
    from edgecnn.live import CameraConfig, RunConfig, run

    path = file(tmp_path, (1, CELLS, 85), UNIT)  # COCO: no option is needed
    described = describe(path)
    assert [line for line in described.lines() if line.startswith("warning")]
    assert described.to_document()["warnings"] == list(described.warnings)
    with pytest.raises(ArtifactError, match=r"share one quantization scale.*; quantize the file again"):
        selftest_file(path)
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((64, 64, 3), np.uint8))
    log = io.StringIO()
    camera = CameraConfig(source=str(tmp_path / "a.png"), model=path)
    run(RunConfig(cameras=(camera, camera), log="text"), out=io.StringIO(), err=log)
    assert log.getvalue().count("warning: the results of tiny.onnx can't be right") == 1


@pytest.mark.parametrize("name", ["cups", "person-face-vehicle"])
def test_shipped_int8_files_are_silent(name: str) -> None:
    from edgecnn import shipped

    path = shipped.artifact(name)
    backend = open_backend(path)
    card = card_for(backend, path, CardOptions()).replace(parity={})  # as if it had not been verified
    assert output_warnings(backend, card, path, probe=True) == ()
    backend.close()


@pytest.mark.parametrize(
    "text", [b"", b"DequantizeLinear", b"\x3a\x7fDequantizeLinear" * 9, bytes(range(256)) + b"DequantizeLinear"]
)
def test_a_file_that_can_not_be_read_has_no_ranges(text: bytes, tmp_path: Path) -> None:
    good = file(tmp_path, (1, CELLS, 7))
    backend = open_backend(good)
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(text)
    assert output_ranges(backend, broken) == {}
    backend.close()
