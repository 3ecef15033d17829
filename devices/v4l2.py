"""Cameras and their modes, asked of their drivers through V4L2 (Linux, include/uapi/linux/videodev2.h).

linuxpy does the same, under the GPL, which excludes it here.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from edgecnn.devices.boards.board import Camera, CameraMode
from edgecnn.errors import first_line

Ioctl = Callable[[int, int, bytearray], object]
"""``fcntl.ioctl`` of a file descriptor: reads and changes the structure in the buffer; raises ``OSError``."""

# _IOC(direction, 'V', number, size of the structure)
QUERYCAP: Final = 0x80685600
ENUM_FMT: Final = 0xC0405602
ENUM_FRAMESIZES: Final = 0xC02C564A
ENUM_FRAMEINTERVALS: Final = 0xC034564B
_CAPABILITY: Final = struct.Struct("=16s32s32sIII12x")
_FMTDESC: Final = struct.Struct("=III32sII12x")
_FRMSIZE: Final = struct.Struct("=III6I8x")
_FRMIVAL: Final = struct.Struct("=IIIII6I8x")
_CAPTURE: Final = {1: 0x1, 9: 0x1000}  # buffer type and capability: one plane, several planes
_DEVICE_CAPS: Final = 0x80000000
_DISCRETE: Final = 1
_MOST: Final = 64  # entries of a list; a driver that never ends one is not waited for


def cameras(root: Path = Path("/"), ioctl: Ioctl | None = None) -> tuple[Camera, ...]:
    """The devices /dev/video* that give frames; one that can't be asked has the ``problem`` in its place."""
    places = sorted((root / "dev").glob("video[0-9]*"), key=lambda path: int(re.sub(r"\D", "", path.name) or 0))
    found = (_camera(place, f"/dev/{place.name}", ioctl or _ioctl) for place in places)
    return tuple(camera for camera in found if camera is not None)


def _ioctl(descriptor: int, request: int, structure: bytearray) -> object:
    import fcntl  # not on Windows

    return fcntl.ioctl(descriptor, request, structure, True)


def _camera(place: Path, name: str, ioctl: Ioctl) -> Camera | None:
    """The camera at ``place``; None for a device that gives no frames, such as an encoder or the metadata of a camera."""
    try:
        with _opened(place) as descriptor:
            structure = bytearray(_CAPABILITY.size)
            ioctl(descriptor, QUERYCAP, structure)
            driver, card, bus, _, all_capabilities, own = _CAPABILITY.unpack(structure)
            capabilities = own if all_capabilities & _DEVICE_CAPS else all_capabilities
            kinds = [kind for kind, flag in _CAPTURE.items() if capabilities & flag]
            if not kinds:
                return None
            modes = tuple(mode for kind in kinds for mode in _modes(descriptor, kind, ioctl))
            return Camera(name, _text(card), _text(driver), _text(bus), modes)
    except PermissionError:
        return Camera(name, problem="no permission: sudo usermod -aG video $USER, then log in again")
    except OSError as error:
        return Camera(name, problem=f"can't be asked: {(error.strerror or first_line(error)).lower()}")


@contextmanager
def _opened(place: Path) -> Iterator[int]:
    descriptor = os.open(place, os.O_RDWR | getattr(os, "O_NONBLOCK", 0))
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _modes(descriptor: int, kind: int, ioctl: Ioctl) -> Iterator[CameraMode]:
    for index in range(_MOST):
        structure = bytearray(_FMTDESC.pack(index, kind, 0, b"", 0, 0))
        if not _ask(ioctl, descriptor, ENUM_FMT, structure):
            return
        pixels = _FMTDESC.unpack(structure)[4]
        for width, height in _sizes(descriptor, pixels, ioctl):
            yield CameraMode(_fourcc(pixels), width, height, tuple(_rates(descriptor, pixels, width, height, ioctl)))


def _sizes(descriptor: int, pixels: int, ioctl: Ioctl) -> Iterator[tuple[int, int]]:
    """The sizes of a pixel format; of a range of sizes the smallest and the largest."""
    for index in range(_MOST):
        structure = bytearray(_FRMSIZE.pack(index, pixels, 0, 0, 0, 0, 0, 0, 0))
        if not _ask(ioctl, descriptor, ENUM_FRAMESIZES, structure):
            return
        _, _, kind, a, b, _, d, e, _ = _FRMSIZE.unpack(structure)
        if kind != _DISCRETE:  # least width, most width, step, least height, most height, step
            yield from dict.fromkeys(((a, d), (b, e)))
            return
        yield a, b


def _rates(descriptor: int, pixels: int, width: int, height: int, ioctl: Ioctl) -> Iterator[float]:
    """Frames per second; an interval is a fraction of seconds. Of a range the highest and the lowest rate."""
    for index in range(_MOST):
        structure = bytearray(_FRMIVAL.pack(index, pixels, width, height, 0, *[0] * 6))
        if not _ask(ioctl, descriptor, ENUM_FRAMEINTERVALS, structure):
            return
        kind, first, over_first, second, over_second = _FRMIVAL.unpack(structure)[4:9]
        pairs = [(first, over_first)] if kind == _DISCRETE else [(first, over_first), (second, over_second)]
        yield from (round(below / above, 3) for above, below in pairs if above)
        if kind != _DISCRETE:
            return


def _ask(ioctl: Ioctl, descriptor: int, request: int, structure: bytearray) -> bool:
    """Whether the driver has an entry at the index in ``structure``: it answers EINVAL at the end, ENOTTY without such a list."""
    try:
        ioctl(descriptor, request, structure)
    except OSError:
        return False
    return True


def _fourcc(pixels: int) -> str:
    letters = pixels.to_bytes(4, "little")
    return "".join(chr(letter) for letter in letters if 32 < letter < 127) or f"0x{pixels:08x}"


def _text(raw: bytes) -> str:
    return raw.partition(b"\0")[0].decode("utf-8", "replace").strip()
