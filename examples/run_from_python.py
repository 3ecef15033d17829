"""All that `edgecnn run` does, from Python: python examples/run_from_python.py [SOURCE] [MODEL] [FRAMES]"""

import sys

import edgecnn
from edgecnn.live import AnalyticsConfig, CameraConfig, OutputConfig, RunConfig, run

source, model, frames = (sys.argv[1:] + ["scene:cups?seed=8&fps=5", "cups", "60"][len(sys.argv) - 1 :])[:3]
camera = CameraConfig(
    name="table",
    source=source,
    model=model,
    policy="all",
    analytics=AnalyticsConfig(zones=(edgecnn.parse_zone("left:0,0,0.5,0,0.5,1,0,1"),)),
    outputs=OutputConfig(jsonl="results.jsonl", snapshot="last.png"),
)
summary = run(
    RunConfig(cameras=(camera,), max_frames=int(frames), log="off"),
    on_event=lambda event: print(event.kind, event.details["label"]),
)
statistics = summary["table"].statistics
print(
    f"{summary.end}: {statistics.ledger.processed} frames, {statistics.throughput_fps:.1f} frames/s, age {statistics.age_ms.p50:.0f} ms"
)
