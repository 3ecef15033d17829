"""What the operating system or a package refused, as one line: memory, open files, threads, disk space, libraries that do not load."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from typing import Final

from edgecnn.errors import EdgeCnnError, InputError, LimitError, MissingExtraError, first_line

FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # disk full, quota exceeded, larger than the file system allows
MEMORY = re.compile(
    r"bad[_ ]?alloc|can(no|')t allocate memory|unable to allocate|not enough memory|out of memory|insufficient memory"
    r"|failed to (allocate|map segment)|cannot allocate",
    re.IGNORECASE,
)
THREADS = re.compile(
    r"can't start new thread|pthread_create|thread constructor failed|resource temporarily unavailable", re.IGNORECASE
)
FILES = re.compile(r"too many open files", re.IGNORECASE)
GIB: Final = 1 << 30


def limit_met(error: BaseException) -> LimitError | None:
    """The error for memory, open files or threads that ran out, where ``error`` or what caused it says so; else None."""
    for one in _causes(error):
        number = one.errno if isinstance(one, OSError) else None
        text = "" if isinstance(one, EdgeCnnError) else str(one)
        if isinstance(one, MemoryError) or number == errno.ENOMEM or MEMORY.search(text):
            return _memory(text)
        if number in (errno.EMFILE, errno.ENFILE) or FILES.search(text):
            allowed = _limit("RLIMIT_NOFILE")
            count = f"this process may open {allowed}" if allowed else "the limit of the system is met"
            return LimitError(f"too many files are open: {count}", "raise the limit, for example with ulimit -n 1024")
        if number == errno.EAGAIN or (not isinstance(one, OSError) and THREADS.search(text)):
            allowed = _limit("RLIMIT_NPROC")
            count = f"this user may have {allowed}" if allowed else "the limit of the system or container is met"
            return LimitError(
                f"no further thread or process can be started: {count}", "raise the limit (ulimit -u), or use fewer threads"
            )
    return None


def explain(error: BaseException) -> EdgeCnnError | None:
    """The one-line error for what the system refused or a package could not load; None for all else, which is a fault of edgecnn."""
    met = limit_met(error)
    if met is not None or isinstance(error, EdgeCnnError):
        return met or (error if isinstance(error, EdgeCnnError) else None)
    if isinstance(error, ImportError):
        return _import_problem(error)
    return _system_problem(error) if isinstance(error, OSError) else None


def _system_problem(error: OSError) -> EdgeCnnError:
    reason = (error.strerror or str(error) or type(error).__name__).lower()
    if error.errno is None and ".so" in reason:  # a library that ctypes could not load
        return InputError(f"a library can't be loaded: {first_line(error)}", "install the package that it belongs to again")
    if error.errno in FULL:
        return InputError(f"can't write {error.filename or 'a file'}: {reason}", "free some space, or name another place")
    if error.filename is not None:
        return InputError(f"can't use {error.filename}: {reason}", "check the path, its permissions and its file system")
    return InputError(f"the operating system refused an operation: {reason}", "check permissions, free space and limits")


def missing_extra(error: ImportError, package: str, extra: str) -> EdgeCnnError:
    """The error for an optional ``package`` (its name in the registry) that is absent, or that is there but can't be loaded."""
    met = limit_met(error)
    if met is not None:
        return met
    return MissingExtraError(package, extra, "" if isinstance(error, ModuleNotFoundError) else first_line(error))


def _import_problem(error: ImportError) -> EdgeCnnError:
    name = (error.name or "").partition(".")[0]
    if isinstance(error, ModuleNotFoundError):
        return InputError(
            f"the package {name or first_line(error)} is not installed", f"run: pip install {name or 'edgecnn[all]'}"
        )
    owner = f"the package {name}" if name else "a package"
    return InputError(
        f"{owner} is installed, but can't be loaded: {first_line(error)}",
        f"install it again: pip install --force-reinstall {name}",
    )


def _memory(text: str) -> LimitError:
    allowed = _limit("RLIMIT_AS") or _limit("RLIMIT_DATA")
    share = f": this process may use {allowed / GIB:.2g} GiB (ulimit -v)" if allowed else ""
    detail = f" ({text.strip().splitlines()[-1].strip()[:120]})" if text.strip() and not share else ""
    return LimitError(f"out of memory{share}{detail}", "raise the limit, or use a smaller model, input or batch")


def _limit(name: str) -> int | None:
    """The soft limit of this process; None where there is none or the system has no such limits."""
    try:
        import resource

        value: int = resource.getrlimit(getattr(resource, name))[0]
    except (ImportError, AttributeError, OSError, ValueError):
        return None
    return value if 0 <= value < 1 << 62 else None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """``error`` and what it was raised from, at most ten."""
    one: BaseException | None = error
    for _ in range(10):
        if one is None:
            return
        yield one
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
