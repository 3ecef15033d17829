from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def digits(make_digits: Callable[[int, int], Path]) -> Path:
    return make_digits(320, 60)
