"""Several cameras at once: fair, apart from each other, to be changed at run time, and with ledgers that balance in every end state."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from edgecnn.errors import BackendError, SourceError
from edgecnn.runtime.controls import Controls
from edgecnn.runtime.fake import FakePredictor, FakeSource, one_box
from edgecnn.runtime.ledger import Counts
from edgecnn.runtime.station import CameraPlan, Station
from edgecnn.types import Event, Image, Prediction, Result

LATE = 10.0


@pytest.fixture(autouse=True)
def no_thread_left() -> Iterator[None]:
    """Every test ends without a thread of the station."""
    yield
    wait_until(lambda: not [t.name for t in threading.enumerate() if t.name.startswith("edgecnn-")])


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.perf_counter() + LATE
    while not condition():
        assert time.perf_counter() < deadline, "waited in vain"
        time.sleep(0.002)


def brightness(image: Image) -> int:
    return int(image[0, 0, 0])


def by_camera(results: list[Result]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for result in results:
        found.setdefault(result.camera, []).append(result.frame.index)
    return found


def balances(counts: Counts) -> bool:
    return counts.captured == counts.processed + counts.dropped + counts.failed + counts.skipped


@pytest.mark.parametrize("workers", [1, 3])
def test_each_camera_has_its_results_in_order_and_none_is_lost(workers: int) -> None:
    def uneven(image: Image) -> Prediction:
        time.sleep(0.002 * (brightness(image) % 3))
        return one_box(image)

    predictor = FakePredictor(uneven)
    counts = {"a": 30, "b": 7, "c": 0, "d": 19}
    with Station([CameraPlan(name, FakeSource(n), predictor) for name, n in counts.items()], workers=workers) as station:
        found = by_camera(list(station))
    assert found == {name: list(range(n)) for name, n in counts.items() if n}
    assert {name: camera.ledger.counts() for name, camera in station.cameras.items()} == {
        name: Counts(captured=n, processed=n) for name, n in counts.items()
    }
    assert {camera.state for camera in station.cameras.values()} == {"ended"}


def test_cameras_with_models_of_their_own_do_not_wait_for_each_other() -> None:
    slow, quick = FakePredictor(delay=0.5), FakePredictor()
    with Station([CameraPlan("slow", FakeSource(None), slow), CameraPlan("quick", FakeSource(20), quick)]) as station:
        names = [result.camera for result, _ in zip(station, range(20), strict=False)]
    assert names.count("quick") >= 18


def test_a_fast_camera_does_not_starve_a_slow_one() -> None:
    shared = FakePredictor(delay=0.004)
    plans = [CameraPlan("file", FakeSource(None), shared), CameraPlan("slow", FakeSource(None, fps=20), shared)]
    with Station(plans) as station:
        seen: Counter[str] = Counter()
        for result in station:
            seen[result.camera] += 1
            if seen["slow"] == 12:
                break
        slow = station.cameras["slow"].ledger.counts()
    assert seen["file"] > seen["slow"]
    assert slow.dropped - slow.unfinished <= 2


def test_with_one_worker_cameras_take_turns() -> None:
    shared = FakePredictor(delay=0.002)
    with Station([CameraPlan(name, FakeSource(None), shared) for name in "abc"], max_frames=20) as station:
        order = [result.camera for result in station]
    assert Counter(order) == {"a": 20, "b": 20, "c": 20}
    assert max(abs(order[:30].count("a") - order[:30].count(name)) for name in "bc") <= 4


def test_a_camera_that_breaks_ends_alone_and_says_why() -> None:
    shared = FakePredictor()
    broken = FakeSource(3, error=SourceError("a frame", "a cut cable", "plug it in"))
    heard: list[Event] = []
    plans = [CameraPlan("good", FakeSource(40), shared), CameraPlan("bad", broken, shared)]
    with Station(plans, on_event=heard.append) as station:
        found = by_camera(list(station))
    assert found == {"good": list(range(40)), "bad": [0, 1, 2]}
    bad = station.cameras["bad"]
    assert (bad.state, bad.detail) == ("failed", "wanted a frame, found a cut cable: plug it in")
    assert isinstance(bad.error, SourceError)
    assert [(event.kind, event.camera) for event in heard] == [("camera-failed", "bad")]
    assert list(station.events) == heard


def test_where_all_cameras_broke_the_first_error_is_raised() -> None:
    shared = FakePredictor()
    plans = [CameraPlan(name, FakeSource(2, error=SourceError("a frame", name, "mend it")), shared) for name in ("one", "two")]
    with pytest.raises(SourceError, match="found one"), Station(plans) as station:
        list(station)
    assert {name: camera.ledger.counts().processed for name, camera in station.cameras.items()} == {"one": 2, "two": 2}


def failing_at(*places: int) -> Callable[[Image], Prediction]:
    def predict(image: Image) -> Prediction:
        if brightness(image) in places:
            raise BackendError("an inference", "a broken engine", "mend it")
        return one_box(image)

    return predict


def test_a_model_that_fails_on_a_file_ends_that_camera_alone() -> None:
    plans = [
        CameraPlan("bad", FakeSource(50), FakePredictor(failing_at(5))),
        CameraPlan("good", FakeSource(50), FakePredictor()),
    ]
    with Station(plans, workers=2) as station:
        found = by_camera(list(station))
    assert found == {"bad": [0, 1, 2, 3, 4], "good": list(range(50))}
    counts = station.cameras["bad"].ledger.counts()
    assert (counts.processed, counts.failed) == (5, 1)
    assert balances(counts)


def test_a_live_camera_outlives_single_failures_of_the_model_and_tells_of_them() -> None:
    source = FakeSource(30, fps=500)
    with Station([CameraPlan("a", source, FakePredictor(failing_at(3, 4, 20)), policy="all")]) as station:
        results = list(station)
    assert [result.frame.index for result in results] == [n for n in range(30) if n not in (3, 4, 20)]
    assert station.cameras["a"].ledger.counts() == Counts(captured=30, processed=27, failed=3)
    assert [event.kind for event in station.events] == ["inference-failed"] * 2
    assert [event.kind for event in results[3].events] == ["inference-failed"]


def test_a_model_that_always_fails_ends_a_live_camera() -> None:
    with (
        pytest.raises(BackendError),
        Station([CameraPlan("a", FakeSource(None, fps=500), FakePredictor(failing_at(*range(256))))]) as station,
    ):
        list(station)
    assert station.cameras["a"].ledger.counts().failed == 11


def test_workers_that_can_not_be_made_end_the_cameras_of_that_model_alone() -> None:
    class Broken(FakePredictor):
        def worker(self) -> Callable[[Image], tuple[Prediction, dict[str, float]]]:
            raise MemoryError("no room for buffers")

    plans = [CameraPlan("bad", FakeSource(None), Broken()), CameraPlan("good", FakeSource(10), FakePredictor())]
    with Station(plans, workers=2) as station:
        assert by_camera(list(station)) == {"good": list(range(10))}
        assert station.cameras["bad"].state == "failed"
        assert "no room" in station.cameras["bad"].detail


@dataclass
class Numbered:
    """A step that notes the order of what it sees, and can be told to fail."""

    stage: str = "track"
    fails_at: int | None = None
    seen: list[int] = field(default_factory=list)
    threads: set[int] = field(default_factory=set)

    def __call__(self, result: Result) -> Result:
        self.seen.append(result.frame.index)
        self.threads.add(threading.get_ident())
        if result.frame.index == self.fails_at:
            raise ZeroDivisionError("a step")
        return replace(result, events=(Event("seen", 0.0, result.camera, {"index": result.frame.index}),))


def test_steps_see_every_result_in_order_in_one_thread_and_their_time_is_booked() -> None:
    steps = {name: Numbered() for name in "ab"}
    predictor = FakePredictor()
    with Station([CameraPlan(n, FakeSource(25), predictor, steps=[step]) for n, step in steps.items()], workers=3) as station:
        results = list(station)
    assert all(step.seen == list(range(25)) and len(step.threads) == 1 for step in steps.values())
    assert all(result.stage_ms["track"] >= 0 and result.events[0].details["index"] == result.frame.index for result in results)
    assert station.cameras["a"].stats().stage_ms["track"].count == 25
    assert Counter(event.camera for event in station.events) == {"a": 25, "b": 25}


def test_a_step_that_raises_ends_its_file_and_no_other() -> None:
    plans = [
        CameraPlan("bad", FakeSource(20), FakePredictor(), steps=[Numbered(fails_at=4)]),
        CameraPlan("good", FakeSource(20), FakePredictor()),
    ]
    with Station(plans) as station:
        assert by_camera(list(station)) == {"bad": [0, 1, 2, 3], "good": list(range(20))}
    assert station.cameras["bad"].ledger.counts().failed == 1
    assert balances(station.cameras["bad"].ledger.counts())


def test_every_nth_frame_is_looked_at_and_the_others_are_skipped() -> None:
    with Station([CameraPlan("a", FakeSource(10), FakePredictor(), every=3)]) as station:
        assert by_camera(list(station)) == {"a": [0, 3, 6, 9]}
    assert station.cameras["a"].ledger.counts() == Counts(captured=10, processed=4, skipped=6)


def test_max_frames_counts_what_was_looked_at() -> None:
    with Station([CameraPlan("a", FakeSource(None), FakePredictor(), every=3)], max_frames=4) as station:
        assert by_camera(list(station)) == {"a": [0, 3, 6, 9]}
    counts = station.cameras["a"].ledger.counts()
    assert counts == Counts(captured=10, processed=4, skipped=6)


def test_max_fps_of_a_file_counts_by_its_own_frame_rate() -> None:
    source = FakeSource(30)
    source.fps = 30.0
    with Station([CameraPlan("a", source, FakePredictor(), max_fps=10)]) as station:
        assert by_camera(list(station)) == {"a": list(range(0, 30, 3))}


def test_max_fps_of_a_camera_skips_frames() -> None:
    with Station([CameraPlan("a", FakeSource(60, fps=200), FakePredictor(), max_fps=20)]) as station:
        got = len(list(station))
    counts = station.cameras["a"].ledger.counts()
    assert 1 < got < 30
    assert counts.skipped >= 30
    assert balances(counts)


def test_a_gate_decides_in_the_capture_thread() -> None:
    names: set[str] = set()

    def bright(image: Image) -> bool:
        names.add(threading.current_thread().name)
        return brightness(image) >= 5

    with Station([CameraPlan("a", FakeSource(8), FakePredictor(), gate=bright)]) as station:
        assert by_camera(list(station)) == {"a": [5, 6, 7]}
    assert station.cameras["a"].ledger.counts() == Counts(captured=8, processed=3, skipped=5)
    assert names == {"edgecnn-capture-a"}


@pytest.mark.parametrize("wrong", [{"every": 0}, {"max_fps": 0.0}], ids=str)
def test_numbers_that_make_no_sense_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="every of 1 or more"):
        Station([CameraPlan("a", FakeSource(1), FakePredictor(), **wrong)])  # type: ignore[arg-type]


def test_two_cameras_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="'a' twice"):
        Station([CameraPlan("a", FakeSource(1), FakePredictor()) for _ in range(2)])


def test_results_older_than_allowed_are_counted_and_told_once_a_stretch() -> None:
    with Station([CameraPlan("a", FakeSource(5), FakePredictor(delay=0.02), max_age_ms=10.0)]) as station:
        results = list(station)
    camera = station.cameras["a"]
    assert camera.late == camera.stats().late == 5
    assert [event.kind for event in station.events] == ["late"]
    assert [len(result.events) for result in results] == [1, 0, 0, 0, 0]
    assert results[0].events[0].details["max_age_ms"] == 10.0


def test_a_paused_camera_is_read_and_not_looked_at() -> None:
    controls = Controls()
    with Station([CameraPlan("a", FakeSource(None, fps=200), FakePredictor())], controls=controls) as station:
        results = iter(station)
        next(results)
        camera = station.cameras["a"]
        assert camera.state == "live"
        controls.change(paused=frozenset({"a"}))
        assert station.cameras["a"].state == "paused"
        before = camera.ledger.counts().skipped
        wait_until(lambda: camera.ledger.counts().skipped > before + 5)
        controls.change(paused=frozenset())
        seen = camera.ledger.counts().captured
        assert max(next(results).frame.index for _ in range(5)) >= seen
    assert balances(camera.ledger.counts())


def test_a_paused_file_waits() -> None:
    controls = Controls()
    with Station([CameraPlan("a", FakeSource(60), FakePredictor())], controls=controls) as station:
        results = iter(station)
        first = next(results).frame.index
        controls.change(paused=frozenset({"a"}))
        time.sleep(0.1)
        captured = station.cameras["a"].ledger.counts().captured
        time.sleep(0.1)
        assert station.cameras["a"].ledger.counts().captured == captured
        threading.Timer(0.05, lambda: controls.change(paused=frozenset())).start()
        rest = [result.frame.index for result in results]
    assert [first, *rest] == list(range(60))


def test_cameras_come_and_go_at_run_time() -> None:
    shared = FakePredictor()
    with Station([CameraPlan("a", FakeSource(None, fps=300), shared)], stay=True) as station:
        results = iter(station)
        assert next(results).camera == "a"
        station.add(CameraPlan("b", FakeSource(None, fps=300), shared))
        wait_for(results, "b")
        gone = station.remove("a")
        assert (gone.state, gone.ledger.counts().in_flight) == ("ended", 0)
        assert "a" not in station.cameras
        assert all(next(results).camera == "b" for _ in range(10))
        station.add(CameraPlan("a", FakeSource(None, fps=300), FakePredictor()))
        wait_for(results, "a")
        station.remove("b")
        wait_until(lambda: "edgecnn-capture-b" not in {thread.name for thread in threading.enumerate()})
    assert [balances(camera.ledger.counts()) for camera in (gone, *station.cameras.values())] == [True, True]


def wait_for(results: Iterator[Result], name: str) -> None:
    assert any(next(results).camera == name for _ in range(200))


def test_removing_the_last_camera_ends_the_iteration_unless_it_stays() -> None:
    with Station([CameraPlan("a", FakeSource(None), FakePredictor())]) as station:
        for _ in station:
            if "a" in station.cameras:
                station.remove("a")
    assert not station.cameras


def test_a_removed_camera_frees_the_workers_of_its_model() -> None:
    plans = [
        CameraPlan("a", FakeSource(None, fps=100), FakePredictor()),
        CameraPlan("b", FakeSource(None, fps=100), FakePredictor()),
    ]
    with Station(plans) as station:
        next(iter(station))
        station.remove("a")
        wait_until(lambda: sum(t.name.startswith("edgecnn-infer") for t in threading.enumerate()) == 1)


class Telling(FakeSource):
    """A source with something to tell and a state of its own."""

    told = False

    def __init__(self) -> None:
        super().__init__(None, fps=50)
        self.state, self.detail = "lost", "no route to host"

    def take_events(self) -> list[Event]:
        told, self.told = self.told, True
        return [] if told else [Event("camera-lost", 1.0)]


def test_events_of_a_source_are_told_at_once_and_go_with_its_next_result() -> None:
    heard: list[Event] = []
    with Station([CameraPlan("a", Telling(), FakePredictor())], on_event=heard.append) as station:
        first = next(iter(station))
        assert (station.cameras["a"].state, station.cameras["a"].detail) == ("lost", "no route to host")
        results = [first, *(result for result, _ in zip(station, range(5), strict=False))]
    assert [(event.kind, event.camera) for event in heard] == [("camera-lost", "a")]
    assert [event.kind for result in results for event in result.events] == ["camera-lost"]


def test_a_camera_without_a_frame_is_waiting() -> None:
    with Station([CameraPlan("a", FakeSource(None, fps=0.01), FakePredictor())]) as station:
        station.add(CameraPlan("b", FakeSource(0), FakePredictor()))
        wait_until(lambda: station.cameras["a"].ledger.counts().captured == 1)
        assert station.cameras["a"].state == "live"
    assert Station([CameraPlan("a", FakeSource(1), FakePredictor())]).cameras["a"].state == "waiting"


@dataclass
class Chance:
    """What may go wrong in one run, drawn by a seed."""

    seed: int

    def plan(self, name: str, rng: random.Random, shared: FakePredictor) -> CameraPlan:
        live = rng.random() < 0.5
        error = SourceError("a frame", "chance", "try again") if rng.random() < 0.3 else None
        source = FakeSource(
            rng.choice([None, 0, 1, 25]) if not error else 12,
            fps=rng.choice([200.0, 1000.0]) if live else None,
            size=(8, 8),
            unreadable=frozenset(rng.sample(range(20), rng.choice([0, 4]))),
            error=error,
        )
        own = FakePredictor(failing_at(*rng.sample(range(30), rng.choice([0, 0, 3]))), delay=rng.choice([0, 0.002]))
        return CameraPlan(
            name,
            source,
            rng.choice([shared, own]),
            policy=rng.choice([None, "latest", "all"]),
            steps=[Numbered(fails_at=rng.choice([None, None, 7]))],
            every=rng.choice([1, 1, 2]),
            max_fps=rng.choice([None, 100.0]),
            gate=rng.choice([None, lambda image: brightness(image) % 3 > 0]),
        )


@pytest.mark.parametrize("seed", range(25))
def test_ledgers_balance_in_every_end_state(seed: int) -> None:
    """Random sources, failures, policies, and ways to end; whatever happens, each frame has one fate and no thread is left."""
    rng = random.Random(seed)
    shared = FakePredictor(delay=rng.choice([0, 0.001]))
    plans = [Chance(seed).plan(f"c{n}", rng, shared) for n in range(rng.choice([1, 2, 4]))]
    station = Station(plans, workers=rng.choice([1, 3]), max_frames=rng.choice([None, 15]))
    gone = []
    end = rng.choice(["break", "stop", "remove", "raise"])
    limit, until = rng.randrange(60), time.perf_counter() + 0.5
    heads: Counter[str] = Counter()
    try:
        with station:
            timer = threading.Timer(0.5, station.stop)
            timer.start()
            for count, result in enumerate(station):
                heads[result.camera] += 1
                if count == limit and end == "remove":
                    gone.append(station.remove(result.camera))
                elif count == limit and end == "raise":
                    raise ZeroDivisionError
                elif count == limit and end == "stop":
                    station.stop()
                elif (count == limit and end == "break") or time.perf_counter() > until:
                    break
            left = time.perf_counter()
    except (SourceError, BackendError, ZeroDivisionError):
        left = time.perf_counter()
    timer.cancel()
    timer.join()
    assert time.perf_counter() - left < 2 + LATE / 2
    assert station.stuck == []
    for camera in (*gone, *station.cameras.values()):
        counts = camera.ledger.counts()
        assert balances(counts), counts
        assert counts.in_flight == 0
        assert abs(counts.processed - heads[camera.name]) <= 0
        assert camera.state in ("ended", "failed")
        assert np.isfinite(camera.stats().throughput)


def test_a_watchdog_is_fed_while_no_frame_comes() -> None:
    turns: list[float] = []
    plan = CameraPlan("a", FakeSource(None, fps=0.02), FakePredictor())
    with Station([plan], on_turn=lambda: turns.append(time.perf_counter())) as station:
        timer = threading.Timer(1.0, station.stop)
        timer.start()
        assert len(list(station)) == 1
        timer.join()
    assert len(turns) >= 2


@pytest.mark.parametrize("workers", [1, 2])
def test_a_model_that_hangs_does_not_hold_the_caller(workers: int) -> None:
    released, reached = threading.Event(), threading.Event()

    def hangs(image: Image) -> Prediction:
        if brightness(image) == 2:
            reached.set()
            released.wait(LATE)
        return one_box(image)

    plans = [CameraPlan("hangs", FakeSource(None), FakePredictor(hangs)), CameraPlan("good", FakeSource(30), FakePredictor())]
    with Station(plans, workers=workers) as station:
        found = by_camera([result for _, result in zip(range(32), station, strict=False)])
        assert reached.wait(LATE)
        left_at = time.perf_counter()
    assert time.perf_counter() - left_at < 2.5
    assert (found["hangs"], found["good"]) == ([0, 1], list(range(30)))
    assert station.stuck == ["edgecnn-infer-0"]
    assert balances(station.cameras["hangs"].ledger.counts())
    released.set()


def test_a_camera_that_falls_silent_ends_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()
    monkeypatch.setattr("edgecnn.runtime.fake.hang", lambda _: released.wait(LATE))
    monkeypatch.setattr("edgecnn.runtime.camera.GRACE_S", 0.1)
    shared = FakePredictor()
    plans = [
        CameraPlan("silent", FakeSource(None, hang=2, timeout=0.1), shared),
        CameraPlan("good", FakeSource(40, fps=20), shared),
    ]
    with Station(plans) as station:
        found = by_camera(list(station))
    released.set()
    assert found["silent"] == [0, 1]
    assert len(found["good"]) > 5
    assert station.cameras["silent"].state == "failed"
    assert "none for" in station.cameras["silent"].detail
    assert station.cameras["good"].error is None
