"""GPUs and NPUs that the kernel knows and no engine finds."""

from __future__ import annotations

from collections.abc import Iterator

from edgecnn.cpus import read_text
from edgecnn.devices.doctor.finding import DeviceFinding, Machine

_INTEL = "0x8086"
_NVIDIA = ("nvidia[0-9]*", "nvhost-gpu", "nvgpu")  # PC, Jetson
_INSTEAD = 'pip uninstall -y onnxruntime && pip install "onnxruntime-gpu[cuda,cudnn]"'
_NPU_DRIVER = "install the driver of https://github.com/intel/linux-npu-driver/releases"


def check(machine: Machine) -> Iterator[DeviceFinding]:
    """Findings about GPUs and NPUs."""
    dev, devices = machine.root / "dev", {device for engine in machine.engines for device in engine.devices}
    has_openvino = any(engine.name == "openvino" for engine in machine.engines)
    if any(path for pattern in _NVIDIA for path in dev.glob(pattern)) and not any(name.startswith("cuda") for name in devices):
        is_arm = machine.profile.arch == "aarch64"
        fix = "install the ONNX Runtime with CUDA that NVIDIA builds for this JetPack" if is_arm else _INSTEAD
        yield DeviceFinding("slow", "GPU", "there is an NVIDIA GPU, but no engine uses it", fix)
    render = list((machine.root / "sys/class/drm").glob("renderD*/device/vendor"))
    if any(read_text(path) == _INTEL for path in render) and not any(name.startswith("openvino:gpu") for name in devices):
        fix = "sudo apt install intel-opencl-icd" if has_openvino else 'pip install "edgecnn[openvino]"'
        yield DeviceFinding("slow", "GPU", "there is an Intel GPU, but OpenVINO does not find it", fix)
    if any(dev.glob("accel/accel*")) and "npu" not in devices:
        fix = _NPU_DRIVER if has_openvino else 'pip install "edgecnn[openvino]"'
        yield DeviceFinding("slow", "NPU", "there is an NPU, but OpenVINO does not find it", fix)
