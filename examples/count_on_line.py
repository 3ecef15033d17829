"""Counts objects that cross a line: python examples/count_on_line.py [SOURCE] [MODEL] [FRAMES]"""

import sys

import edgecnn

source, model, frames = (sys.argv[1:] + ["scene:cups?seed=8&fps=5", "cups", "60"][len(sys.argv) - 1 :])[:3]
line = edgecnn.parse_line("middle:0.5,0,0.5,1")
with edgecnn.Predictor(model) as predictor:
    counter = edgecnn.LineCounter([line], predictor.card.labels)
    steps = [edgecnn.Tracker(), counter]
    for result in edgecnn.stream(source, predictor, steps=steps, policy="all", max_frames=int(frames)):
        for event in result.events:
            print(f"frame {result.frame.index}: {event.details['label']} {event.details['track_id']} went {event.details['way']}")
print(counter.counts)
