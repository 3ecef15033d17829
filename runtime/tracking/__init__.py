"""Multi-object tracking: assigns the same id to the same object in successive frames."""

from __future__ import annotations

from edgecnn.runtime.tracking.bytetrack import ByteTrack, TrackOptions

__all__ = ["ByteTrack", "TrackOptions"]
