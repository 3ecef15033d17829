"""Shared fixtures: where the real data is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("busy", deadline=None)  # how long an example takes says only how busy the machine is
settings.load_profile("busy")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with real datasets, videos and models; the test is skipped where it is absent."""
    folder = Path(os.environ.get("EDGECNN_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}: set EDGECNN_DATA to a folder with the datasets")
    return folder
