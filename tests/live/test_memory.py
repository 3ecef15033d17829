from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from edgecnn.live import memory
from edgecnn.live.memory import MemoryTrimmer, limit_pools, trim

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


@needs_glibc
def test_threads_share_two_pools() -> None:
    # malloc_info(3) lists the pools as heaps; another process, since the limit can't be lifted again
    code = (
        "import ctypes, sys, threading; from edgecnn.live.memory import limit_pools; sys.argv[1:] and limit_pools(); "
        "c = ctypes.CDLL(None); c.malloc.restype = c.fdopen.restype = ctypes.c_void_p; wait = threading.Barrier(9); "
        "threads = [threading.Thread(target=lambda: (c.malloc(100000), wait.wait())) for _ in range(8)]; "
        "[thread.start() for thread in threads]; wait.wait(); [thread.join() for thread in threads]; "
        "file = ctypes.c_void_p(c.fdopen(1, b'w')); c.malloc_info(0, file); c.fflush(file)"
    )
    environment = {name: value for name, value in os.environ.items() if name != "MALLOC_ARENA_MAX"}

    def pools(*words: str) -> int:
        done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, env=environment, check=True)
        return done.stdout.count("<heap nr=")

    assert pools() > 2
    assert pools("limited") == 2


def test_the_variable_of_the_user_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MALLOC_ARENA_MAX", "4")
    monkeypatch.setattr(ctypes, "CDLL", lambda name: pytest.fail("mallopt was called"))
    limit_pools()
