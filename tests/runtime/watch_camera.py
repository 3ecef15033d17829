"""Watches an address through a pipeline for some seconds, and prints as JSON what came: run it where the network is."""

import itertools
import json
import sys
import threading

from edgecnn.runtime.fake import FakePredictor
from edgecnn.runtime.pipeline import Pipeline
from edgecnn.runtime.sources import Steadiness, open_source

address, seconds = sys.argv[1], float(sys.argv[2])
how = Steadiness(max_silence=2.0, first_wait=0.1, longest_wait=1.0, patience=30.0)
source = open_source(address, timeout=2.0, steady=how)
came, events = [], []
with Pipeline(source, FakePredictor()) as pipeline:
    timer = threading.Timer(seconds, pipeline.stop)
    timer.start()
    for result in pipeline:
        came.append(result.frame.captured_at)
        events += [event.kind for event in result.events]
    timer.cancel()
counts = pipeline.ledger.counts()
print(
    json.dumps(
        {
            "frames": len(came),
            "seconds": came[-1] - came[0] if came else 0.0,
            "longest_gap": max((later - earlier for earlier, later in itertools.pairwise(came)), default=0.0),
            "events": events + [event.kind for event in source.take_events()],
            "age_p99": pipeline.age_ms.summary().p99,
            "balance": counts.captured - counts.processed - counts.dropped - counts.failed - counts.skipped,
            "notes": source.notes,
            "state": source.state,
            "stuck": pipeline.stuck,
        }
    )
)
