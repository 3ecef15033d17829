"""Two cameras that share one model; one that breaks does not stop the other: python examples/two_cameras.py [MODEL] [FRAMES]"""

import sys

import edgecnn

model, frames = (sys.argv[1:] + ["cups", "20"][len(sys.argv) - 1 :])[:2]
sources = {"left": "scene:cups?seed=1&fps=20", "right": "scene:cups?seed=2&fps=10"}
with edgecnn.Predictor(model) as predictor:
    setups = [
        edgecnn.CameraSetup(name, edgecnn.open_source(source), predictor, max_age_ms=200) for name, source in sources.items()
    ]
    with edgecnn.MultiCamera(setups, max_frames=int(frames)) as cameras:
        for result in cameras:
            print(f"{result.camera}: frame {result.frame.index}, {len(result.prediction)} objects")
    for name, camera in cameras.cameras.items():
        print(name, camera.state, camera.ledger.counts())
