"""Each finding on a machine that is made up for it: a tree of /proc, /sys and /dev, packages, engines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from edgecnn.devices.boards.board import EngineFound
from edgecnn.devices.doctor import DeviceFinding, Machine, examine, finding
from edgecnn.devices.profile import DeviceProfile

CPU = "sys/devices/system/cpu"
PI = "sys/devices/platform/soc/soc:firmware/get_throttled"
PI5 = "sys/devices/platform/soc@107c000000/soc@107c000000:firmware/get_throttled"
ENGINES = (EngineFound("onnxruntime", "1", ("onnx",), ("cpu",)), EngineFound("openvino", "1", ("openvino", "onnx"), ("cpu",)))
ALL = (*ENGINES, EngineFound("ai_edge_litert", "1", ("tflite",), ("cpu",)))
OPENCV = "  GUI:                           GTK2\n    FFMPEG:                      YES\n"


@pytest.fixture
def found(tree: Callable[[Mapping[str, str]], Path]) -> Callable[..., list[DeviceFinding]]:
    """The findings on a machine where nothing is wrong but what is given."""

    def examined(files: Mapping[str, str] | None = None, *, cores: int = 4, usable: int = 4, **own: Any) -> list[DeviceFinding]:
        root = tree({f"{CPU}/online": "0-3", f"{CPU}/present": "0-3", **(files or {})})
        profile = DeviceProfile(
            "Board",
            own.get("arch", "aarch64"),
            "X",
            cores,
            usable,
            own.pop("features", ("dotprod",)),
            virtual=own.pop("virtual", False),
        )
        settings = {"packages": {"numpy": "2.4.0"}, "engines": ALL, "opencv": OPENCV, "glibc": "2.41", "arch": "aarch64", **own}
        return list(examine(Machine(root=root, profile=profile, **settings)))

    return examined


def test_a_machine_without_faults(found: Callable[..., list[DeviceFinding]]) -> None:
    assert found() == []


def governors(name: str, driver: str = "cpufreq-dt") -> dict[str, str]:
    folders = [f"{CPU}/cpu{number}/cpufreq" for number in range(4)]
    return {
        f"{folder}/{file}": text for folder in folders for file, text in (("scaling_governor", name), ("scaling_driver", driver))
    }


@pytest.mark.parametrize(
    ("files", "level", "said", "fix"),
    [
        pytest.param(
            governors("powersave"),
            "slow",
            "powersave keeps cpu 0-3 at the lowest clock",
            "echo performance | sudo tee",
            id="powersave",
        ),
        pytest.param(
            governors("ondemand"), "note", "ondemand changes the clock of cpu 0-3", "echo performance | sudo tee", id="ondemand"
        ),
        pytest.param(
            {f"{CPU}/cpu0/cpufreq/scaling_max_freq": "1500000", f"{CPU}/cpu0/cpufreq/cpuinfo_max_freq": "2400000"},
            "slow",
            "limited to 1500 of 2400 MHz",
            "echo 2400000 | sudo tee",
            id="capped",
        ),
        pytest.param({f"{CPU}/online": "0-1"}, "slow", "cpu 2-3 of 4 is off", "for n in 2 3; do echo 1", id="off"),
        pytest.param(
            {f"{CPU}/online": "0-1", "proc/device-tree/model": "NVIDIA Jetson Nano Developer Kit\0"},
            "slow",
            "cpu 2-3 of 4 is off",
            "sudo nvpmodel -m 0",
            id="jetson",
        ),
        pytest.param({PI: "50005"}, "slow", "reports now: under-voltage", "official power supply", id="voltage"),
        pytest.param({PI5: "40000"}, "slow", "reports since the start: throttled", "heat sink or a fan", id="throttled"),
        pytest.param({"sys/class/thermal/thermal_zone0/temp": "83000"}, "slow", "83 °C", "heat sink", id="hot"),
        pytest.param(
            {f"{CPU}/cpu0/thermal_throttle/core_throttle_count": "7"},
            "note",
            "lowered its clock 7 times",
            "heat sink",
            id="events",
        ),
        pytest.param(
            {"sys/fs/cgroup/cpu.max": "150000 100000"}, "slow", "may use 1.5 of 4 processors", "docker run --cpus 4", id="quota"
        ),
        pytest.param(
            {"sys/fs/cgroup/memory.max": str(100 << 20)}, "problem", "may use 100 MiB", "--memory 512m", id="memory limit"
        ),
        pytest.param(
            {"proc/meminfo": "MemTotal: 4000000 kB\nMemAvailable: 90000 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n"},
            "problem",
            "87 MiB of memory and 0 MiB of swap are free",
            "ps aux",
            id="memory",
        ),
        pytest.param(
            {"proc/meminfo": "MemTotal: 512000 kB\nMemAvailable: 400000 kB\nSwapTotal: 0 kB\n"},
            "slow",
            "500 MiB of memory without swap",
            "sudo fallocate -l 1G /swapfile",
            id="swap",
        ),
        pytest.param({"dev/nvhost-gpu": ""}, "slow", "there is an NVIDIA GPU", "NVIDIA builds for this JetPack", id="jetson gpu"),
        pytest.param(
            {"sys/class/drm/renderD128/device/vendor": "0x8086\n"},
            "slow",
            "an Intel GPU",
            "apt install intel-opencl-icd",
            id="gpu",
        ),
        pytest.param({"dev/accel/accel0": ""}, "slow", "there is an NPU", "linux-npu-driver", id="npu"),
    ],
)
def test_what_the_tree_shows(
    files: Mapping[str, str], level: str, said: str, fix: str, found: Callable[..., list[DeviceFinding]]
) -> None:
    (one, *more) = found(files)
    assert (one.level, said in one.text, fix in one.fix) == (level, True, True), one
    assert [other.level for other in more if other.level != "slow"] == []


def test_powersave_of_a_driver_that_scales_with_the_load_is_no_fault(found: Callable[..., list[DeviceFinding]]) -> None:
    assert [one.level for one in found(governors("powersave", "intel_pstate"))] == ["note"]


@pytest.mark.parametrize(
    ("own", "level", "said", "fix"),
    [
        pytest.param({"bits": 32}, "problem", "32-bit program on a 64-bit kernel", "64-bit image", id="userland"),
        pytest.param({"bits": 32, "arch": "armv7l"}, "problem", "32-bit program on a armv7l system", "64-bit image", id="armv7l"),
        pytest.param({"glibc": "2.27"}, "note", "glibc 2.27; current wheels need 2.28", "container", id="glibc"),
        pytest.param({"environ": {"OMP_NUM_THREADS": "1"}}, "note", "OMP_NUM_THREADS=1", "unset OMP_NUM_THREADS", id="threads"),
        pytest.param({"usable": 2}, "note", "may run on 2 of 4 processors", "taskset", id="affinity"),
        pytest.param({"virtual": True}, "note", "other guests", "", id="virtual"),
        pytest.param({"features": ("neon",)}, "note", "no dot product instruction", "edgecnn benchmark", id="int8"),
        pytest.param({"engines": ENGINES}, "note", "no engine for TFLite files", 'pip install "edgecnn[tflite]"', id="extra"),
        pytest.param(
            {"engines": (*ENGINES, EngineFound("ai_edge_litert", "1", ("tflite",), (), "can't be loaded: GLIBC_2.38 not found"))},
            "problem",
            "ai_edge_litert is installed, but can't be loaded: GLIBC_2.38",
            "--force-reinstall ai-edge-litert",
            id="broken",
        ),
        pytest.param(
            {"engines": (*ENGINES, EngineFound("ai_edge_litert", "1", ("tflite",), (), "did not answer within 60 s"))},
            "note",
            "ai_edge_litert did not answer within 60 s: it is broken, or the machine is busy",
            "run edgecnn doctor again while nothing else runs",
            id="slow to answer",
        ),
        pytest.param(
            {"packages": {"onnxruntime": "1", "onnxruntime-gpu": "1"}},
            "problem",
            "onnxruntime and onnxruntime-gpu are installed together",
            "pip uninstall -y onnxruntime onnxruntime-gpu && pip install onnxruntime-gpu",
            id="two runtimes",
        ),
        pytest.param(
            {"packages": {"opencv-python": "4", "opencv-python-headless": "4"}},
            "problem",
            "overwrite each other's files of OpenCV",
            "&& pip install opencv-python",
            id="two opencv",
        ),
        pytest.param(
            {"packages": {"numpy": "2.1.0", "tflite-runtime": "2.14.0"}},
            "problem",
            "tflite-runtime 2.14.0 was built for NumPy 1",
            'pip install "edgecnn[tflite]"',
            id="numpy",
        ),
        pytest.param({"opencv": ""}, "problem", "OpenCV is not installed", "opencv-python-headless", id="no opencv"),
        pytest.param(
            {"opencv": OPENCV.replace("GTK2", "NONE")}, "note", "without windows", 'pip install "edgecnn[window]"', id="window"
        ),
        pytest.param(
            {"opencv": OPENCV.replace("YES", "NO")}, "problem", "without FFmpeg", 'pip install "edgecnn[video]"', id="ffmpeg"
        ),
    ],
)
def test_what_is_installed_and_allowed(
    own: Mapping[str, Any], level: str, said: str, fix: str, found: Callable[..., list[DeviceFinding]]
) -> None:
    (one,) = found(**own)
    assert (one.level, said in one.text, fix in one.fix) == (level, True, True), one


def test_pyav_reads_videos_in_place_of_opencv(found: Callable[..., list[DeviceFinding]]) -> None:
    assert found(opencv=OPENCV.replace("YES", "NO"), packages={"av": "17"}) == []


def test_devices_without_permission_are_one_finding_for_each_group(found: Callable[..., list[DeviceFinding]]) -> None:
    files = {"dev/video0": "", "dev/video1": "", "dev/dri/renderD128": ""}
    findings = found(files, may_use=lambda path: path.name == "video1")
    assert [(one.level, one.text, one.fix) for one in findings] == [
        ("problem", "no permission to use /dev/video0 (cameras)", "sudo usermod -aG video $USER, then log in again"),
        (
            "problem",
            "no permission to use /dev/dri/renderD128 (Intel and AMD GPUs)",
            "sudo usermod -aG render $USER, then log in again",
        ),
    ]


def test_a_gpu_that_an_engine_uses_is_no_finding(found: Callable[..., list[DeviceFinding]]) -> None:
    engines = (*ALL, EngineFound("torch", "2", ("torch",), ("cpu", "cuda")))
    assert found({"dev/nvidia0": ""}, engines=engines) == []


def test_problems_come_first(found: Callable[..., list[DeviceFinding]]) -> None:
    assert [one.level for one in found({PI: "50005"}, bits=32, virtual=True)] == ["problem", "slow", "slow", "note"]


def test_this_machine_can_be_examined(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "engines", lambda: (ALL, ()))  # asking them takes seconds
    machine = Machine.here(Path("/"))
    assert "numpy" in machine.packages
    assert machine.opencv
    assert all(one.text for one in examine(machine))
