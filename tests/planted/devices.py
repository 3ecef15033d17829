"""Faults in what is said of a device: providers of ONNX Runtime, cameras, findings, sources of facts."""

from __future__ import annotations

from tests.planted.change import Change

DEVICES = "tests/runtime/backends/test_devices.py"
DOCTOR = "tests/devices/doctor/test_doctor.py"

CHANGES = (
    Change(
        "a provider that fell back to the processor counts as started",
        "runtime/backends/ort_providers.py",
        "if session is not None and session.get_providers()[0] == wanted[0].name:",
        "if session is not None:",
        DEVICES,
    ),
    Change(
        "the second GPU is the first",
        "runtime/backends/ort_providers.py",
        'return Provider(_CUDA, {"device_id": str(device.index)}, "cuda", device.index)',
        'return Provider(_CUDA, {"device_id": "0"}, "cuda", device.index)',
        DEVICES,
    ),
    Change(
        "OpenVINO: a device that is not there is the first one",
        "runtime/backends/ov.py",
        "if device.index < len(found):",
        "if found:",
        DEVICES,
    ),
    Change(
        "cameras: a device of metadata is a camera",
        "devices/v4l2.py",
        "own if all_capabilities & _DEVICE_CAPS else all_capabilities",
        "all_capabilities",
        "tests/devices/test_v4l2.py",
    ),
    Change(
        "cameras: intervals are taken for rates",
        "devices/v4l2.py",
        "round(below / above, 3) for above, below in pairs if above",
        "round(above / below, 3) for above, below in pairs if below",
        "tests/devices/test_v4l2.py",
    ),
    Change(
        "boards: a source that is not listed is accepted",
        "devices/boards/board_file.py",
        "if key and key not in sources",
        "if False",
        "tests/devices/test_boards.py",
    ),
    Change(
        "boards: the chip decides before the board",
        "devices/known_board.py",
        'yield from filter(None, read_text(root / "proc/device-tree/compatible").split("\\0"))',
        'yield from filter(None, reversed(read_text(root / "proc/device-tree/compatible").split("\\0")))',
        "tests/devices/test_known_board.py",
    ),
    Change(
        "boards: a PC with AVX-VNNI is one without int8 instructions",
        "devices/known_board.py",
        'family.int8_path != "none" or profile.int8_path == "none"',
        "True",
        "tests/devices/test_known_board.py",
    ),
    Change(
        "doctor: powersave of intel_pstate is a fault",
        "devices/doctor/processor.py",
        'governor == "powersave" and not drivers & set(_SCALE_IN_POWERSAVE)',
        'governor == "powersave"',
        DOCTOR,
    ),
    Change(
        "doctor: flags since the start are said to hold now",
        "devices/doctor/processor.py",
        'when = "now" if now else "since the start"',
        'when = "now"',
        DOCTOR,
    ),
)
