"""Zones: events, counts and overlays to the last field; edges, hysteresis and lost tracks."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from edgecnn.runtime.steps.zone_counter import ZoneCounter, parse_zone
from edgecnn.types import Detections, Event, Overlay
from tests.runtime.steps.results import EARLIER, LABELS, box, new_events, new_overlays, result

# zones: "desk" is 100 to 300 wide and 50 to 150 high


def zones(*texts: str, **options: Any) -> ZoneCounter:
    made = [parse_zone(text) for text in texts or ("desk:100,50,300,50,300,150,100,150",)]
    return ZoneCounter(made, LABELS, **options)


def test_a_zone_gives_whole_events_and_overlays_after_those_before_it() -> None:
    step = zones()
    step(result(box(50, 100, 7), 0))
    inside = step(result(box(200, 100, 7, class_id=1), 1))
    assert new_events(inside) == [
        asdict(Event("zone-entered", 0.1, "door", {"zone": "desk", "track_id": 7, "label": "car", "frame": 1}))
    ]
    corners = ((100, 50), (300, 50), (300, 150), (100, 150))
    assert new_overlays(inside) == [
        asdict(Overlay("desk", corners, True, {"inside": {"car": 1}, "entered": {"car": 1}, "left": {}}))
    ]
    gone = step(result(box(350, 100, 7, class_id=1), 4))
    details = {"zone": "desk", "track_id": 7, "label": "car", "frame": 4, "dwell_s": 0.3}
    assert new_events(gone) == [asdict(Event("zone-left", 0.4, "door", details))]
    assert gone.overlays[1].counts == {"inside": {}, "entered": {"car": 1}, "left": {"car": 1}}


def test_a_zone_in_parts_of_the_image() -> None:
    step = zones("half:0,0,0.5,0,0.5,1,0,1")
    assert step(result(box(199, 100))).events[1].kind == "zone-entered"
    assert step(result(box(100, 100))).overlays[1].points == ((0, 0), (200, 0), (200, 200), (0, 200))
    assert [event.kind for event in zones("half:0,0,0.5,0,0.5,1,0,1")(result(box(201, 100))).events] == ["earlier"]


def test_on_the_edge_is_inside() -> None:
    assert len(zones()(result(box(100, 100))).events) == 2
    assert len(zones()(result(box(99, 100))).events) == 1


def test_leaving_takes_a_part_of_the_height() -> None:
    """The hysteresis of 0.05 is 2 pixels of a box 40 high."""
    step = zones()
    step(result(box(200, 100), 0))
    assert len(step(result(box(302, 100), 1)).events) == 1
    assert step.counts["desk"]["inside"] == {"person": 1}
    assert step(result(box(303, 100), 2)).events[1].details["dwell_s"] == 0.2
    tall = zones(hysteresis=0.5)
    tall(result(box(200, 100), 0))
    assert len(tall(result(box(319, 100), 1)).events) == 1


def test_patience_with_who_is_not_seen() -> None:
    step = zones()
    step(result(box(200, 100), 0, at=5.0))
    assert len(step(result(Detections.empty(), 1, at=6.0)).events) == 1  # one second is not over
    left = step(result(Detections.empty(), 2, at=6.01)).events[1]
    assert (left.kind, left.at, left.details["dwell_s"]) == ("zone-left", 6.01, 0.0)
    soon = zones(lost_after_s=0.25)
    soon(result(box(200, 100), 0, at=5.0))
    assert len(soon(result(Detections.empty(), 1, at=5.3)).events) == 2


def test_a_label_follows_the_last_look() -> None:
    step = zones()
    step(result(box(200, 100), 0))
    step(result(box(200, 100, class_id=1), 1))
    assert step.counts["desk"] == {"inside": {"car": 1}, "entered": {"person": 1}, "left": {}}
    step(result(box(350, 100), 2))
    assert step.counts["desk"]["left"] == {"person": 1}


def test_two_tracks_and_two_zones_are_apart() -> None:
    step = zones("desk:100,50,300,50,300,150,100,150", "door:0,50,90,50,90,150,0,150")
    both = Detections.merge([box(200, 100, 1), box(50, 100, 2, class_id=1)])
    both = Detections(both.xyxy, both.score, both.class_id, np.array([1, 2]))
    events = step(result(both)).events[1:]
    assert [(event.details["zone"], event.details["track_id"]) for event in events] == [("desk", 1), ("door", 2)]
    assert step.counts["door"]["entered"] == {"car": 1}
    assert step.counts["desk"]["entered"] == {"person": 1}


def test_each_track_counts_once_in_a_zone() -> None:
    step = zones()
    for index, (x, first, second) in enumerate([(200, 4, 9), (350, 4, 9), (200, 4, 9), (350, 4, 9)]):
        both = Detections.merge([box(x, 100), box(x, 110)])
        step(result(Detections(both.xyxy, both.score, both.class_id, np.array([first, second])), index))
    assert step.counts["desk"] == {"inside": {}, "entered": {"person": 2}, "left": {"person": 2}}


def test_the_anchor_of_a_zone() -> None:
    """A box from 110 to 150 with its lower edge inside and its upper edge, too; then one with only the upper edge inside."""
    assert len(new_events(zones(anchor="top")(result(box(200, 180))))) == 1  # type: ignore[arg-type]
    assert len(new_events(zones()(result(box(200, 180))))) == 0


def test_dwell_is_rounded_to_milliseconds() -> None:
    step = zones()
    step(result(box(200, 100), 0, at=1.0))
    assert step(result(box(350, 100), 1, at=2.12345)).events[1].details["dwell_s"] == 1.123


def test_boxes_without_identities_enter_nothing() -> None:
    plain = Detections(box(200, 60).xyxy, np.float32([0.9]), np.array([0]))
    assert zones()(result(plain)).events == (EARLIER,)
