"""Watches an address through a pipeline until its standard input ends: run it where the network is.

Prints "frames N" at the first and at every 25th frame, the kind of each event, and at the end what came, as JSON.
"""

import itertools
import json
import sys
import threading

from edgecnn.runtime.pipeline.single_camera import Pipeline
from edgecnn.runtime.sources import ReconnectOptions, open_source
from edgecnn.runtime.testing import FakePredictor

address, silence = sys.argv[1], float(sys.argv[2])
how = ReconnectOptions(max_silence_s=silence, initial_delay_s=0.1, max_delay_s=1.0, connect_timeout_s=120.0)
source = open_source(address, timeout=silence, reconnect=how)
came, events = [], []
with Pipeline(source, FakePredictor()) as pipeline:
    threading.Thread(target=lambda: (sys.stdin.read(), pipeline.stop()), daemon=True).start()
    for result in pipeline:
        came.append(result.frame.captured_at)
        for event in result.events:
            events.append(event.kind)
            print(event.kind, flush=True)
        if len(came) % 25 == 1:
            print("frames", len(came), flush=True)
counts = pipeline.ledger.counts()
print(
    json.dumps(
        {
            "frames": len(came),
            "longest_gap": max((later - earlier for earlier, later in itertools.pairwise(came)), default=0.0),
            "events": events + [event.kind for event in source.take_events()],
            "balance": counts.captured - counts.processed - counts.dropped - counts.failed - counts.skipped,
            "state": source.state,
            "stuck": pipeline.stuck,
        }
    ),
    flush=True,
)
