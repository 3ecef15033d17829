"""Counts what crosses a line: python examples/count_on_line.py [SOURCE] [MODEL] [FRAMES]"""

import sys

import edgecnn
from edgecnn.runtime.steps.line_counter import LineCounter
from edgecnn.runtime.steps.shapes import parse_shape
from edgecnn.runtime.steps.tracker import Tracker

source, model, frames = (sys.argv[1:] + ["scene:cups?seed=8&fps=5", "cups", "60"][len(sys.argv) - 1 :])[:3]
line = parse_shape("middle:0.5,0,0.5,1", "line", least=2, most=2)
with edgecnn.Predictor(model) as predictor:
    lines = LineCounter([line], predictor.card.labels)
    for result in edgecnn.stream(source, predictor, steps=[Tracker(), lines], policy="all", max_frames=int(frames)):
        for event in result.events:
            print(f"frame {result.frame.index}: {event.details['label']} {event.details['track_id']} went {event.details['way']}")
print(lines.counts)
