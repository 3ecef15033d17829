from __future__ import annotations

import ctypes
import threading
from pathlib import Path

import pytest

from edgecnn.live import memory
from edgecnn.live.memory import MemoryTrimmer, trim

needs_glibc = pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="the C library has no malloc_trim")


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@needs_glibc
def test_freed_memory_goes_back_to_the_system() -> None:
    # small blocks come from the pool of the thread; one that is kept at the end of the pool holds back all before it
    c = ctypes.CDLL(None)
    c.malloc.restype, c.malloc.argtypes, c.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
    blocks = [c.malloc(60_000) for _ in range(1000)]
    for block in blocks:
        ctypes.memset(block, 1, 60_000)
    kept = c.malloc(60_000)
    for block in blocks:
        c.free(block)
    before = resident_bytes()
    assert trim()
    assert resident_bytes() < before - 40_000_000
    c.free(kept)


def test_a_run_trims_again_and_again_and_ends_its_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    twice = threading.Semaphore(0)
    monkeypatch.setattr(memory, "trim", twice.release)
    with MemoryTrimmer(period_s=0.001):
        assert twice.acquire(timeout=10)
        assert twice.acquire(timeout=10)
    assert "edgecnn-trim" not in [thread.name for thread in threading.enumerate()]


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    assert not trim()
