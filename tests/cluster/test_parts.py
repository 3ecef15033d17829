"""Parts of a run without a cluster: how files are split, how results travel and are kept."""

from __future__ import annotations

import dataclasses
import gzip
import os
import pickle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from edgecnn.cluster.connection import ClusterOptions
from edgecnn.cluster.part_file import PartEnd, PartReader, PartWriter
from edgecnn.cluster.paths import absolute, absolute_camera, absolute_file
from edgecnn.cluster.pool import NodeWorkers, StoppedError
from edgecnn.cluster.run import ClusterRun, run_on_cluster
from edgecnn.cluster.run_plan import RunPart, check_config, check_source, plan_parts, state_of, with_videos
from edgecnn.cluster.run_worker import RunWorker
from edgecnn.cluster.versions import Node, check_same, this_node
from edgecnn.errors import InputError
from edgecnn.kept_parts import KeptParts, part_name, source_digest, tree_digest
from edgecnn.live import AnalyticsConfig, CameraConfig, OutputConfig, RunConfig
from edgecnn.packed_values import pack_values, unpack_values
from edgecnn.runtime.sources import open_source
from edgecnn.runtime.steps.line_counter import parse_line
from edgecnn.types import Detections, Event, Frame, Result


def write_video(path: Path, frames: int) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25.0, (64, 48))
    for index in range(frames):
        writer.write(np.full((48, 64, 3), index % 100, np.uint8))
    writer.release()
    return path


def config(
    *sources: object, analytics: dict[str, Any] | None = None, outputs: dict[str, Any] | None = None, **run: Any
) -> RunConfig:
    cameras = [
        CameraConfig(
            source=str(source),
            model=Path("cups"),
            analytics=AnalyticsConfig(**analytics or {}),
            outputs=OutputConfig(**outputs or {}),
        )
        for source in sources
    ]
    return RunConfig(cameras=tuple(cameras), **run)


def spans(settings: RunConfig, workers: int) -> list[tuple[int, int | None]]:
    sources = [open_source(camera.source) for camera in settings.cameras]
    return [(part.first, part.end) for part in plan_parts(settings, sources, workers)]


def test_a_video_is_split_only_where_there_are_fewer_files_than_workers(tmp_path: Path) -> None:
    one, two = (write_video(tmp_path / f"{name}.avi", 100) for name in "ab")
    assert spans(config(one), 1) == [(0, None)]
    assert spans(config(one), 2) == [(0, 64), (64, None)]
    assert spans(config(one, two), 2) == [(0, None), (0, None)]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"analytics": {"track": True}}, "tracks"),
        ({"analytics": {"lines": (parse_line("door:0,0,1,1"),)}}, "tracks"),
        ({"analytics": {"smooth_s": 1.0}}, "--smooth"),
        ({"analytics": {"motion": True}}, "--motion"),
        ({"max_frames": 70}, "--max-frames"),
    ],
)
def test_a_file_is_one_part_where_a_step_keeps_state(tmp_path: Path, changes: dict[str, Any], why: str) -> None:
    settings = config(write_video(tmp_path / "a.avi", 100), **changes)
    assert state_of(settings, settings.cameras[0]) == why
    assert spans(settings, 2) == [(0, None)]


def test_segments_begin_where_the_sampler_takes_a_frame(tmp_path: Path) -> None:
    settings = config(write_video(tmp_path / "a.avi", 200))
    camera = dataclasses.replace(settings.cameras[0], every=7)
    assert spans(dataclasses.replace(settings, cameras=(camera,)), 2) == [(0, 105), (105, None)]


@pytest.mark.parametrize("kind", ["video", "images"])
def test_segments_of_a_source_are_the_source(tmp_path: Path, kind: str) -> None:
    if kind == "video":
        path = write_video(tmp_path / "a.avi", 30)
    else:
        path = tmp_path / "images"
        path.mkdir()
        for index in range(30):
            cv2.imwrite(str(path / f"{index}.png"), np.full((48, 64, 3), index, np.uint8))
    whole, parts = list(open_source(path)), list[Frame]()
    for span in ((0, 10), (10, 25), (25, None), (90, None)):
        source = open_source(path)
        source.span = span
        parts += source
    assert [(one.index, one.media_time) for one in parts] == [(one.index, one.media_time) for one in whole]
    assert all(np.array_equal(a.image, b.image) for a, b in zip(whole, parts, strict=True))


def test_a_folder_of_videos_is_a_camera_for_each(tmp_path: Path) -> None:
    for name in ("b10", "b2"):
        write_video(tmp_path / f"{name}.avi", 2)
    assert [camera.name for camera in with_videos(config(tmp_path)).cameras] == ["b2", "b10"]
    assert [camera.name for camera in with_videos(config(tmp_path / "*.avi")).cameras] == ["b2", "b10"]
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((4, 4, 3), np.uint8))
    assert len(with_videos(config(tmp_path)).cameras) == 1


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"outputs": {"mqtt": "mqtt://localhost/a"}}, "--mqtt"),
        ({"duration_s": 3.0}, "--duration"),
        ({"auto": True}, "--auto"),
    ],
)
def test_options_that_need_one_machine_are_refused(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(InputError, match=f"{named} does not work with --ray"):
        check_config(config("a.avi", **changes))


@pytest.mark.parametrize("name", ["out", "snapshot", "clips"])
def test_pictures_are_refused_with_what_to_do(name: str) -> None:
    said = f"--{name} needs the images, .*; write the results with --jsonl or --csv; for pictures, run the same command without --ray"
    with pytest.raises(InputError, match=said):
        check_config(config("a.avi", outputs={name: "a"}))


def test_what_can_not_be_written_is_told_before_workers_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray")
    monkeypatch.setattr("edgecnn.cluster.run.connected", lambda _: pytest.fail("workers were started"))
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((4, 4, 3), np.uint8))
    (tmp_path / "taken").touch()
    run = config(tmp_path / "a.png", outputs={"csv": str(tmp_path)})
    with pytest.raises(InputError, match="can't write"):
        run_on_cluster(run, ClusterOptions(parts=tmp_path / "parts"))
    with pytest.raises(InputError, match="name another folder with --ray-parts"):
        run_on_cluster(config(tmp_path / "a.png"), ClusterOptions(parts=tmp_path / "taken"))


def test_a_live_source_is_refused() -> None:
    settings = config("scene:cups")
    with pytest.raises(InputError, match="works on files, and scene:cups"):
        check_source(settings.cameras[0], open_source("scene:cups"))


def result() -> Result:
    boxes = Detections(np.ones((2, 4), np.float32), np.full(2, 0.1, np.float32), np.arange(2))
    event = Event("line-crossed", 5.0, "door", {"name": "a"})
    return Result(Frame(7, 4.0, np.ones((3, 5, 3), np.uint8), 0.28), boxes, {"infer": 1.5}, 2.5, "door", (event,))


def test_a_result_comes_back_without_its_pixels() -> None:
    writer, sent = PartWriter(), result()
    writer.result(sent)
    writer.event(sent.events[0])
    end = PartEnd({"frames": 1}, ("broken", "mend it"), ("odd",))
    reader = PartReader(writer.finish(end))
    back, event = reader
    assert reader.end == end
    assert isinstance(back, Result)
    assert isinstance(event, Event)
    assert back.frame.image.shape == (3, 5, 3)
    assert not back.frame.image.any()
    assert (back.frame.index, back.frame.media_time, back.age_ms, back.camera) == (7, 0.28, 2.5, "door")
    assert isinstance(back.prediction, Detections)
    assert np.array_equal(back.prediction.score, result().prediction.score)  # type: ignore[attr-defined]
    assert back.frame.captured_at == pytest.approx(4.0, abs=0.5)  # the same clock in the same process
    assert event.kind == "line-crossed"


def test_values_come_back() -> None:
    number, error = unpack_values(pack_values([3, InputError("can't be read", "copy it")]))
    assert number == 3
    assert (error.problem, error.fix) == ("can't be read", "copy it")


@pytest.mark.parametrize("content", [b"no part", gzip.compress(b"cut"), gzip.compress(pickle.dumps(os.system))])
def test_a_changed_part_is_refused_and_calls_nothing(content: bytes) -> None:
    with pytest.raises(InputError, match="a finished part can't be read"):
        list(PartReader(content))


def test_parts_are_kept_until_they_are_removed(tmp_path: Path) -> None:
    kept = KeptParts(tmp_path / "parts")
    name = part_name(["a", 1])
    assert kept.find(name) is None
    kept.put(name, b"content")
    assert KeptParts(tmp_path / "parts").find(name) == b"content"
    kept.remove([name])
    assert not (tmp_path / "parts").exists()


def test_a_changed_source_has_another_digest(tmp_path: Path) -> None:
    file = tmp_path / "a.avi"
    file.write_bytes(b"one")
    before, folder = source_digest([file]), tree_digest(tmp_path)
    assert source_digest([file]) == before
    times = file.stat()
    file.write_bytes(b"two")
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert source_digest([file]) != before
    (tmp_path / "b.png").write_bytes(b"")
    assert tree_digest(tmp_path) != folder


def test_nodes_with_other_versions_are_refused() -> None:
    here = this_node()
    check_same(here, here)
    other = Node("node-b", 1, "", "x86", {**here.versions, "numpy": "1.0"})
    with pytest.raises(InputError, match=r"node node-b has numpy 1\.0, this machine .*; install the same versions"):
        check_same(here, other)
    # an engine that this machine or that node lacks does not matter
    check_same(here, Node("node-b", 1, "", "x86", {**here.versions, "openvino": ""}))


class SlowRay:
    """A Ray whose workers are never ready."""

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": 2.0}

    available_resources = cluster_resources

    def remote(self, _: type) -> Any:
        actor = SimpleNamespace(hello=SimpleNamespace(remote=object))
        return SimpleNamespace(options=lambda **_: SimpleNamespace(remote=lambda *_: actor))

    def wait(self, calls: list[Any], **_: Any) -> tuple[list[Any], list[Any]]:
        return [], calls


def test_a_stop_is_heeded_while_workers_start() -> None:
    stops = iter((False, False, True))
    with pytest.raises(StoppedError):
        NodeWorkers(SlowRay(), RunWorker, (), count=2, cpus=1, told=lambda _: None, stopped=lambda: next(stops))
    assert ClusterRun(parts=0, kept=0, stopped=True).text == "no worker was ready yet, and nothing was written"


def test_a_part_has_a_title() -> None:
    camera = CameraConfig(source="a.avi", model=Path("cups"), name="a")
    assert [RunPart(0, camera).title, RunPart(0, camera, 0, 9).title] == ["a", "a, frames 0 to 8"]


def test_paths_are_absolute_for_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.avi").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    assert absolute("a.avi") == str(tmp_path / "a.avi")
    assert absolute("a.avi?rate=3") == f"{tmp_path / 'a.avi'}?rate=3"
    assert [absolute_camera(camera).source for camera in config("*.avi", "a.avi", "scene:cups?seed=1").cameras] == [
        str(tmp_path / "*.avi"),
        str(tmp_path / "a.avi"),
        "scene:cups?seed=1",
    ]
    for other in ("scene:cups?seed=1", "rtsp://door/1", "fashion-mnist?split=val"):
        assert absolute(other) == other
    assert absolute_file(Path("cups")) == Path("cups")
