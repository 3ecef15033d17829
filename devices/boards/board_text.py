"""Boards as text for the terminal: a table of all, and one with the sources of its facts."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping

from edgecnn.columns import align_columns
from edgecnn.devices.boards.board import Board, Camera

WIDTH = 118
VERBATIM = " " * 6
_TITLES = {"limit": "Limits", "memory": "Memory", "heat": "Heat", "power": "Power", "camera": "Cameras", "system": "System"}


def board_table(boards: Mapping[str, Board]) -> str:
    """One row for each board: its name, processor, cores, memory, int8 instructions and accelerators."""
    rows = [["name", "processor", "cores", "MHz", "memory", "int8", "GPU, NPU"]]
    rows += [_row(name, board) for name, board in boards.items()]
    return align_columns(rows, left=7)


def _row(name: str, board: Board) -> list[str]:
    profile = board.profile
    highest = max((one.max_mhz for one in board.clusters if one.max_mhz), default=None)
    int8 = profile.int8_path
    beside = [
        f"{one.name.removeprefix('Intel ').partition(',')[0].partition(' (')[0]}{'' if one.device else ' *'}"
        for one in board.accelerators
    ]
    cores = "+".join(str(one.cores) for one in board.clusters) if len(board.clusters) > 1 else str(profile.cores)
    return [
        name,
        profile.cpu,
        "-" if board.is_family and not board.clusters else cores,
        str(highest or "-"),
        _memory(board),
        "-" if int8 == "none" else int8,
        ", ".join(beside) or "-",
    ]


def _memory(board: Board) -> str:
    sizes = board.memory_sizes_mib or ((board.profile.memory_mib,) if board.profile.memory_mib else ())
    if not sizes:
        return "-"
    shown = [f"{size / 1024:.3g}" for size in sorted(sizes)]
    if len(shown) > 1:
        return f"{shown[0]} to {shown[-1]} GiB"
    return f"{'up to ' if board.is_family else ''}{shown[0]} GiB"


TABLE_NOTES = ("* not usable by edgecnn",)


def board_lines(board: Board) -> list[str]:
    """The board with all its facts; numbers in brackets are those of the sources at the end."""
    numbers = {key: index for index, key in enumerate(board.sources, 1)}
    lines = [board.profile.name]
    if board.summary:
        lines += _wrapped(board.summary, "  ")
    if board.known_as:
        lines += _wrapped(f"known as {board.known_as}; what pays there and its limits: edgecnn devices {board.known_as}", "  ")
    sections = {
        "Processor": [*_processor(board, numbers)],
        "GPU, NPU": [
            f"{one.name}{_device(one.device)}{_text(one.text)}{_mark(one.source, numbers)}" for one in board.accelerators
        ],
        "Systems": [f"{one.name}{_versions(one)}{_mark(one.source, numbers)}" for one in board.systems],
        "Formats and precisions": [
            f"{one.format} {one.precision}: {one.text}{_mark(one.source, numbers)}" for one in board.advice
        ],
        "Install": [
            line
            for one in board.install
            for line in (f"{one.text}:\n    {one.line}", f"  {one.checked}{_mark(one.source, numbers)}")
        ],
        "Engines": [_engine(one.name, one.version, one.formats, one.devices, one.text) for one in board.engines],
        "Cameras found": [line for one in board.cameras for line in _camera(one)],
        "Allowed here": [*_limits(board)],
        **{
            title: [f"{one.text}{_mark(one.source, numbers)}" for one in board.notes if one.topic == topic]
            for topic, title in _TITLES.items()
        },
        "Measured": [f"{one.text}\n  by {one.by}\n    {one.command}\n    {one.record}".rstrip() for one in board.measured],
    }
    for title, texts in sections.items():
        if texts:
            lines += ["", title, *(line for text in texts for line in _wrapped(text, "  "))]
    if board.sources:
        lines += ["", "Sources", *(f"  [{numbers[key]}] {address}" for key, address in board.sources.items())]
    return lines


def _processor(board: Board, numbers: Mapping[str, int]) -> Iterator[str]:
    profile, given = board.profile, board.given_by
    cores = "" if board.is_family and not board.clusters else f", {profile.cores} cores"
    guest = ", of a virtual machine" if profile.virtual else ""
    yield f"{profile.cpu}, {profile.arch}{cores}{guest}{_mark(given.get('cpu', ''), numbers)}"
    if len(board.clusters) > 1 or any(one.max_mhz for one in board.clusters):
        for one in board.clusters:
            clock = f"{one.min_mhz} to {one.max_mhz} MHz" if one.min_mhz and one.max_mhz else f"up to {one.max_mhz} MHz"
            details = [f"cpus {one.cpus}" if one.cpus else "", clock if one.max_mhz else "", one.governor]
            yield f"  {one.cores} x {one.cpu}: {', '.join(filter(None, details)) or 'clock unknown'}{_mark(one.source, numbers)}"
    if profile.features:
        yield f"instruction sets: {', '.join(profile.features)}{_mark(given.get('features', ''), numbers)}"
    if _memory(board) != "-":
        yield f"memory: {_memory(board)}{_mark(given.get('memory_mib', ''), numbers)}"
    if profile.formats:
        yield f"formats: {', '.join(profile.formats)}"


def _versions(system: object) -> str:
    shown = [(name, getattr(system, name)) for name in ("arch", "python", "glibc", "kernel")]
    titles = {"python": "Python ", "glibc": "glibc ", "kernel": "kernel ", "arch": ""}
    texts = [f"{titles[name]}{value}" for name, value in shown if value]
    return f": {', '.join(texts)}" if texts else ""


def _engine(name: str, version: str, formats: Iterable[str], devices: Iterable[str], text: str) -> str:
    on = f" on {', '.join(devices)}" if devices else ""
    return f"{name} {version}: {', '.join(formats)}{on}{f'; {text}' if text else ''}"


def _camera(camera: Camera) -> Iterator[str]:
    described = ", ".join(filter(None, (camera.name, camera.driver, camera.bus)))
    yield f"{camera.path}: {described or camera.problem}"
    if described and camera.problem:
        yield f"  {camera.problem}"
    for mode in camera.modes:
        rates = f" at {', '.join(f'{rate:g}' for rate in mode.fps)} fps" if mode.fps else ""
        yield f"  {mode.format} {mode.width}x{mode.height}{rates}"


def _limits(board: Board) -> Iterator[str]:
    limits = board.limits
    if limits is None:
        return
    yield f"{board.profile.usable_cpus} of {board.profile.cores} processors"
    if limits.cpu_quota_cpus is not None:
        yield f"container quota of {limits.cpu_quota_cpus:g} processors"
    if limits.memory_limit_mib is not None:
        yield f"container limit of {limits.memory_limit_mib} MiB"
    if limits.swap_mib is not None:
        yield f"swap: {limits.swap_mib} MiB"


def _device(device: str) -> str:
    return f" (--device {device})" if device else ""


def _text(text: str) -> str:
    return f". {text}" if text else ""


def _mark(source: str, numbers: Mapping[str, int]) -> str:
    return f" [{numbers[source]}]" if source in numbers else ""


def _wrapped(text: str, indent: str) -> list[str]:
    lines = []
    for part in text.split("\n"):
        own = indent + part[: len(part) - len(part.lstrip())]
        if own.startswith(VERBATIM):  # a command, to be copied as one line
            lines.append(own + part.strip())
            continue
        lines += textwrap.wrap(
            part.strip(), WIDTH, initial_indent=own, subsequent_indent=f"{own}  ", break_long_words=False, break_on_hyphens=False
        )
    return lines
