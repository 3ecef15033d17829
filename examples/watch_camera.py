"""Prints what a camera sees and how old it is: python examples/watch_camera.py [SOURCE] [MODEL] [FRAMES]"""

import sys

import edgecnn

source, model, frames = (sys.argv[1:] + ["scene:cups", "cups", "20"][len(sys.argv) - 1 :])[:3]
with edgecnn.Predictor(model) as predictor:
    labels = predictor.card.labels
    for result in edgecnn.stream(source, predictor, max_frames=int(frames)):
        names = [labels[class_id] for class_id in result.prediction[result.prediction.score >= 0.3].class_id]
        print(f"frame {result.frame.index}: {', '.join(names) or 'nothing'}, {result.age_ms:.0f} ms old")
