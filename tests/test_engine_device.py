from __future__ import annotations

import pytest

from edgecnn.engine_device import CPU, Device, parse_device
from edgecnn.errors import InputError


@pytest.mark.parametrize(
    ("text", "device"),
    [
        ("cpu", CPU),
        ("auto", Device("auto")),
        ("gpu", Device("gpu")),
        ("gpu:2", Device("gpu", index=2)),
        ("npu", Device("npu")),
        ("cuda", Device("gpu", "cuda")),
        ("cuda:1", Device("gpu", "cuda", 1)),
        ("tensorrt:3", Device("gpu", "tensorrt", 3)),
        ("openvino:cpu", Device("cpu", "openvino")),
        ("openvino:gpu:1", Device("gpu", "openvino", 1)),
        ("openvino:npu", Device("npu", "openvino")),
    ],
)
def test_a_name_and_its_device(text: str, device: Device) -> None:
    assert parse_device(text) == device
    assert str(device) == text
    assert parse_device(device) is device


def test_the_first_of_several_needs_no_number() -> None:
    assert str(parse_device("cuda:0")) == "cuda"


@pytest.mark.parametrize(
    "wrong", ["tpu", "CPU", "cpu:1", "auto:0", "npu:1", "cuda:-1", "cuda:", "openvino", "openvino:auto", "", 0, None]
)
def test_another_name_is_refused_with_those_that_exist(wrong: object) -> None:
    with pytest.raises(InputError, match=r"there is no device .*; name one of cpu, gpu, npu, auto, cuda, tensorrt, openvino:cpu"):
        parse_device(wrong)


def test_only_the_processor_is_the_processor() -> None:
    assert parse_device("openvino:cpu").is_cpu
    assert not parse_device("auto").is_cpu
