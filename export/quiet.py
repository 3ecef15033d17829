"""Silences converters: no printing, logging or warnings while they run."""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from typing import IO

NOISY_LOGGERS = ("nncf", "openvino", "torch", "onnxscript", "onnx_ir", "litert_torch", "jax", "absl", "root")
SETTINGS = {"LITERT_TORCH_SHOW_PROGRESS": "n", "TF_CPP_MIN_LOG_LEVEL": "3", "GLOG_minloglevel": "3", "TQDM_DISABLE": "1"}


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence third-party code: warnings, loggers, and what C++ writes to standard output and error.

    Wrap only calls into converters, never our own code, whose warnings would be lost.
    """
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    with warnings.catch_warnings(), _loggers_off(), _streams_off():
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def _loggers_off() -> Iterator[None]:
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


@contextlib.contextmanager
def _streams_off() -> Iterator[None]:
    """Redirect file descriptors 1 and 2 to a temporary file: C++ code does not use sys.stderr."""
    with tempfile.TemporaryFile() as sink, contextlib.ExitStack() as stack:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(ValueError):
                stream.flush()
        for descriptor in (1, 2):
            stack.callback(_restore, descriptor, os.dup(descriptor))
            os.dup2(sink.fileno(), descriptor)
        stack.enter_context(contextlib.redirect_stdout(_nowhere()))
        stack.enter_context(contextlib.redirect_stderr(_nowhere()))
        yield


@functools.cache
def _nowhere() -> IO[str]:
    """A stream for Python code, never closed: loggers made in a quiet block keep it."""
    return open(os.devnull, "w", encoding="utf-8", errors="replace")  # noqa: PTH123


def _restore(descriptor: int, saved: int) -> None:
    os.dup2(saved, descriptor)
    os.close(saved)
