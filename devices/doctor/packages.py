"""Checks of the installed packages: engines that are missing or broken, packages that overwrite each other, OpenCV."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from edgecnn.devices.doctor.finding import DeviceFinding, Machine

# Packages that install the same modules: whichever came last has overwritten the other.
_SAME_MODULE = {
    "ONNX Runtime": ("onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino", "onnxruntime-directml"),
    "OpenCV": ("opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless"),
}
_EXTRAS = {"openvino": ("OpenVINO files (.xml)", "openvino"), "tflite": ("TFLite files", "tflite")}
_BROKEN = ("can't be loaded", "ended by signal", "ended with exit code")
_SILENT = "did not answer"  # broken or only slow: a busy machine, a cold disk


def check(machine: Machine) -> Iterator[DeviceFinding]:
    """Findings about packages."""
    yield from _engines(machine)
    yield from _overwritten(machine)
    yield from _tflite_and_numpy(machine)
    yield from _opencv(machine)


def _engines(machine: Machine) -> Iterator[DeviceFinding]:
    for engine in machine.engines:
        if engine.text.startswith(_BROKEN):
            package = engine.name.replace("_", "-")
            fix = f"pip install --force-reinstall {package}"
            yield DeviceFinding("problem", "engine", f"{engine.name} is installed, but {engine.text}", fix)
        elif engine.text.startswith(_SILENT):
            text = f"{engine.name} {engine.text}: it is broken, or the machine is busy"
            fix = f"run edgecnn doctor again while nothing else runs, or see how far it gets: python -v -c 'import {engine.name}'"
            yield DeviceFinding("note", "engine", text, fix)
    formats = {name for engine in machine.engines for name in engine.formats}
    if "onnx" not in formats:
        yield DeviceFinding(
            "problem", "engine", "ONNX Runtime is not installed: no ONNX file can be opened", "pip install onnxruntime"
        )
    for name, (files, extra) in _EXTRAS.items():
        if name not in formats:
            yield DeviceFinding("note", "engine", f"no engine for {files} is installed", f'pip install "edgecnn[{extra}]"')


def _overwritten(machine: Machine) -> Iterator[DeviceFinding]:
    for title, names in _SAME_MODULE.items():
        found = [name for name in names if name in machine.packages]
        if len(found) > 1:
            text = f"{' and '.join(found)} are installed together: they overwrite each other's files of {title}"
            kept = _kept(found, machine.opencv)
            yield DeviceFinding("problem", "packages", text, f"pip uninstall -y {' '.join(found)} && pip install {kept}")


def _kept(found: Sequence[str], opencv: str) -> str:
    """The package to keep: the one with more in it, a GPU or a window."""
    larger = [name for name in found if name.endswith(("-gpu", "-openvino", "-directml"))]
    return (larger or [name for name in found if not name.endswith("-headless")] or list(found))[0]


def _tflite_and_numpy(machine: Machine) -> Iterator[DeviceFinding]:
    numpy, runtime = machine.packages.get("numpy", ""), machine.packages.get("tflite-runtime")
    if runtime is not None and numpy.partition(".")[0].isdigit() and int(numpy.partition(".")[0]) >= 2:
        text = f"tflite-runtime {runtime} was built for NumPy 1 and can't be used with NumPy {numpy}"
        yield DeviceFinding("problem", "packages", text, 'pip uninstall -y tflite-runtime && pip install "edgecnn[tflite]"')


def _opencv(machine: Machine) -> Iterator[DeviceFinding]:
    if not machine.opencv:
        fix = "pip install --force-reinstall opencv-python-headless"
        yield DeviceFinding("problem", "OpenCV", "OpenCV is not installed or can't be loaded", fix)
        return
    if not _has(machine.opencv, "FFMPEG") and "av" not in machine.packages:
        text = "OpenCV is built without FFmpeg and PyAV is not installed: videos and network cameras can't be read"
        yield DeviceFinding("problem", "OpenCV", text, 'pip install "edgecnn[video]"')
    gui = re.search(r"^\s*GUI:\s*(\S+)", machine.opencv, re.MULTILINE)
    if gui is not None and gui[1].upper() in ("NONE", "NO"):
        text = "OpenCV is built without windows: --show does not work, --serve and --view do"
        yield DeviceFinding("note", "OpenCV", text, 'pip uninstall -y opencv-python-headless && pip install "edgecnn[window]"')


def _has(build: str, name: str) -> bool:
    found = re.search(rf"^\s*{name}:\s*(\S+)", build, re.MULTILINE)
    return found is not None and found[1].upper() == "YES"
