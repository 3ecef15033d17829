"""Converts ``perf_counter`` seconds to wall-clock time."""

from __future__ import annotations

import time
from datetime import datetime, timezone

STAMP = r"\d{8}T\d{6}\.\d{3}Z"  # what file_stamp gives, as a regular expression


def wall_time(at: float) -> datetime:
    """Convert ``perf_counter`` seconds to UTC.

    Computed anew each time: a device without a real-time clock gets the date by NTP long after its start.
    """
    return datetime.fromtimestamp(time.time() - (time.perf_counter() - at), timezone.utc)


def stamp(at: float) -> str:
    """Format ``perf_counter`` seconds as ISO 8601 in UTC with milliseconds: 2026-11-23T19:05:01.123Z."""
    return wall_time(at).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def file_stamp(at: float) -> str:
    """Format ``perf_counter`` seconds for file names, which sort by time: 20261123T190501.123Z."""
    return stamp(at).replace("-", "").replace(":", "")
