"""An output of your own in a thread of its own, so that it never slows the run: python examples/own_output.py [SOURCE] [MODEL] [FRAMES]"""

import sys
import time

import edgecnn


class SlowPrinter:
    """Takes 50 ms for each result; new results wait in a queue, whose oldest is dropped when it is full."""

    def write(self, result: edgecnn.Result) -> None:
        """Take one result."""
        time.sleep(0.05)
        print(f"frame {result.frame.index}: {len(result.prediction)} objects")

    def close(self) -> None:
        """No more come."""
        print("done")


source, model, frames = (sys.argv[1:] + ["scene:cups", "cups", "30"][len(sys.argv) - 1 :])[:3]
output = edgecnn.QueuedSink(SlowPrinter(), name="printer", capacity=4)
for result in edgecnn.stream(source, model, max_frames=int(frames)):
    output.write(result)
output.close()
print(output.counts)
