"""Multi-object tracking: ids for boxes from frame to frame."""

from __future__ import annotations

from edgecnn.runtime.tracking.bytetrack import ByteTrack, TrackOptions

__all__ = ["ByteTrack", "TrackOptions"]
