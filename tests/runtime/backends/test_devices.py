"""Devices that are not there, and buffers of a device: what the installed engines themselves say, and what edgecnn makes of it."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnxruntime as ort
import pytest

from edgecnn.engine_device import parse_device
from edgecnn.errors import BackendError, InputError
from edgecnn.runtime.backends import open_backend, ov
from edgecnn.runtime.backends.io_binding import bind_device, bind_io
from edgecnn.runtime.backends.ort import OrtBackend
from edgecnn.runtime.backends.ort_binding import OrtDeviceBinding
from edgecnn.runtime.backends.ort_providers import Provider, providers_for
from tests.contracts.tiny import Graph, write

SHAPE = (1, 6, 8, 3)
VALUES = {"a": np.arange(6, dtype=np.float32).reshape(1, 6), "b": np.ones((1, 2, 2), np.float32)}
CPU_WHEEL = ("AzureExecutionProvider", "CPUExecutionProvider")


def tiny(folder: Path, kind: str = "onnx") -> Path:
    return write(folder, kind, Graph(VALUES, SHAPE, gain=0.5))


needs_openvino = pytest.mark.skipif(find_spec("openvino") is None, reason="OpenVINO is not installed")
needs_cpu_wheel = pytest.mark.skipif(
    set(ort.get_available_providers()) - set(CPU_WHEEL) != set(), reason="the installed ONNX Runtime has providers for a GPU"
)


@needs_cpu_wheel
@pytest.mark.parametrize(
    ("device", "said"),
    [
        ("cuda:1", '--device cuda:1: the installed ONNX Runtime has no CUDA provider; run: .* "onnxruntime-gpu.cuda,cudnn."'),
        ("tensorrt", "--device tensorrt: the installed ONNX Runtime has no TensorRT provider; run: .*onnxruntime-gpu"),
        ("openvino:gpu", "--device openvino:gpu: .* has no OpenVINO provider; run: .*onnxruntime-openvino"),
        ("npu", "--device npu: .* has no OpenVINO provider; run: .*onnxruntime-openvino"),
        ("gpu", "--device gpu: .* no provider for a GPU; run: .*onnxruntime-gpu.* or onnxruntime-openvino"),
    ],
)
def test_a_provider_that_is_not_installed_is_named_with_its_package(device: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(BackendError, match=said) as caught:
        open_backend(tiny(tmp_path), device, engine="onnxruntime")
    assert str(caught.value).endswith("or use --device cpu")


@pytest.mark.parametrize(
    ("device", "expected"),
    [
        ("cpu", ()),
        ("cuda:1", (Provider("CUDAExecutionProvider", {"device_id": "1"}, "cuda", 1),)),
        ("gpu", (Provider("CUDAExecutionProvider", {"device_id": "0"}, "cuda", 0),)),
        ("openvino:gpu:1", (Provider("OpenVINOExecutionProvider", {"device_type": "GPU.1"}),)),
        ("npu", (Provider("OpenVINOExecutionProvider", {"device_type": "NPU"}),)),
    ],
)
def test_the_provider_of_a_device(device: str, expected: tuple[Provider, ...]) -> None:
    names = ("TensorrtExecutionProvider", "CUDAExecutionProvider", "OpenVINOExecutionProvider", "CPUExecutionProvider")
    assert providers_for(parse_device(device), names) == expected


def test_cuda_runs_what_tensorrt_does_not_have() -> None:
    found = providers_for(parse_device("tensorrt:1"), ("TensorrtExecutionProvider", "CUDAExecutionProvider"))
    assert [(one.name, one.options["device_id"]) for one in found] == [
        ("TensorrtExecutionProvider", "1"),
        ("CUDAExecutionProvider", "1"),
    ]


def test_a_gpu_of_intel_where_only_openvino_is_there() -> None:
    found = providers_for(parse_device("auto"), ("OpenVINOExecutionProvider", "CPUExecutionProvider"))
    assert found == (Provider("OpenVINOExecutionProvider", {"device_type": "GPU"}),)


def test_a_provider_that_does_not_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The installed engine is asked for a provider that it lists and can't start, as onnxruntime-gpu is without CUDA."""
    monkeypatch.setattr(ort, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"])
    path = tiny(tmp_path)
    with pytest.raises(
        BackendError, match=r"^--device cuda: CUDA of ONNX Runtime did not start.*; install the driver of the GPU and run:"
    ):
        open_backend(path, "cuda")
    automatic = open_backend(path, "auto")  # which goes on with the processor
    assert automatic.run({automatic.inputs[0].name: np.zeros(SHAPE, np.uint8)})


LOG = (
    b"\x1b[1;31m2026-11-27 22:50:58 [E:onnxruntime:Default, provider_bridge_ort.cc:2458 operator()] FAIL : Failed to load library "
    b"libonnxruntime_providers_cuda.so with error: libcublasLt.so.13: cannot open shared object file: No such file or directory\n\x1b[m\n"
)


def test_a_session_that_fell_back_to_the_processor_is_refused_with_the_reason_in_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """What onnxruntime-gpu 1.31.1 does without CUDA: a session on the processor, and lines on standard error."""
    session_class, path = ort.InferenceSession, tiny(tmp_path)

    def open_session(file: str, options: object, *, providers: list[object], **_: object) -> object:
        if len(providers) > 1:
            os.write(2, LOG)
            print("*************** EP Error ***************")
        return session_class(file, options, providers=["CPUExecutionProvider"])

    monkeypatch.setattr(ort, "InferenceSession", open_session)
    monkeypatch.setattr(ort, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"])
    with pytest.raises(
        BackendError, match=r"did not start: libcublasLt\.so\.13: cannot open shared object file: No such file or directory; "
    ):
        open_backend(path, "cuda:1")
    assert open_backend(path, "auto").concurrency == 1
    assert capfd.readouterr() == ("", ""), "nothing of that reaches the terminal"


def test_a_broken_file_is_the_reason_also_on_a_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ort, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"])
    path = tmp_path / "broken.onnx"
    path.write_bytes(tiny(tmp_path).read_bytes()[:100])
    with pytest.raises(BackendError, match="ONNX Runtime cannot load"):
        open_backend(path, "cuda")


@needs_openvino
@pytest.mark.parametrize(
    ("device", "said"),
    [
        ("gpu:7", "--device gpu:7: OpenVINO finds (no|[0-7]) GPU"),
        ("openvino:gpu:7", "--device openvino:gpu:7: OpenVINO finds (no|[0-7]) GPU"),
        ("cuda", "--device cuda: OpenVINO computes on the CPU and on Intel GPUs and NPUs only; use the ONNX file, or"),
    ],
)
def test_openvino_names_the_devices_that_it_finds(device: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(BackendError, match=said):
        open_backend(tiny(tmp_path, "openvino"), device)


@pytest.mark.parametrize(
    ("device", "place"),
    [
        ("gpu", "GPU.0"),
        ("openvino:gpu:1", "GPU.1"),
        ("auto", "GPU.0"),
        ("npu", "NPU"),
        ("openvino:cpu", "CPU"),
        ("gpu:2", "OpenVINO finds 2 GPUs, only CPU, GPU.0, GPU.1, NPU; they are counted from 0"),
    ],
)
def test_the_devices_of_openvino_by_their_numbers(device: str, place: str) -> None:
    core = SimpleNamespace(available_devices=["CPU", "GPU.0", "GPU.1", "NPU"])
    try:
        found = ov._device(core, parse_device(device))
    except BackendError as error:
        found = str(error).removeprefix(f"--device {device}: ")
    assert found == place


@needs_openvino
def test_an_onnx_file_is_opened_by_openvino_for_its_devices(tmp_path: Path) -> None:
    path = tiny(tmp_path)
    backend = open_backend(path, "openvino:cpu")
    assert type(backend).__name__ == "OvBackend"
    assert backend.run({backend.inputs[0].name: np.zeros(SHAPE, np.uint8)})
    with pytest.raises(BackendError, match="--device openvino:gpu:7: OpenVINO finds"):
        open_backend(path, "openvino:gpu:7")


@needs_openvino
def test_an_npu_without_driver_is_refused(tmp_path: Path) -> None:
    import openvino

    if "NPU" in openvino.Core().available_devices:
        pytest.skip("this machine has an NPU")
    with pytest.raises(BackendError, match=r"--device npu: OpenVINO finds no NPU, only CPU.*; install the driver of the NPU"):
        open_backend(tiny(tmp_path, "openvino"), "npu")


@pytest.mark.parametrize("device", ["cuda", "npu", "openvino:cpu"])
def test_engines_of_processors_refuse_other_devices(device: str, tmp_path: Path) -> None:
    with pytest.raises(BackendError, match=f"--device {device}: edgecnn runs .* on the CPU only"):
        open_backend(tiny(tmp_path, "tflite"), device)


def test_an_unknown_device_is_refused_before_the_file_is_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no device 'tpu'"):
        open_backend(tiny(tmp_path), "tpu")


@pytest.fixture
def on_device(tmp_path: Path) -> OrtBackend:
    """A backend whose provider keeps its buffers in device memory; the device is the processor, which has the same calls."""
    session = ort.InferenceSession(str(tiny(tmp_path)), providers=["CPUExecutionProvider"])
    return OrtBackend(session, 1, Provider("CPUExecutionProvider", memory="cpu"))


def test_buffers_of_a_device_give_the_numbers_of_a_plain_run(on_device: OrtBackend) -> None:
    name = on_device.inputs[0].name
    binding = bind_io(on_device, {name: SHAPE})
    assert isinstance(binding, OrtDeviceBinding)
    rng = np.random.default_rng(0)
    for _ in range(3):
        image = rng.integers(0, 256, SHAPE, np.uint8)
        binding.inputs[name][...] = image
        wanted = on_device.run({name: image})
        for found in (binding.run(), binding.run({name: image})):
            assert list(found) == list(wanted)
            for output, array in wanted.items():
                np.testing.assert_array_equal(found[output], array)


def test_a_run_on_a_device_says_what_transfers_and_computation_took(on_device: OrtBackend) -> None:
    binding = bind_device(on_device, {on_device.inputs[0].name: SHAPE})
    assert binding is not None
    binding.run()
    assert list(binding.spent_ms) == ["upload", "compute", "download"]
    assert all(ms > 0 for ms in binding.spent_ms.values())


def test_a_processor_has_no_buffers_of_a_device(tmp_path: Path) -> None:
    backend = open_backend(tiny(tmp_path))
    assert bind_device(backend, {backend.inputs[0].name: SHAPE}) is None


def test_buffers_of_a_device_end_with_their_model(on_device: OrtBackend) -> None:
    binding = bind_device(on_device, {on_device.inputs[0].name: SHAPE})
    on_device.close()
    assert binding is not None
    with pytest.raises(BackendError, match="closed"):
        binding.run()
