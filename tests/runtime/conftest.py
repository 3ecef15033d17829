"""Fixtures of the tests of the runtime."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from tests.runtime.pipeline.harness import wait_until


@pytest.fixture
def no_thread_left() -> Iterator[None]:
    """The test ends without a thread of a pipeline."""
    yield
    wait_until(lambda: not [t.name for t in threading.enumerate() if t.name.startswith("edgecnn-")])
