"""Cameras through a driver that is made up here: it answers the requests of V4L2 in the structures of the kernel."""

from __future__ import annotations

import errno
import struct
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from edgecnn.devices import v4l2
from edgecnn.devices.boards.board import Camera, CameraMode

Tree = Callable[[Mapping[str, str]], Path]
MJPG, YUYV = (int.from_bytes(name, "little") for name in (b"MJPG", b"YUYV"))


class Driver:
    """A webcam with two formats; ``sizes`` and ``intervals`` may be ranges, as some drivers list them."""

    def __init__(self, capabilities: int = 0x84A00001, own: int = 0x04200001, *, ranges: bool = False) -> None:
        self.capabilities, self.own, self.ranges = capabilities, own, ranges

    def __call__(self, descriptor: int, request: int, structure: bytearray) -> int:
        answers = {
            v4l2.QUERYCAP: self.querycap,
            v4l2.ENUM_FMT: self.enum_fmt,
            v4l2.ENUM_FRAMESIZES: self.enum_sizes,
            v4l2.ENUM_FRAMEINTERVALS: self.enum_intervals,
        }
        found = answers[request](structure)
        if found is None:
            raise OSError(errno.EINVAL, "Invalid argument")
        assert len(found) == len(structure) == request >> 16 & 0x3FFF, "the size in the request is that of the structure"
        structure[:] = found
        return 0

    def querycap(self, _: bytearray) -> bytes:
        head = b"uvcvideo".ljust(16, b"\0") + b"HD Camera".ljust(32, b"\0") + b"usb-1.2".ljust(32, b"\0")
        return head + struct.pack("=III12x", 0x60000, self.capabilities, self.own)

    def enum_fmt(self, structure: bytearray) -> bytes | None:
        index, kind = struct.unpack_from("=II", structure)
        formats = (MJPG, YUYV) if kind == 1 else ()
        return struct.pack("=III32sII12x", index, kind, 0, b"x", formats[index], 0) if index < len(formats) else None

    def enum_sizes(self, structure: bytearray) -> bytes | None:
        index, pixels = struct.unpack_from("=II", structure)
        if self.ranges:
            return struct.pack("=III6I8x", index, pixels, 3, 32, 1920, 2, 24, 1080, 2) if not index else None
        sizes = ((1920, 1080), (640, 480)) if pixels == MJPG else ((640, 480),)
        return struct.pack("=III6I8x", index, pixels, 1, *sizes[index], 0, 0, 0, 0) if index < len(sizes) else None

    def enum_intervals(self, structure: bytearray) -> bytes | None:
        index, pixels, width, height = struct.unpack_from("=IIII", structure)
        if self.ranges:
            return struct.pack("=IIIII6I8x", index, pixels, width, height, 3, 1, 60, 1, 5, 0, 1) if not index else None
        rates = (30, 15) if pixels == MJPG else (30,)
        return (
            struct.pack("=IIIII6I8x", index, pixels, width, height, 1, 1, rates[index], 0, 0, 0, 0)
            if index < len(rates)
            else None
        )


@pytest.fixture
def root(tree: Tree) -> Path:
    return tree({"dev/video0": ""})


def test_a_webcam_and_its_modes(root: Path) -> None:
    assert v4l2.cameras(root, Driver()) == (
        Camera(
            "/dev/video0",
            "HD Camera",
            "uvcvideo",
            "usb-1.2",
            (
                CameraMode("MJPG", 1920, 1080, (30.0, 15.0)),
                CameraMode("MJPG", 640, 480, (30.0, 15.0)),
                CameraMode("YUYV", 640, 480, (30.0,)),
            ),
        ),
    )


def test_of_a_range_the_ends_are_named(root: Path) -> None:
    (camera,) = v4l2.cameras(root, Driver(ranges=True))
    assert camera.modes[:2] == (CameraMode("MJPG", 32, 24, (60.0, 5.0)), CameraMode("MJPG", 1920, 1080, (60.0, 5.0)))


def test_a_device_that_gives_no_frames_is_no_camera(root: Path) -> None:
    assert v4l2.cameras(root, Driver(own=0x04A00000)) == (), (
        "the metadata of a webcam, whose capabilities are those of the camera"
    )


def test_devices_are_in_the_order_of_their_numbers(tree: Tree) -> None:
    root = tree({f"dev/video{number}": "" for number in (10, 2, 0)})
    assert [camera.path for camera in v4l2.cameras(root, Driver())] == ["/dev/video0", "/dev/video2", "/dev/video10"]


def test_a_device_without_permission_says_how_to_get_it(root: Path) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    (camera,) = v4l2.cameras(root, refuse)
    assert camera.problem == "no permission: sudo usermod -aG video $USER, then log in again"


def test_a_file_that_is_no_camera_is_named_with_its_problem(root: Path) -> None:
    pytest.importorskip("fcntl")
    (camera,) = v4l2.cameras(root)
    assert camera.problem.startswith("can't be asked: inappropriate ioctl")


def test_a_driver_without_an_end_is_left(root: Path) -> None:
    class Endless(Driver):
        def enum_fmt(self, structure: bytearray) -> bytes | None:
            index, kind = struct.unpack_from("=II", structure)
            return struct.pack("=III32sII12x", index, kind, 0, b"x", MJPG, 0)

        def enum_sizes(self, structure: bytearray) -> bytes | None:
            return None

    assert v4l2.cameras(root, Endless())[0].modes == ()
