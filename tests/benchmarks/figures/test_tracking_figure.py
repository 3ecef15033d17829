from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from edgecnn.benchmarks.figures.tracking import command
from edgecnn.errors import InputError

pytest.importorskip("lap")
pytest.importorskip("trackeval", reason="TrackEval is not installed: pip install --no-deps trackeval scipy")
pytest.importorskip("trackers", reason="the peer is not installed: pip install --no-deps trackers supervision")


@pytest.mark.slow
@pytest.mark.real_data
def test_tud_campus_is_tracked_at_least_as_well_as_by_the_peer(real_data: Path, tmp_path: Path) -> None:
    model = real_data / "models" / "yolox_nano_kazuhito" / "model" / "yolox_nano.onnx"
    words = [str(model), "--data", str(real_data / "mot15" / "TUD-Campus"), "--json", str(tmp_path / "a.json")]
    done = CliRunner().invoke(command, words, catch_exceptions=False)
    assert done.exit_code == 0
    rows = {row["name"]: row["score"] for row in json.loads((tmp_path / "a.json").read_text())["rows"]}
    for figure in ("mota", "idf1", "hota"):
        assert rows["edgecnn"][figure] >= max(rows["trackers"][figure], rows["trackers, our thresholds"][figure])


def sequence(folder: Path, fps: int | None = 7) -> Path:
    """Two who cross, without images; returns the file of detections, of which one score is weak."""
    rows = [(n, name, 100 + way * n, 50 + 200 * (name - 1)) for n in range(1, 21) for name, way in ((1, 6), (2, -3))]
    (folder / "gt").mkdir(parents=True)
    (folder / "gt" / "gt.txt").write_text("".join(f"{n},{name},{x},{y},30,80,1,0.5,0.5,0\n" for n, name, x, y in rows))
    if fps is not None:
        (folder / "seqinfo.ini").write_text(f"[Sequence]\nframeRate={fps}\n")
    found = folder / "det.txt"
    found.write_text("".join(f"{n},-1,{x},{y},30,80,{0.2 if n == 9 else 0.9},-1,-1,-1\n" for n, _, x, y in rows))
    return found


def test_a_sequence_needs_no_images_where_its_detections_are_given(tmp_path: Path) -> None:
    found = sequence(tmp_path / "two")
    words = ["--data", str(tmp_path / "two"), "--detections", str(found), "--rounds", "1", "--json", str(tmp_path / "a.json")]
    done = CliRunner().invoke(command, [*words, "--note", "made here"], catch_exceptions=False)
    assert done.exit_code == 0
    record = json.loads((tmp_path / "a.json").read_text())
    ours = record["rows"][0]["score"]
    assert (record["frames"], record["fps"], record["detections"]["file"], record["note"]) == (20, 7, "det.txt", "made here")
    assert (ours["boxes"], ours["identities"], ours["tracks"], ours["mota"], ours["idf1"]) == (40, 2, 2, 1, 1)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda folder: (folder / "seqinfo.ini").unlink(), "no seqinfo.ini with a frame rate; add --fps"),
        (lambda folder: (folder / "gt" / "gt.txt").unlink(), "neither gt/gt.txt nor gt.txt"),
        (lambda folder: (folder / "gt" / "gt.txt").write_text("1,1,2,3,4,5,0\n"), "no box of two counts"),
        (lambda folder: (folder / "det.txt").write_text("1,-1,2,3,4,5,0.01\n"), "no box with a score of 0.05 or more"),
    ],
)
def test_a_sequence_that_cannot_be_scored_is_refused(tmp_path: Path, change: Callable[[Path], object], problem: str) -> None:
    found = sequence(tmp_path / "two")
    change(tmp_path / "two")
    done = CliRunner().invoke(command, ["--data", str(tmp_path / "two"), "--detections", str(found)])
    assert isinstance(done.exception, InputError)
    assert problem in str(done.exception)


def test_detections_come_from_a_model_or_a_file(tmp_path: Path) -> None:
    done = CliRunner().invoke(command, ["--data", str(tmp_path)])
    assert str(done.exception) == "one of MODEL and --detections is needed; name a detector, or a file of detections"
