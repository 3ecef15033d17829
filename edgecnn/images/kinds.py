"""The kinds of image files, by suffix and by content."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

SUFFIXES = frozenset(
    {
        ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo",
        ".png", ".apng",
        ".bmp", ".dib",
        ".webp", ".gif", ".avif",
        ".tif", ".tiff",
        ".pbm", ".pgm", ".ppm", ".pnm",
        ".jp2", ".j2k",
    }
)  # fmt: skip
UNSUPPORTED_SUFFIXES = frozenset(
    {
        ".heic", ".heif", ".jxl", ".jxr", ".ico", ".tga", ".dds", ".psd", ".svg", ".eps", ".pcx", ".exr", ".hdr", ".xcf",
        ".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf",
    }
)  # fmt: skip

_SIGNATURES = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"BM", "BMP"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
)
_PNM = re.compile(rb"P[1-6][\s#]")


def is_image(path: Path) -> bool:
    """Whether the suffix is one of an image that can be read. Hidden files are none: macOS writes ._name.jpg on foreign disks."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def unsupported(paths: Iterable[Path]) -> list[Path]:
    """Those that are images by their suffix, but of a kind that can't be read."""
    return [path for path in paths if path.suffix.lower() in UNSUPPORTED_SUFFIXES and not path.name.startswith(".")]


def count_by_suffix(paths: Iterable[Path]) -> str:
    """For a line about files that are left out, such as "3 .heic, 1 .tga"."""
    suffixes = [path.suffix.lower() for path in paths]
    return ", ".join(f"{suffixes.count(suffix)} {suffix}" for suffix in sorted(set(suffixes)))


def kind_of(head: bytes) -> str | None:
    """The kind of an image by its first 32 bytes, whatever its name; None for anything else."""
    for signature, kind in _SIGNATURES:
        if head.startswith(signature):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    if _PNM.match(head):
        return "PNM"
    if head[4:8] == b"ftyp" and (head[8:12] in (b"avif", b"avis") or b"avif" in head[16:32]):
        return "AVIF"
    return None
