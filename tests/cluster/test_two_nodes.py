"""A cluster of two nodes on this machine: results are those of one process, also after a kill and a stop."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import pytest

pytest.importorskip("ray")
pytest.importorskip("pycocotools")

from ray.cluster_utils import Cluster

from edgecnn.benchmarks.measure.config import BenchmarkConfig
from edgecnn.benchmarks.measure.dataset_selection import DatasetSelection
from edgecnn.benchmarks.measure.evaluation import EvaluationConfig
from edgecnn.benchmarks.measure.protocol import Protocol
from edgecnn.cli.evaluate_one import on_cluster
from edgecnn.cluster import pool as pool_module
from edgecnn.cluster.connection import ClusterOptions, load_ray
from edgecnn.cluster.evaluation import evaluate_on_cluster
from edgecnn.cluster.node_benchmark import benchmark_nodes
from edgecnn.cluster.run import run_on_cluster
from edgecnn.errors import InputError, SourceError
from edgecnn.kept_parts import KeptParts
from edgecnn.live import AnalyticsConfig, CameraConfig, OutputConfig, RunConfig, run
from edgecnn.remote.benchmark import hosts_table
from edgecnn.runtime.sources import open_source
from edgecnn.shipped import artifact
from edgecnn.trust.accuracy.measure import evaluate_in_detail

TINY = Protocol("tiny", 4, 0.0, 2, 1, 0.1, warm_up_runs=1, warm_up_s=0.0, warm_up_limit_s=1.0, input_count=2)
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    load_ray()
    os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112 - as Ray spells it
    settings = {"num_cpus": 1, "object_store_memory": 80 << 20, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=settings)
    cluster.add_node(num_cpus=1, object_store_memory=80 << 20)
    yield cluster.address
    cluster.shutdown()


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("videos")
    return [write_scene(folder / f"clip{seed}.avi", seed, 130 if seed == 1 else 24) for seed in (1, 2, 3, 4)]


def write_scene(path: Path, seed: int, frames: int) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25.0, (160, 120))
    for frame in open_source(f"scene:cups?size=160x120&seed={seed}&count={frames}", paced=False):
        writer.write(frame.image)
    writer.release()
    return path


def settings(folder: Path, videos: list[Path], **analytics: Any) -> RunConfig:
    outputs = OutputConfig(jsonl=str(folder / "all.jsonl"), csv=str(folder / "all.csv"), coco=str(folder / "{camera}.json"))
    cameras = [
        CameraConfig(source=str(path), model=Path("cups"), outputs=outputs, analytics=AnalyticsConfig(**analytics))
        for path in videos
    ]
    return RunConfig(cameras=tuple(cameras), log="off", threads=1)


def lines(path: Path) -> list[dict[str, Any]]:
    """Results file by file, without what the clock says."""
    records = [json.loads(line) for line in path.read_text().splitlines()]
    for record in records:
        for name in ("time", "time_s", "stage_ms", "age_ms"):
            del record[name]
    return sorted(records, key=lambda record: str(record["camera"]))


def local(folder: Path, videos: list[Path], **analytics: Any) -> list[dict[str, Any]]:
    folder.mkdir()
    run(settings(folder, videos, **analytics), out=io.StringIO(), err=io.StringIO())
    return lines(folder / "all.jsonl")


def test_files_give_the_results_of_one_process_in_their_order(address: str, videos: list[Path], tmp_path: Path) -> None:
    expected = local(tmp_path / "local", videos)
    assert any(record["detections"] for record in expected)
    config = settings(tmp_path, videos)
    done = run_on_cluster(config, ClusterOptions(address=address, parts=tmp_path / "parts"))
    assert (done.workers, done.nodes, done.parts, done.frames) == (2, 2, 4, len(expected))
    assert lines(tmp_path / "all.jsonl") == expected
    order = [json.loads(line)["camera"] for line in (tmp_path / "all.jsonl").read_text().splitlines()]
    assert order == sorted(order)
    assert json.loads((tmp_path / "clip2.json").read_text()) == json.loads((tmp_path / "local" / "clip2.json").read_text())
    assert len((tmp_path / "all.csv").read_text().splitlines()) == len((tmp_path / "local" / "all.csv").read_text().splitlines())
    assert not (tmp_path / "parts").exists()


def test_segments_of_one_file_give_the_results_of_one_process(address: str, videos: list[Path], tmp_path: Path) -> None:
    expected = local(tmp_path / "local", videos[:1])
    done = run_on_cluster(settings(tmp_path, videos[:1]), ClusterOptions(address=address, parts=tmp_path / "parts"))
    assert done.parts == 2
    assert lines(tmp_path / "all.jsonl") == expected


def test_a_tracked_file_stays_whole(address: str, videos: list[Path], tmp_path: Path) -> None:
    pytest.importorskip("lap")
    expected = local(tmp_path / "local", videos[:1], track=True)
    config = settings(tmp_path, videos[:1], track=True)
    assert run_on_cluster(config, ClusterOptions(address=address, parts=tmp_path / "parts")).parts == 1
    assert lines(tmp_path / "all.jsonl") == expected


def test_the_work_of_a_killed_worker_is_done_again(
    address: str, videos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pids: list[int] = []
    start = pool_module.NodeWorkers._start

    def started(self: Any, told: Any) -> None:
        start(self, told)
        pids.extend(node.pid for node in self.nodes)

    monkeypatch.setattr(pool_module.NodeWorkers, "_start", started)

    def kill_one(text: str) -> None:
        if "done" in text and pids:
            os.kill(pids.pop(), signal.SIGKILL)

    expected = local(tmp_path / "local", videos)
    run_on_cluster(settings(tmp_path, videos), ClusterOptions(address=address, parts=tmp_path / "parts"), progress=kill_one)
    assert len(pids) < 2, "a worker was killed"
    assert lines(tmp_path / "all.jsonl") == expected


def test_a_stopped_run_goes_on_from_its_parts(address: str, videos: list[Path], tmp_path: Path) -> None:
    expected = local(tmp_path / "local", videos)
    options, said = ClusterOptions(address=address, parts=tmp_path / "parts", workers=1), list[str]()
    done: list[str] = []
    first = run_on_cluster(
        settings(tmp_path, videos),
        options,
        stopped=lambda: len(done) >= 2,
        progress=lambda text: done.append(text) if "done" in text else None,
        told=said.append,
    )
    assert first.stopped
    assert "the same command goes on" in said[-1]
    second = run_on_cluster(settings(tmp_path, videos), options)
    assert second.kept >= 2
    assert lines(tmp_path / "all.jsonl") == expected
    # other options have other parts
    changed = dataclasses.replace(settings(tmp_path, videos), max_frames=5)
    assert run_on_cluster(changed, options).kept == 0


def test_a_broken_file_ends_alone(address: str, videos: list[Path], tmp_path: Path) -> None:
    broken = tmp_path / "broken.avi"
    broken.write_bytes(b"RIFF no video")
    said: list[str] = []
    options = ClusterOptions(address=address, parts=tmp_path / "parts")
    done = run_on_cluster(settings(tmp_path, [broken, videos[1]]), options, told=said.append)
    assert list(done.failed) == ["broken"]
    assert any("broken: failed" in line for line in said)
    assert done.frames == 24
    with pytest.raises(SourceError, match="can't be read as a video"):
        run_on_cluster(settings(tmp_path, [broken]), options)


def test_an_evaluation_gives_the_document_of_one_process(address: str, tmp_path: Path) -> None:
    config = EvaluationConfig(file=artifact("cups"), data=DatasetSelection("scene:cups?seed=5&count=40&size=160x120"), threads=1)
    found = evaluate_on_cluster(config, ClusterOptions(address=address, parts=tmp_path / "parts"))
    assert found.to_document() == evaluate_in_detail(config).to_document()


def test_a_benchmark_runs_on_each_node(address: str) -> None:
    config = BenchmarkConfig(files=(artifact("cups"),), clocks=("model",), protocol=TINY, throughput=False)
    records = benchmark_nodes(config, ClusterOptions(address=address))
    first, second = records
    assert str(second.address) == f"{first.address}-2"
    assert hosts_table(records).count("cups") == 2


def test_a_node_with_another_version_is_refused(
    address: str, videos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = pool_module.this_node()
    monkeypatch.setattr(pool_module, "this_node", lambda: dataclasses.replace(here, versions={**here.versions, "numpy": "9.9"}))
    with pytest.raises(InputError, match=r"has numpy .*, this machine 9\.9; install the same versions on all nodes"):
        run_on_cluster(settings(tmp_path, videos), ClusterOptions(address=address, parts=tmp_path / "parts"))


def test_an_interrupted_evaluation_says_how_it_goes_on(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = EvaluationConfig(file=artifact("cups"), data=DatasetSelection("scene:cups?seed=5&count=100&size=160x120"), threads=1)
    options = ClusterOptions(address=address, parts=tmp_path / "parts")
    put = KeptParts.put

    def put_and_interrupt(self: KeptParts, name: str, content: bytes) -> None:
        put(self, name, content)
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(KeptParts, "put", put_and_interrupt)
            with pytest.raises(
                InputError, match=r"interrupted; its finished parts are kept in .*parts; the same command goes on"
            ):
                on_cluster(config, options)
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(list((tmp_path / "parts").glob("*.part"))) == 1
    on_cluster(config, options)
