"""Two cameras that share one model; one that breaks does not stop the other: python examples/two_cameras.py [MODEL] [FRAMES]"""

import sys

import edgecnn
from edgecnn.runtime.pipeline.multi_camera import CameraSetup, MultiCamera

model, frames = (sys.argv[1:] + ["cups", "20"][len(sys.argv) - 1 :])[:2]
sources = {"left": "scene:cups?seed=1&fps=20", "right": "scene:cups?seed=2&fps=10"}
with edgecnn.Predictor(model) as predictor:
    plans = [CameraSetup(name, edgecnn.open_source(source), predictor, max_age_ms=200) for name, source in sources.items()]
    with MultiCamera(plans, max_frames=int(frames)) as station:
        for result in station:
            print(f"{result.camera}: frame {result.frame.index}, {len(result.prediction)} objects")
    for name, camera in station.cameras.items():
        print(name, camera.state, camera.ledger.counts())
